// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Limit is one limit that can refuse a creation. Values that are not known are absent.
type Limit struct {
	Name  string  `json:"name"`
	Where string  `json:"where,omitempty"` // file or cgroup
	Max   *uint64 `json:"max,omitempty"`   // nil: none, or not known
	Used  *uint64 `json:"used,omitempty"`
	Unit  string  `json:"unit,omitempty"` // UnitBytes, or "" for tasks
	Note  string  `json:"note,omitempty"`
}

// Limits are those in force for this process: of the machine, of its user, and of every
// cgroup on its path.
func Limits() []Limit {
	limits := []Limit{threadsMax(), pidMax(), nproc()}
	return append(limits, pidsMax()...)
}

func number(file string) *uint64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	n, err := strconv.ParseUint(string(bytes.TrimSpace(b)), 10, 64)
	if err != nil {
		return nil // "max", which is no limit
	}
	return &n
}

const (
	threadsMaxFile = "/proc/sys/kernel/threads-max"
	pidMaxFile     = "/proc/sys/kernel/pid_max"
)

// threadsMax is kernel.threads-max, against all tasks of the machine.
func threadsMax() Limit {
	l := Limit{Name: "threads-max", Where: threadsMaxFile, Note: "tasks of the whole machine; root is not exempt"}
	l.Max = number(l.Where)
	if load, ok := readLoad(); ok {
		l.Used = &load.tasks
	}
	return l
}

func pidMax() Limit {
	l := Limit{Name: "pid_max", Where: pidMaxFile, Note: "numbers of processes, threads, groups and sessions"}
	l.Max = number(l.Where)
	l.Used = threadsMax().Used
	return l
}

// nproc is the soft RLIMIT_NPROC of this process, against the threads of its user.
func nproc() Limit {
	l := Limit{Name: "RLIMIT_NPROC", Where: fmt.Sprintf("uid %d", os.Getuid()), Note: "threads of the user; not for root, CAP_SYS_RESOURCE or CAP_SYS_ADMIN"}
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &r) == nil && r.Cur != unix.RLIM_INFINITY {
		l.Max = &r.Cur
	}
	if n, err := threadsOf(uint64(os.Getuid())); err == nil {
		l.Used = &n
	}
	return l
}

// threadsOf counts the threads of a user that /proc shows.
func threadsOf(uid uint64) (n uint64, err error) {
	procs, err := procfs.AllProcs()
	if err != nil {
		return 0, fmt.Errorf("listing processes: %w", err)
	}
	for _, p := range procs {
		status, err := p.NewStatus()
		if err != nil || status.UIDs[0] != uid {
			continue // it has ended, or is somebody else's
		}
		if stat, err := p.Stat(); err == nil {
			n += uint64(stat.NumThreads)
		}
	}
	return n, nil
}

// pidsMax lists the pids controller of every cgroup from this process's up to the root,
// whichever hierarchy the controller is on.
func pidsMax() []Limit {
	h, path, _ := pidsOfSelf()
	return h.pidsLimits(path)
}

// PidsLimits are those of a cgroup and of all above it, innermost first. The root has none.
func (c *Cgroups) PidsLimits(path string) []Limit { return c.at.pidsLimits(path) }

func (h hierarchy) pidsLimits(path string) (limits []Limit) {
	h.upwards(path, func(dir, path string) {
		l := Limit{Name: "pids.max", Where: path}
		l.Max, l.Used = number(filepath.Join(dir, "pids.max")), number(filepath.Join(dir, "pids.current"))
		if l.Max != nil || l.Used != nil { // the root has none
			limits = append(limits, l)
		}
	})
	return limits
}

// PidsRefused is how many creations the limit of a cgroup has refused: `max` in
// pids.events. Up to 6.10 it counts in the cgroup that asked, later in the one that
// refused.
func (c *Cgroups) PidsRefused(path string) (uint64, bool) {
	dir := c.at.dir(path)
	if dir == "" {
		return 0, false
	}
	b, err := os.ReadFile(filepath.Join(dir, "pids.events"))
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(b) {
		if v, ok := bytes.CutPrefix(line, []byte("max ")); ok {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(v)), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
