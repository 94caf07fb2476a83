// SPDX-License-Identifier: Apache-2.0

package host

import (
	"slices"
	"testing"
)

// TestHierarchyDir: a cgroup is never taken for another of the same name.
func TestHierarchyDir(t *testing.T) {
	whole, part := hierarchy{"/cg", "/"}, hierarchy{"/cg", "/docker/1"}
	for _, c := range []struct {
		at        hierarchy
		path, dir string
	}{
		{whole, "/", "/cg"},
		{whole, "/a/b", "/cg/a/b"},
		{whole, "/../a", ""}, // of the namespace above
		{whole, "/..", ""},
		{whole, "/..a", "/cg/..a"},
		{whole, "", ""},
		{part, "/docker/1", "/cg"},
		{part, "/docker/1/x", "/cg/x"},
		{part, "/docker/10", ""},
		{part, "/docker", ""},
		{part, "/a", ""},
		{hierarchy{}, "/", ""},
	} {
		dir := c.at.dir(c.path)
		if dir != c.dir {
			t.Errorf("%s at %+v is %q, want %q", c.path, c.at, dir, c.dir)
		}
		if dir == "" {
			continue
		}
		if path := c.at.path(dir); path != c.path {
			t.Errorf("%s at %+v is %q, want %q", dir, c.at, path, c.path)
		}
	}
	var walked []string
	part.upwards("/docker/1/x/y", func(dir, path string) { walked = append(walked, dir+" "+path) })
	if want := []string{"/cg/x/y /docker/1/x/y", "/cg/x /docker/1/x", "/cg /docker/1"}; !slices.Equal(walked, want) {
		t.Errorf("upwards: %q, want %q", walked, want)
	}
}
