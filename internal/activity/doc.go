// SPDX-License-Identifier: Apache-2.0

// Package activity turns what the kernel side has counted into what happened in an
// interval and by whom: top and storm show it.
package activity
