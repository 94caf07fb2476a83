// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/binary"
	"math/bits"
)

// Stage is a step of copy_process (kernel/fork.c), in its order. The numbers are those of
// bpf/event.h, and stay: new steps get the next free one in the table's order or none.
type Stage uint8

// The stages. [StageTable] has what is known of each.
const (
	StageFlags Stage = iota
	StageSignals
	StageTask
	StageExecState
	StageNprocEarly
	StageCreds
	StageNproc
	StageMaxThreads
	StagePolicy
	StageSched
	StagePerf
	StageAudit
	StageLSM
	StageSemundo
	StageFiles
	StageFS
	StageSighand
	StageSignal
	StageMM
	StageNamespaces
	StageIO
	StageThread
	StagePid
	StagePidfd
	StageCgroup
	StageSchedClass
	StageFutex
	StageLink
	StageDone
	StageMax
)

// StageInfo is one row of the table of stages.
type StageInfo struct {
	Name string
	Does string // what copy_process does in it
	// Label is where a failure of the stage jumps to ("" where it returns at once), as Linux 7.3
	// names it. Where Usual is set that is so of failures of which it says Yes; others jump to
	// Other.
	Label, Other string
	Usual        func(*Record, *System) Truth

	// Markers are functions that the stage calls, by the names that kernels have for them;
	// the first that can be hooked marks the stage. Not all stages have one: most are
	// inlined. The marker is passed only by requests with all of All and none of None.
	Markers   []string
	All, None uint64
	Sometimes bool // it depends on more than flags whether the marker is passed
	Late      bool // the stage can fail before its marker
	// Unwinds are functions that undo the stage, or one before it, behind the label that
	// the following stages jump to: once they run, before those of the stages before it, the
	// failure was behind this stage.
	Unwinds []string
}

