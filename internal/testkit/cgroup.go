// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Cgroup2 is where the version 2 hierarchy is mounted. Without one the test is skipped.
func Cgroup2(t testing.TB) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	t.Skip("needs: cgroup v2: it is not mounted")
	return ""
}

// NewCgroup makes a cgroup with one below it, "inner", and removes both after the test. It
// returns its directory and its path in the hierarchy.
func NewCgroup(t testing.TB) (dir, path string) {
	t.Helper()
	path = fmt.Sprintf("/forktrace-test-%d", os.Getpid())
	dir = filepath.Join(Cgroup2(t), path)
	if err := os.MkdirAll(filepath.Join(dir, "inner"), 0o755); err != nil {
		t.Skipf("needs: cgroup v2: none can be made: %v", err)
	}
	t.Cleanup(func() {
		for _, d := range []string{filepath.Join(dir, "inner"), dir} {
			Eventually(t, "an empty cgroup", func() error { return os.Remove(d) })
		}
	})
	return dir, path
}
