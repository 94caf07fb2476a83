// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
)

// ErrNoCgroup2 says that no v2 hierarchy is mounted.
var ErrNoCgroup2 = errors.New("no cgroup v2 hierarchy is mounted")

// Cgroups finds the paths of cgroups of one hierarchy by their ids, which are the inode
// numbers of their directories and are never used again.
type Cgroups struct {
	at    hierarchy
	mount *os.File          // nil where none is mounted
	paths map[uint64]string // "" stands for an id that was not found
}

// maxCgroups bounds the cache; a machine that makes more cgroups starts it anew.
const maxCgroups = 1 << 14

// OpenCgroups finds the v2 hierarchy. It returns an error that wraps [ErrNoCgroup2] when
// there is none.
func OpenCgroups() (*Cgroups, error) {
	h, err := findHierarchy(version2)
	if err != nil {
		return nil, err
	}
	if h.mount == "" {
		return nil, ErrNoCgroup2
	}
	return openHierarchy(h)
}

func openHierarchy(h hierarchy) (*Cgroups, error) {
	mount, err := os.Open(h.mount)
	if err != nil {
		return nil, fmt.Errorf("opening the cgroup hierarchy: %w", err)
	}
	return &Cgroups{at: h, mount: mount, paths: map[uint64]string{}}, nil
}

// OpenController finds the hierarchy that a controller is on: one of version 1 where it is
// mounted so, else the v2 hierarchy.
func OpenController(name string) (*Cgroups, error) {
	h, err := findHierarchy(name)
	if err != nil {
		return nil, err
	}
	if h.mount == "" {
		return OpenCgroups()
	}
	return openHierarchy(h)
}

// OpenPidsCgroups finds the hierarchy whose cgroups limit creations: that of the pids
// controller, or version 2 where there is none. v1 says which version it is. Where it is
// not mounted, paths can be learned of processes only.
func OpenPidsCgroups() (c *Cgroups, v1 bool, err error) {
	h, _, v1 := pidsOfSelf()
	if h.mount == "" {
		return &Cgroups{paths: map[uint64]string{}}, v1, nil
	}
	c, err = openHierarchy(h)
	return c, v1, err
}

// Remember looks up all cgroups that there are, so that their paths are known when they
// have been removed.
func (c *Cgroups) Remember() { c.search(0) }

// Learn takes the path of a cgroup from a process in it, for where the hierarchy is not
// mounted as a whole, as in a container.
func (c *Cgroups) Learn(id uint64, pid uint32) (string, bool) {
	proc, err := procfs.NewProc(int(pid))
	if err != nil {
		return "", false
	}
	groups, err := proc.Cgroups()
	if err != nil {
		return "", false
	}
	g, ok := groupOf(groups, "pids")
	if ok {
		c.paths[id] = g.Path
	}
	return g.Path, ok
}

// Close releases the hierarchy.
func (c *Cgroups) Close() error {
	if c.mount == nil {
		return nil
	}
	return c.mount.Close()
}

// Root is where the hierarchy is mounted, "" where it is not.
func (c *Cgroups) Root() string { return c.at.mount }

// Dir is the directory of a cgroup, "" where that is not mounted.
func (c *Cgroups) Dir(path string) string { return c.at.dir(path) }

// Path is the path of a cgroup below the root of the hierarchy, "/" for the root, and
// whether it could be found: a cgroup that was removed cannot.
func (c *Cgroups) Path(id uint64) (string, bool) {
	path, known := c.paths[id]
	if !known {
		if len(c.paths) >= maxCgroups {
			clear(c.paths)
		}
		path = c.lookUp(id)
		c.paths[id] = path
	}
	return path, path != ""
}

// lookUp opens a cgroup by its id, which is a file handle of the kernel's kernfs
// (FILEID_KERNFS, include/linux/exportfs.h; 5.5), and asks for its name. Without
// CAP_DAC_READ_SEARCH, and in version 1, which knows no handles, the hierarchy is searched
// instead.
func (c *Cgroups) lookUp(id uint64) string {
	if c.mount == nil {
		return ""
	}
	const fileidKernfs = 0xfe
	handle := unix.NewFileHandle(fileidKernfs, binary.NativeEndian.AppendUint64(nil, id))
	fd, err := unix.OpenByHandleAt(int(c.mount.Fd()), handle, unix.O_PATH|unix.O_CLOEXEC)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EOPNOTSUPP) {
		return c.search(id)
	}
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	full, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil || strings.HasSuffix(full, " (deleted)") {
		return ""
	}
	return c.at.path(full)
}

// search walks the hierarchy and remembers all that it meets.
func (c *Cgroups) search(id uint64) string {
	_ = filepath.WalkDir(c.at.mount, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || len(c.paths) >= maxCgroups {
			return nil // it may be removed while we walk
		}
		if n, err := CgroupID(path); err == nil {
			c.paths[n] = c.at.path(path)
		}
		return nil
	})
	return c.paths[id]
}

// CgroupID is the id of the cgroup with the given directory: its inode number.
func CgroupID(dir string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	return st.Ino, nil
}

// FindCgroup returns the directory of a cgroup that is given as a path below the root of
// the v2 hierarchy, or as a directory of it. It returns a *decode.UnknownNameError when
// there is none.
func FindCgroup(path string) (string, error) {
	h, err := findHierarchy(version2)
	if err == nil && h.mount == "" {
		err = ErrNoCgroup2
	}
	if err != nil {
		return "", err
	}
	for _, dir := range []string{path, h.dir(filepath.Join("/", path))} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			if info, err := os.Stat(dir); err == nil && info.IsDir() {
				return dir, nil
			}
		}
	}
	return "", &decode.UnknownNameError{
		What: "cgroup of the v2 hierarchy at " + h.mount + ":", Name: path,
		Near: decode.Nearest(filepath.Base(path), siblings(filepath.Join(h.mount, path))),
	}
}

// siblings lists the cgroups in the closest existing directory.
func siblings(dir string) []string {
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(filepath.Dir(dir))
		if err != nil {
			continue
		}
		var names []string
		for _, e := range entries {
			if e.IsDir() {
				names = append(names, e.Name())
			}
		}
		return names
	}
	return nil
}