// StageTable is the table of stages, by number. Markers and labels: kernel/fork.c of Linux
// 5.10 to 7.3, seen on Debian's kernels.
var StageTable = [StageMax]StageInfo{
	StageFlags:      {Name: "flags", Does: "checks which flags go together"},
	StageSignals:    {Name: "signals", Does: "holds signals back, and gives way to one that is pending", Label: "fork_out"},
	StageTask:       {Name: "task", Does: "copies the task_struct and makes a kernel stack", Label: "fork_out", Markers: []string{"arch_dup_task_struct"}, Late: true},
	StageExecState:  {Name: "exec-state", Does: "copies the exec state", Label: "bad_fork_free", Markers: []string{"task_exec_state_copy"}, Sometimes: true},
	StageNprocEarly: {Name: "nproc-early", Does: "checks RLIMIT_NPROC (up to 5.16)", Label: "bad_fork_free"},
	StageCreds:      {Name: "creds", Does: "copies the credentials and makes a user namespace", Label: "bad_fork_free", Markers: []string{"copy_creds"}},
	StageNproc: {
		Name: "nproc", Does: "checks RLIMIT_NPROC", Label: "bad_fork_cleanup_count",
		Markers: []string{"is_rlimit_overlimit"}, // 5.19; what 5.14 to 5.18 have is called elsewhere in 5.15
	},
	StageMaxThreads: {Name: "max-threads", Does: "checks threads-max", Label: "bad_fork_cleanup_count"},
	StagePolicy: {
		Name: "policy", Does: "copies the memory policy, and what kernel threads have", Label: "bad_fork_cleanup_delayacct",
		Other: "bad_fork_cleanup_threadgroup_lock", Usual: withTrait(TraitWorkerPrivate), Markers: []string{"cgroup_fork"}, Late: true,
	},
	StageSched: {Name: "sched", Does: "sets the scheduler up", Label: "bad_fork_cleanup_policy", Markers: []string{"sched_fork"}},
	StagePerf: {
		Name: "perf", Does: "inherits performance counters", Label: "bad_fork_sched_cancel_fork",
		Other: "bad_fork_cleanup_policy", Usual: withTrait(TraitSchedCancelFork), Markers: []string{"perf_event_init_task"},
	},
	StageAudit: {Name: "audit", Does: "makes the audit context", Label: "bad_fork_cleanup_perf", Markers: []string{"audit_alloc"}},
	StageLSM: {
		Name: "lsm", Does: "asks the security modules", Label: "bad_fork_cleanup_audit",
		Markers: []string{"security_task_alloc"},
	},
	StageSemundo: {
		Name: "semundo", Does: "shares or drops the semaphore undo list", Label: "bad_fork_cleanup_security",
		Markers: []string{"copy_semundo"}, Unwinds: []string{"exit_sem"},
	},
	StageFiles: {
		Name: "files", Does: "copies the file table", Label: "bad_fork_cleanup_semundo",
		Markers: []string{"dup_fd"}, None: CloneFiles, Sometimes: true, Unwinds: []string{"exit_files"},
	},
	StageFS: {
		Name: "fs", Does: "copies root, working directory and umask", Label: "bad_fork_cleanup_semundo",
		Other: "bad_fork_cleanup_files", Usual: filesLate, Markers: []string{"copy_fs_struct"}, None: CloneFS, Sometimes: true, Unwinds: []string{"exit_fs"},
	},
	StageSighand: {Name: "sighand", Does: "copies the signal handlers", Label: "bad_fork_cleanup_fs", Unwinds: []string{"__cleanup_sighand"}},
	StageSignal:  {Name: "signal", Does: "makes the process's part: limits, timers, pending signals", Label: "bad_fork_cleanup_sighand"},
	StageMM:      {Name: "mm", Does: "copies the memory", Label: "bad_fork_cleanup_signal", Markers: []string{"mm_init", "dup_mmap"}, None: CloneVM, Sometimes: true},
	StageNamespaces: {
		Name: "namespaces", Does: "makes the namespaces", Label: "bad_fork_cleanup_mm",
		Markers: []string{"copy_namespaces"}, Unwinds: []string{"exit_nsproxy_namespaces", "exit_task_namespaces"},
	},
	StageIO:     {Name: "io", Does: "shares or makes the I/O context", Label: "bad_fork_cleanup_namespaces", Markers: []string{"__copy_io"}, Sometimes: true},
	StageThread: {Name: "thread", Does: "sets registers, stack and TLS up", Label: "bad_fork_cleanup_io", Markers: []string{"copy_thread"}, Unwinds: []string{"exit_thread"}},
	StagePid:    {Name: "pid", Does: "takes the numbers, one for each pid namespace", Label: "bad_fork_cleanup_thread", Markers: []string{"alloc_pid"}, Unwinds: []string{"free_pid"}},
	StagePidfd: {
		Name: "pidfd", Does: "makes the pidfd", Label: "bad_fork_free_pid",
		Other: "bad_fork_put_pidfd", Usual: pidfdMade, Markers: []string{"pidfd_prepare", "__pidfd_prepare"}, All: ClonePidfd,
	},
	StageCgroup: {Name: "cgroup", Does: "asks the cgroup controllers", Label: "bad_fork_put_pidfd", Markers: []string{"cgroup_can_fork"}},
	StageSchedClass: {
		Name: "sched-class", Does: "joins the scheduler's group", Label: "bad_fork_cancel_cgroup",
		Markers: []string{"sched_cgroup_fork"},
	},
	StageFutex: {Name: "futex", Does: "makes the futex hash", Label: "bad_fork_cancel_cgroup", Markers: []string{"futex_hash_allocate_default"}, Sometimes: true},
	StageLink: {
		Name: "link", Does: "joins the process tree, unless the creator is being killed", Label: "bad_fork_core_free",
		Other: "bad_fork_cancel_cgroup", Usual: withTrait(TraitSchedCancelFork), // one commit brought both labels
	},
	StageDone: {Name: "done", Does: "can fail no more", Markers: []string{"cgroup_post_fork"}},
}

// String is the stage's name, "" for one that is not in the table.
func (s Stage) String() string {
	if s >= StageMax {
		return ""
	}
	return StageTable[s].Name
}

const progressSize = WireSize - FailureSize

// Progress is how far a creation came inside copy_process: struct progress of
// bpf/event.h, field for field.
type Progress struct {
	Start   uint64           // CLOCK_BOOTTIME at the entry, ns
	Markers uint32           // stages whose marker was attached, bit by number
	Unwinds uint32           // likewise the functions that undo them
	Unwound uint32           // which of these ran, before any of a stage before theirs
	At      [StageMax]uint32 // ns from Start to the stage's marker; 0: it was not passed
	Over    Over             // what the kernel found when it compared with RLIMIT_NPROC
	Late    uint32           // which of Unwinds ran after one of a stage before theirs
}

// Over is whether the kernel found the user over RLIMIT_NPROC, where that could be seen
// (kernel/ucount.c: is_rlimit_overlimit, 5.19): enum over of bpf/event.h.
type Over uint32

// What it found.
const (
	OverUnknown Over = iota
	OverNot
	OverLimit
)

