// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// openCgroups opens the machine's hierarchy, or skips the test.
func openCgroups(t *testing.T) *Cgroups {
	t.Helper()
	root := testkit.Cgroup2(t)
	c, err := OpenCgroups()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if c.Root() != root {
		t.Errorf("the hierarchy is at %s, not at %s", root, c.Root())
	}
	return c
}

// existing lists some cgroups of the machine.
func existing(t *testing.T, c *Cgroups) []string {
	t.Helper()
	dirs := []string{c.Root()}
	entries, err := os.ReadDir(c.Root())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() && len(dirs) < 20 {
			dirs = append(dirs, filepath.Join(c.Root(), e.Name()))
		}
	}
	return dirs
}

// TestCgroupPath looks real cgroups up by their ids, with and without the privilege to
// open them by handle.
func TestCgroupPath(t *testing.T) {
	c := openCgroups(t)
	for name, lookUp := range map[string]func(uint64) (string, bool){
		"Path":   c.Path,
		"cached": c.Path,
		"search": func(id uint64) (string, bool) { path := c.search(id); return path, path != "" },
	} {
		for _, dir := range existing(t, c) {
			id, err := CgroupID(dir)
			if errors.Is(err, os.ErrNotExist) {
				continue // removed meanwhile
			}
			if err != nil {
				t.Fatal(err)
			}
			want := filepath.Join("/", strings.TrimPrefix(dir, c.Root()))
			if got, ok := lookUp(id); !ok || got != want {
				t.Errorf("%s: %d is %q (%v), want %q", name, id, got, ok, want)
			}
		}
	}
}

// TestCgroupMadeLater finds a cgroup that did not exist before, and none that was removed.
func TestCgroupMadeLater(t *testing.T) {
	testkit.NeedRoot(t)
	c := openCgroups(t)
	dir, path := testkit.NewCgroup(t)
	id, err := CgroupID(filepath.Join(dir, "inner"))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Path(id); !ok || got != path+"/inner" {
		t.Errorf("%d is %q (%v)", id, got, ok)
	}
	gone := filepath.Join(dir, "gone")
	if err := os.Mkdir(gone, 0o755); err != nil {
		t.Fatal(err)
	}
	id, err = CgroupID(gone)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Path(id); ok {
		t.Errorf("a removed cgroup is %q", got)
	}
}

func TestCgroupUnknownID(t *testing.T) {
	c := openCgroups(t)
	for _, id := range []uint64{0, 1 << 60, ^uint64(0)} {
		if got, ok := c.Path(id); ok || got != "" {
			t.Errorf("%d is %q (%v)", id, got, ok)
		}
	}
}

// TestFindCgroup takes paths below the root and directories, and no other directory.
func TestFindCgroup(t *testing.T) {
	testkit.NeedRoot(t)
	dir, path := testkit.NewCgroup(t)
	for _, given := range []string{path, path[1:], dir, path + "/inner/..", path + "/"} {
		got, err := FindCgroup(given)
		if err != nil || filepath.Clean(got) != dir {
			t.Errorf("%s: %q, %v", given, got, err)
		}
	}
	for given, near := range map[string]string{
		path + "x":                 filepath.Base(path),
		path + "/iner":             "inner",
		dir + "/cgroup.procs":      "",
		"/proc":                    "",
		"/no/such/deep/path":       "",
		path + "/inner/there/deep": "",
	} {
		got, err := FindCgroup(given)
		var unknown *decode.UnknownNameError
		if !errors.As(err, &unknown) {
			t.Errorf("%s: %q, %v", given, got, err)
			continue
		}
		if near != "" && !strings.Contains(err.Error(), near) {
			t.Errorf("%v: does not propose %s", err, near)
		}
	}
}
