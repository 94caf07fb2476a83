// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"testing"
)

// scratch is a directory for this run that every user may read: some tests run the
// programs without privileges.
var scratch string

// Main is a testing.M whose Run provides the programs to the tests and cleans up after
// them.
type Main struct{ *testing.M }

// Run runs the tests.
func (m Main) Run() int {
	dir, err := os.MkdirTemp("", "forktrace-test-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testkit:", err)
		return 1
	}
	scratch = dir
	defer os.RemoveAll(dir)
	return m.M.Run()
}
