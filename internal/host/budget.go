// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// UnitBytes is Limit.Unit of memory; tasks have none.
const UnitBytes = "bytes"

// MachineMemory is the memory of the machine, and what of it cannot be had any more:
// MemTotal and MemAvailable (proc_meminfo(5)). False if it cannot be read.
func MachineMemory() (Limit, bool) {
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return Limit{}, false
	}
	m, err := proc.Meminfo()
	if err != nil || m.MemTotalBytes == nil || m.MemAvailableBytes == nil {
		return Limit{}, false
	}
	used := *m.MemTotalBytes - min(*m.MemAvailableBytes, *m.MemTotalBytes)
	return Limit{Name: "memory", Where: "the machine", Unit: UnitBytes, Max: m.MemTotalBytes, Used: &used}, true
}

// memoryFiles have the limit and the use of a cgroup's memory, by version.
var memoryFiles = map[bool][2]string{
	false: {"memory.max", "memory.current"},
	true:  {"memory.limit_in_bytes", "memory.usage_in_bytes"},
}

// noLimit is what version 1 shows for none: the largest number of whole pages, whatever
// their size (PAGE_COUNTER_MAX).
const noLimit = 1 << 62

// MemoryLimits are those of the memory cgroups that a process is in, innermost first.
func MemoryLimits(pid uint32) []Limit {
	h, path, v1 := controllerOf(pid, "memory")
	files := memoryFiles[v1]
	var limits []Limit
	h.upwards(path, func(dir, path string) {
		l := Limit{Name: files[0], Where: path, Unit: UnitBytes, Max: number(filepath.Join(dir, files[0])), Used: number(filepath.Join(dir, files[1]))}
		if l.Max != nil && *l.Max < noLimit && l.Used != nil {
			*l.Used -= min(*l.Used, fileCache(dir))
			limits = append(limits, l)
		}
	})
	return limits
}

// fileCache is what a cgroup's memory holds of files, which the kernel takes back before it
// refuses: as MemAvailable leaves it out for the machine.
func fileCache(dir string) (n uint64) {
	b, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		f := bytes.Fields(line)
		if len(f) != 2 {
			continue
		}
		switch string(f[0]) {
		case "inactive_file", "active_file": // of version 2; of 1 those with total_ hold what is below, too
		case "total_inactive_file", "total_active_file":
			if bytes.HasPrefix(f[0], []byte("total_in")) {
				n = 0
			}
		default:
			continue
		}
		v, err := strconv.ParseUint(string(f[1]), 10, 64)
		if err == nil {
			n += v
		}
	}
	return n
}

// maxMembers bounds how many processes of a cgroup are looked at.
const maxMembers = 1 << 14

// Members are the processes in a cgroup and below it.
func (c *Cgroups) Members(path string) []Tasks {
	var members []Tasks
	_ = filepath.WalkDir(c.at.dir(path), func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil // it may be removed while we walk
		}
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			return nil
		}
		for pid := range bytes.FieldsSeq(b) {
			n, err := strconv.ParseUint(string(pid), 10, 32)
			if err != nil || len(members) >= maxMembers {
				break
			}
			if t, ok := TasksOf(uint32(n)); ok {
				members = append(members, t)
			}
		}
		return nil
	})
	return members
}

// exempt says whether RLIMIT_NPROC does not hold for this process (kernel/fork.c,
// copy_process): for root, and for whoever has one of two capabilities.
func exempt() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if os.Getuid() == 0 || unix.Capget(&header, &data[0]) != nil {
		return true
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE|1<<unix.CAP_SYS_ADMIN) != 0
}

// Tightest is the limit that will refuse this process's next threads first, and for how
// many there is room. False if none is known.
func Tightest() (l Limit, room uint64, ok bool) {
	limits := append(pidsMax(), threadsMax(), pidMax())
	if !exempt() {
		limits = append(limits, nproc())
	}
	for _, each := range limits {
		if each.Max == nil || each.Used == nil {
			continue
		}
		if left := *each.Max - min(*each.Used, *each.Max); !ok || left < room {
			l, room, ok = each, left, true
		}
	}
	return l, room, ok
}
