// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
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

// PidsCgroup makes a cgroup with a limit on tasks, on whichever hierarchy has the pids
// controller, and removes it after the test. It returns its directory and its path in the
// hierarchy.
func PidsCgroup(t testing.TB, limit int) (dir, path string) {
	t.Helper()
	root := pidsRoot(t)
	path = fmt.Sprintf("/forktrace-pids-%d-%d", os.Getpid(), made.Add(1))
	dir = filepath.Join(root, path)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("needs: pids controller: no cgroup can be made: %v", err)
	}
	t.Cleanup(func() { Eventually(t, "an empty cgroup", func() error { return os.Remove(dir) }) })
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte(strconv.Itoa(limit)), 0o644); err != nil {
		t.Skipf("needs: pids controller: %v", err)
	}
	return dir, path
}

// made numbers the cgroups of this process.
var made atomic.Int64

// pidsRoot is where the pids controller is. In a guest it is turned on.
func pidsRoot(t testing.TB) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 3 && f[2] == "cgroup" && slices.Contains(strings.Split(f[3], ","), "pids") {
			return f[1]
		}
	}
	root := Cgroup2(t)
	if InGuest() {
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+pids"), 0o644) // else the limit cannot be set, which skips
	}
	return root
}

// Join puts a process into a cgroup.
func Join(t testing.TB, dir string, pid int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o644); err != nil {
		t.Fatal(err)
	}
}
