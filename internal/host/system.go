// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/procfs"

	"github.com/forktrace/forktrace/decode"
)

// System tells what holds for every creator of this machine. Not safe for concurrent use.
type System struct {
	now     decode.System
	read    map[decode.Errno]time.Time // when what an error depends on was read
	sched   time.Time                  // when it was read which scheduler is active
	modules []string                   // active security modules, nil if that is not known
}

// systemAge is how old numbers that change may be.
const systemAge = 50 * time.Millisecond

// notBuilt are the conditions that a missing file below /proc/self/ns shows.
var notBuilt = []struct {
	file      string
	condition decode.Condition
}{
	{"user", decode.CondNoUserNS}, {"uts", decode.CondNoUTSNS}, {"ipc", decode.CondNoIPCNS},
	{"pid", decode.CondNoPidNS}, {"net", decode.CondNoNetNS}, {"time", decode.CondNoTimeNS},
}

// NewSystem reads what does not change, for a kernel with these traits. What cannot be read
// stays unknown.
func NewSystem(traits decode.Traits) *System {
	s := &System{read: map[decode.Errno]time.Time{}, modules: modules(modulesFile)}
	s.now.Traits = traits
	s.now.PageSize = uint64(os.Getpagesize())
	s.now.TaskSize = taskSize()
	var state decode.State
	for _, n := range notBuilt {
		_, err := os.Stat("/proc/self/ns/" + n.file)
		state.Set(n.condition, errors.Is(err, fs.ErrNotExist))
	}
	s.now.Known, s.now.True = state.Known, state.True
	return s
}

// taskSize is the end of user space, 0 where it is not known.
func taskSize() uint64 {
	if runtime.GOARCH != "amd64" {
		return 0
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return 0
	}
	if bytes.Contains(info, []byte(" la57")) {
		return decode.TaskSizeAMD64LA57
	}
	return decode.TaskSizeAMD64
}

// moving are the numbers that change, and that BPF cannot read, by the error that depends
// on them.
var moving = map[decode.Errno]func(*decode.System){
	decode.EAGAIN: func(now *decode.System) {
		now.MaxThreads = orZero(number(threadsMaxFile))
		readPidMax(now)
		load, _ := readLoad()
		now.Threads = load.tasks
	},
	decode.EMFILE: func(now *decode.System) { now.NrOpen = orZero(number("/proc/sys/fs/nr_open")) },
	decode.ENOMEM: readCommitted,
	decode.EPERM:  func(now *decode.System) { readUsernsClone(now); readPidMax(now) },
	decode.EINVAL: readPidMax,
}

// readPidMax reads what the numbers of set_tid are below, on kernels before 6.14.
func readPidMax(now *decode.System) { now.PidMax = uint32(orZero(number(pidMaxFile))) }

// readCommitted reads how much memory is promised; what cannot be read is 0.
func readCommitted(now *decode.System) {
	now.Overcommit = uint8(orZero(number("/proc/sys/vm/overcommit_memory")))
	now.Committed, now.CommitLimit = 0, 0
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return
	}
	if m, err := fs.Meminfo(); err == nil {
		now.Committed, now.CommitLimit = orZero(m.CommittedAS), orZero(m.CommitLimit)
	}
}

// readUsernsClone reads Debian's own sysctl.
func readUsernsClone(now *decode.System) {
	state := decode.State{Known: now.Known, True: now.True}
	off, err := os.ReadFile("/proc/sys/kernel/unprivileged_userns_clone")
	state.Set(decode.CondUsernsCloneOff, err == nil && bytes.Equal(bytes.TrimSpace(off), []byte("0")))
	now.Known, now.True = state.Known, state.True
}

// For returns what holds at about the time of a failure.
func (s *System) For(r *decode.Record) *decode.System {
	errno := r.Errno()
	if errno == 0 { // what changes matters to failures only
		return &s.now
	}
	if read := moving[errno]; read != nil && time.Since(s.read[errno]) > systemAge {
		s.read[errno] = time.Now()
		read(&s.now)
	}
	state := decode.State{Known: s.now.Known, True: s.now.True}
	judgeModules(&state, s.modules, errno)
	if time.Since(s.sched) > systemAge {
		s.sched = time.Now()
		judgeSchedExt(&state, schedExtFile)
	}
	s.now.Known, s.now.True = state.Known, state.True
	return &s.now
}

func orZero(n *uint64) uint64 {
	if n == nil {
		return 0
	}
	return *n
}
