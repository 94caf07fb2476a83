// SPDX-License-Identifier: Apache-2.0

package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// hierarchy is where cgroups are mounted: all of them, or, as in a container, those from
// one cgroup on.
type hierarchy struct {
	mount string // the directory
	from  string // the cgroup that is mounted there, "/" for the root
}

// version2 stands for a controller where the hierarchy of version 2 is meant.
const version2 = ""

// findHierarchy finds the mount of a version 1 hierarchy by its controller, or that of
// version 2: the one that shows most. It is the zero hierarchy where there is none.
func findHierarchy(controller string) (h hierarchy, err error) {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return h, fmt.Errorf("reading the list of mounts: %w", err)
	}
	for _, m := range mounts {
		_, on := m.SuperOptions[controller]
		if controller == version2 && m.FSType != "cgroup2" || controller != version2 && !(m.FSType == "cgroup" && on) {
			continue
		}
		if !outside(m.Root) && (h.mount == "" || len(m.Root) < len(h.from)) {
			h = hierarchy{m.MountPoint, m.Root}
		}
	}
	return h, nil
}

// dir is the directory of a cgroup, "" where that is not mounted.
func (h hierarchy) dir(path string) string { return h.moved(path, h.from, h.mount) }

// path is the cgroup of a directory, "" where that is not below the mount.
func (h hierarchy) path(dir string) string { return h.moved(dir, h.mount, h.from) }

// moved is a path with another beginning, "" where it does not begin so.
func (h hierarchy) moved(path, from, to string) string {
	rel, err := filepath.Rel(from, path)
	if h.mount == "" || outside(path) || err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.Join(to, rel)
}

// outside says whether a cgroup is not below the root of the own cgroup namespace, as the
// kernel writes it (cgroup_namespaces(7)).
func outside(path string) bool { return path == "/.." || strings.HasPrefix(path, "/../") }

// upwards calls f with the directory and the path of a cgroup and of each above it, as far
// as they are mounted.
func (h hierarchy) upwards(path string, f func(dir, path string)) {
	for dir := h.dir(path); dir != ""; dir = h.dir(path) {
		f(dir, path)
		if path == h.from {
			return
		}
		path = filepath.Dir(path)
	}
}

// controllerOf finds the hierarchy of a controller and a process's cgroup in it, and says
// whether that is one of version 1. Path is "" where the process has none.
func controllerOf(pid uint32, controller string) (h hierarchy, path string, v1 bool) {
	proc, err := procfs.NewProc(int(pid))
	if err != nil {
		return h, "", false
	}
	groups, err := proc.Cgroups()
	if err != nil {
		return h, "", false
	}
	g, _ := groupOf(groups, controller)
	if v1 = g.HierarchyID != 0; !v1 {
		controller = version2
	}
	h, _ = findHierarchy(controller)
	return h, g.Path, v1
}

// groupOf is the line of /proc/PID/cgroup for a controller: a version 1 hierarchy that has
// it, or else version 2.
func groupOf(groups []procfs.Cgroup, controller string) (g procfs.Cgroup, ok bool) {
	for _, g := range groups {
		if slices.Contains(g.Controllers, controller) {
			return g, true
		}
	}
	for _, g := range groups {
		if g.HierarchyID == 0 {
			return g, true
		}
	}
	return g, false
}

// pidsOfSelf finds the hierarchy that has the pids controller, and this process's cgroup.
func pidsOfSelf() (h hierarchy, path string, v1 bool) {
	return controllerOf(uint32(os.Getpid()), "pids")
}
