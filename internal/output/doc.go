// SPDX-License-Identifier: Apache-2.0

// Package output writes what was traced: lines for people, JSON objects for programs,
// and the summary at the end. Writing a record allocates nothing.
package output