func (p *Progress) parse(w *[progressSize]byte) {
	le := binary.LittleEndian
	p.Start = le.Uint64(w[0:])
	p.Markers = le.Uint32(w[8:])
	p.Unwinds = le.Uint32(w[12:])
	p.Unwound = le.Uint32(w[16:])
	for i := range p.At {
		p.At[i] = le.Uint32(w[20+4*i:])
	}
	p.Over = Over(le.Uint32(w[136:]))
	p.Late = le.Uint32(w[140:])
}

// FailedStages are the first and the last stage in which the attempt can have failed; ok
// is false where its stages were not followed, or it did not fail.
func (r *Record) FailedStages() (first, last Stage, ok bool) {
	if r.Have&HaveStages == 0 || r.Layer != LayerCopyProcess || !r.Failed() {
		return 0, 0, false
	}
	p := &r.Progress
	for s, at := range p.At {
		if at != 0 {
			first = Stage(s)
		}
	}
	last = first
	for last < StageLink {
		if next := last + 1; p.Markers&(1<<next) != 0 && StageTable[next].surelyPassed(r.Flags) {
			if StageTable[next].Late {
				last = next
			}
			break // it was not passed, and nothing behind it
		}
		last++
	}
	first, last = p.narrow(first, last)
	return first, last, true
}

// LeftBy is the label of copy_process that the failure jumped to, if it was in one of these
// stages; "" where they have several, or it is not known which this kernel has. sys may be nil.
func (r *Record) LeftBy(first, last Stage, sys *System) string {
	label := r.label(first, sys)
	for s := first; s <= last; s++ {
		if r.label(s, sys) != label {
			return ""
		}
	}
	return label
}

func (r *Record) label(s Stage, sys *System) string {
	info := &StageTable[s]
	if info.Usual == nil {
		return info.Label
	}
	switch info.Usual(r, sys) {
	case Yes:
		return info.Label
	case No:
		return info.Other
	}
	return ""
}

// pidfdMade says whether it was the pidfd itself that could not be had, and not the place for
// its number that could not be written.
func pidfdMade(r *Record, _ *System) Truth { return TruthOf(r.Errno() != EFAULT) }

// withTrait tells newer kernels by a trait.
func withTrait(trait Traits) func(*Record, *System) Truth {
	return func(_ *Record, sys *System) Truth {
		if sys == nil || sys.Traits == 0 {
			return Open
		}
		return TruthOf(sys.Traits&trait != 0)
	}
}

// filesLate says whether the kernel closes the child's files not behind a label between those
// of its neighbours, but last of all, as Linux 6.12.115 and 7.3.4 do. A failure before the
// files does not tell; nor does one of which it was not seen.
func filesLate(r *Record, _ *System) Truth {
	const bit = 1 << StageFiles
	p := &r.Progress
	switch {
	case p.Unwinds&(bit-1) == 0:
		return Open
	case p.undone()&bit != 0:
		return No
	}
	if (p.Unwound|p.Late)&bit != 0 {
		return Yes
	}
	return Open
}

// undone are the stages that the failure left behind it: labels fall through, so a function
// that undoes one of them is followed by those of all before it. That of the files, which
// some kernels call last of all, has to be.
func (p *Progress) undone() uint32 {
	undone := p.Unwound
	for rest := undone; rest != 0; {
		s := bits.Len32(rest) - 1
		rest &^= 1 << s
		before := p.Unwinds &^ p.Late & (1<<s - 1)
		if before&^undone != 0 || before == 0 && Stage(s) == StageFiles {
			undone &^= 1 << s
		}
	}
	return undone
}

// narrow takes the way out into account.
func (p *Progress) narrow(first, last Stage) (Stage, Stage) {
	if undone := p.undone(); undone != 0 {
		if s := Stage(bits.Len32(undone)); s > first { // behind the highest that was undone
			first = s
		}
	}
	if p.Over == OverNot && first <= StageNproc {
		first = StageNproc + 1
	}
	for s := first; s < last; s++ {
		if missing := p.Unwinds &^ (p.Unwound | p.Late); missing&(1<<s) != 0 {
			last = s
			break
		}
	}
	return first, max(first, last)
}

// over is what the kernel itself found of RLIMIT_NPROC.
func (r *Record) over() Over {
	if r.Have&HaveStages == 0 {
		return OverUnknown
	}
	return r.Progress.Over
}

// surelyPassed says whether every request with these flags that gets to the stage passes
// its marker.
func (i *StageInfo) surelyPassed(flags uint64) bool {
	return !i.Sometimes && flags&i.All == i.All && flags&i.None == 0
}
