// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
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

// ReadMachine reads them: /proc/loadavg has running/all tasks and the last pid
// (proc_loadavg(5)).
func ReadMachine() Machine {
	var m Machine
	if t := threadsMax(); t.Max != nil {
		m.ThreadsMax = *t.Max
	}
	if n := number("/proc/sys/kernel/pid_max"); n != nil {
		m.PidMax = *n
	}
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return m
	}
	if f := bytes.Fields(b); len(f) > 4 {
		_, tasks, _ := bytes.Cut(f[3], []byte("/"))
		m.Tasks, _ = strconv.ParseUint(string(tasks), 10, 64)
		m.LastPid, _ = strconv.ParseUint(string(f[4]), 10, 64)
	}
	return m
}

// ThreadsByUser counts the threads that /proc shows of each user, by the number of links
// of the directories of threads: two system calls a process, whatever its size.
func ThreadsByUser() map[uint32]uint64 {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1) // what could be read counts
	threads := map[uint32]uint64{}
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		var st unix.Stat_t
		if unix.Stat(filepath.Join("/proc", name, "task"), &st) == nil && st.Nlink > 2 {
			threads[st.Uid] += uint64(st.Nlink) - 2
		}
	}
	return threads
}

// ProcessLimit is the soft RLIMIT_NPROC of a process; false if it has none, or it ended.
func ProcessLimit(pid uint32) (uint64, bool) {
	var r unix.Rlimit
	if err := unix.Prlimit(int(pid), unix.RLIMIT_NPROC, nil, &r); err != nil || r.Cur == unix.RLIM_INFINITY {
		return 0, false
	}
	return r.Cur, true
}

// StartTicks is when a process started, in hundredths of a second since boot: field 22 of
// /proc/PID/stat. It tells whether a number still belongs to the same process.
func StartTicks(pid uint32) (uint64, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(f[19], 10, 64)
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
