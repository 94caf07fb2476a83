// SPDX-License-Identifier: Apache-2.0

// Package host finds the names that people use for what the kernel numbers: cgroups and
// users.
package host
