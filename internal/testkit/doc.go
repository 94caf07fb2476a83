// SPDX-License-Identifier: Apache-2.0

// Package testkit runs the real programs for tests: forktrace as it is shipped, and the
// program of internal/creations that says what must be seen. Only tests import it.
package testkit
