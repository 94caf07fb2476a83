// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine are the numbers of tasks and of pids, and their limits. What cannot be read is
// zero.
type Machine struct {
	Tasks      uint64 `json:"tasks,omitempty"` // processes and threads, those that nobody has waited for too
	ThreadsMax uint64 `json:"threads_max,omitempty"`
	PidMax     uint64 `json:"pid_max,omitempty"`
	LastPid    uint64 `json:"last_pid,omitempty"` // the last number given out, in this pid namespace
}

// ReadMachine reads them.
func ReadMachine() Machine {
	m := Machine{ThreadsMax: orZero(number(threadsMaxFile)), PidMax: orZero(number(pidMaxFile))}
	if load, ok := readLoad(); ok {
		m.Tasks, m.LastPid = load.tasks, load.lastPid
	}
	return m
}

// load is what /proc/loadavg tells of tasks (proc_loadavg(5)).
type load struct {
	tasks   uint64 // processes and threads, those that nobody has waited for too
	lastPid uint64 // given out in the reader's pid namespace
}

// readLoad reads the fourth field, running/all tasks, and the fifth.
func readLoad() (l load, ok bool) {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return l, false
	}
	f := strings.Fields(string(b))
	if len(f) < 5 {
		return l, false
	}
	_, tasks, _ := strings.Cut(f[3], "/")
	if l.tasks, err = strconv.ParseUint(tasks, 10, 64); err != nil {
		return l, false
	}
	l.lastPid, err = strconv.ParseUint(f[4], 10, 64)
	return l, err == nil
}

// Tasks are those of one process.
type Tasks struct {
	Pid     uint32
	UID     uint32 // the owner of its directory in /proc: the effective user
	Threads uint64
}

// AllTasks counts the threads of every process that /proc shows.
func AllTasks() []Tasks {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what could be read counts
	var all []Tasks
	for _, name := range names {
		if pid, err := strconv.ParseUint(name, 10, 32); err == nil {
			if t, ok := TasksOf(uint32(pid)); ok {
				all = append(all, t)
			}
		}
	}
	return all
}

// TasksOf counts the threads of a process by the links of the directory that has one for
// each: one system call, whatever its size.
func TasksOf(pid uint32) (Tasks, bool) {
	var st unix.Stat_t
	if unix.Stat(fmt.Sprintf("/proc/%d/task", pid), &st) != nil || st.Nlink <= 2 {
		return Tasks{}, false // it has ended
	}
	return Tasks{pid, st.Uid, uint64(st.Nlink) - 2}, true
}

// Namespace names a namespace of a process as its link in /proc/PID/ns does, "pid:[4026531836]";
// "" if it has ended, or may not be looked at.
func Namespace(pid uint32, kind string) string {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		return ""
	}
	return link
}

// ProcessLimit is the soft RLIMIT_NPROC of a process; false if it has none, or it ended.
func ProcessLimit(pid uint32) (uint64, bool) {
	var r unix.Rlimit
	if err := unix.Prlimit(int(pid), unix.RLIMIT_NPROC, nil, &r); err != nil || r.Cur == unix.RLIM_INFINITY {
		return 0, false
	}
	return r.Cur, true
}

// Ticks are the hundredths of a second that the kernel makes of a time in ns (USER_HZ).
func Ticks(ns uint64) uint64 { return ns / 10_000_000 }

// StartTicks is when a process started, in hundredths of a second since boot: field 22 of
// /proc/PID/stat. It tells whether a number still belongs to the same process.
func StartTicks(pid uint32) (uint64, bool) { return statField(pid, 22) }

// Parent is the parent that a process has now: field 4 of /proc/PID/stat.
func Parent(pid uint32) (uint32, bool) {
	n, ok := statField(pid, 4)
	return uint32(n), ok
}

// statField reads a number of /proc/PID/stat (proc_pid_stat(5)), which counts from 1.
func statField(pid uint32, field int) (uint64, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	const afterName = 3 // the name, which may hold anything, is the second
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if field < afterName || len(f) <= field-afterName {
		return 0, false
	}
	n, err := strconv.ParseUint(f[field-afterName], 10, 64)
	return n, err == nil
}

// Users names users by their uids.
type Users struct{ names map[uint32]string }

// Name is the name of a user, or its number where it has none.
func (u *Users) Name(uid uint32) string {
	if name, ok := u.names[uid]; ok {
		return name
	}
	if u.names == nil {
		u.names = map[uint32]string{}
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if found, err := user.LookupId(name); err == nil {
		name = found.Username
	}
	u.names[uid] = name
	return name
}
