// SPDX-License-Identifier: Apache-2.0

package decode

import "encoding/binary"

// Known says what of an [Evidence] could be read.
type Known uint32

// The parts, as enum evidence_known of bpf/event.h defines them.
const (
	KnownCreator      Known = 1 << iota // CapEffective, EUID, UserLevel, Policy, SeccompMode, FSInExec
	KnownSignals                        // Pending, Blocked
	KnownNproc                          // Nproc*
	KnownPids                           // Pids*
	KnownPidns                          // Pidns*
	KnownChroot                         // Chrooted
	KnownUnmapped                       // Unmapped
	KnownMemory                         // Memory*
	KnownArgs                           // Args*, Tail
	KnownTarget                         // TargetBad
	KnownParentChain                    // Pids* took all cgroups above into account
	KnownFiles                          // NofileLimit, MaxFds
	KnownSetTid                         // SetTidFault
	KnownSender                         // Sender*
	KnownPgtables                       // PgtablesBytes
	KnownReset                          // ResetOnFork
	KnownTargetAccess                   // TargetOwner, TargetMode, FSUID
	KnownPidnsLast                      // PidnsLast
	KnownMM                             // MMAlone
	KnownPerf                           // PerfEvents
	KnownThreads                        // Threads, ThreadsMax
	KnownFullest                        // Fullest*
	KnownCommitted                      // Committed, Overcommit
	KnownCommitLimit                    // CommitLimit
	KnownNrOpen                         // NrOpen
	KnownNprocLevel                     // NprocNS, NprocUID
	KnownNprocAll                       // Nproc* took all user namespaces above into account
)

const (
	evidenceSize   = FailureSize - DetailsSize
	cloneArgsWords = CloneArgsSize / 8
	// tailOpen is a tail longer than what was looked at, beside the values of [Tail].
	tailOpen = 3
	// pidnsAdding is set in PidnsAllocated while processes can be added (PIDNS_ADDING,
	// include/linux/pid_namespace.h).
	pidnsAdding = 1 << 31
)

// Evidence is what was read at a failure to tell its cause: struct evidence of
// bpf/event.h, field for field. Counts are those of a moment after the refusal: what the
// attempt had charged is given back.
type Evidence struct {
	CapEffective   uint64 // in the creator's user namespace (KnownCreator)
	Pending        uint64 // signals of thread and process, bit 0 is signal 1 (KnownSignals)
	Blocked        uint64
	NprocCount     int64                  // of the user, where RLIMIT_NPROC is reached or nearest (KnownNproc)
	NprocLimit     uint64                 // there
	PidsCgroup     uint64                 // id of the cgroup whose pids.max is reached or nearest (KnownPids)
	PidsCount      int64                  // its tasks
	PidsLimit      int64                  // its pids.max
	MemoryCgroup   uint64                 // id of the memory cgroup with least left (KnownMemory)
	MemoryUsage    int64                  // pages
	MemoryLimit    int64                  // pages
	MemoryFailcnt  uint64                 // how often that limit was met
	NofileLimit    uint64                 // soft RLIMIT_NOFILE (KnownFiles)
	ArgsSize       uint64                 // clone3's second argument (KnownArgs)
	Args           [cloneArgsWords]uint64 // struct clone_args as user memory has it afterwards
	Known          Known
	NprocUp        uint32 // user namespaces between the creator's and that of NprocCount
	PidsUp         uint32 // cgroups between the task's and PidsCgroup
	UserLevel      uint32 // of the creator's user namespace
	Policy         int32  // SCHED_*
	Pidns          uint32 // inode number of the pid namespace for children (KnownPidns)
	PidnsLevel     uint32
	PidnsAllocated uint32 // numbers in use, and [pidnsAdding]
	PidnsMax       uint32 // its pid_max, 0 where the system has one for all (before 6.14)
	EUID           uint32 // in the initial user namespace
	SeccompMode    uint8  // 0 none, 1 strict, 2 filter
	PidnsInit      bool   // it has, or had, a first process
	Chrooted       bool   // KnownChroot
	Unmapped       bool   // its effective user or group has no number in its user namespace (KnownUnmapped)
	ArgsFault      bool
	SetTidFault    bool   // KnownSetTid
	Tail           uint8  // Tail: what follows Args
	MaxFds         uint32 // size of the creator's table of files (KnownFiles)
	FSInExec       bool   // a task that shares the creator's fs_struct executes a program (KnownCreator)
	TargetBad      bool   // the descriptor for CLONE_INTO_CGROUP is no cgroup (KnownTarget)
	ResetOnFork    bool   // children are scheduled as ordinary ones (KnownReset)
	NprocByUser    bool   // one count for the user in all user namespaces (before 5.14)
	MMAlone        bool   // no other task shares the creator's memory (KnownMM)

	// Of the first queued signal that is not blocked, where an attempt is made again for
	// one: siginfo_t's members (sigaction(2)). Only if the code is 0 or less was it sent by
	// a process, and then SenderPid is its number as the receiver's pid namespace has it.
	SenderSignal int32
	SenderCode   int32
	SenderPid    int32
	SenderUID    uint32

	PgtablesBytes uint64 // page tables of the creator's memory, which a child without CLONE_VM gets a copy of (KnownPgtables)

	// The limits one by one, from the creator's user namespace and the child's cgroup
	// upwards, of the lowest [UsernsDepth] and [CgroupDepth].
	Nproc       [UsernsDepth]NprocLevel
	Pids        [CgroupDepth]PidsLevel
	NprocLevels uint32
	PidsLevels  uint32

	PidnsLast   uint32 // the number that the namespace gave out last (KnownPidnsLast)
	FSUID       uint32 // by which access to files is decided
	TargetOwner uint32 // of cgroup.procs of the target of CLONE_INTO_CGROUP
	TargetMode  uint16 // its permissions
	PerfEvents  bool   // the creator has perf events, which its child may inherit (KnownPerf)
	Threads     int32  // tasks of the machine (KnownThreads)
	ThreadsMax  int32  // the sysctl kernel.threads-max

	// Of the pid namespaces from Pidns upwards, each of which gives the child a number, the
	// one with least left (KnownFullest).
	FullestPidns uint32 // its inode number
	FullestLevel uint32 // 0 for the initial one
	FullestUsed  uint32 // numbers in use
	FullestMax   uint32 // its pid_max, or that of all (before 6.14); 0 where it is not known

	Committed  int64  // pages of memory that the machine has promised, as the kernel compares them (KnownCommitted)
	Overcommit uint64 // the sysctl vm.overcommit_memory
	// CommitLimit is how many pages may be promised where Overcommit is 2 (KnownCommitLimit).
	CommitLimit uint64
	NrOpen      uint64 // the sysctl fs.nr_open (KnownNrOpen)
	NprocNS     uint32 // of NprocCount: the user namespace, its inode number (KnownNprocLevel)
	NprocUID    uint32 // and the user whose processes and threads are counted
}

// How many levels of limits are told one by one (bpf/event.h); more are looked at.
const (
	UsernsDepth = 4
	CgroupDepth = 8
)

// NprocLevel is RLIMIT_NPROC in one user namespace.
type NprocLevel struct {
	Count int64
	Limit uint64
	NS    uint32 // inode number
	UID   uint32 // of the user whose processes and threads are counted
}

// PidsLevel is pids.max of one cgroup.
type PidsLevel struct {
	Cgroup uint64 // its id
	Count  int64
	Limit  int64
}

// NprocChain are the levels that are told one by one.
func (e *Evidence) NprocChain() []NprocLevel { return e.Nproc[:min(e.NprocLevels, UsernsDepth)] }

// PidsChain are the levels that are told one by one. The root has no limit and counts nothing:
// it is not among them.
func (e *Evidence) PidsChain() []PidsLevel { return e.Pids[:min(e.PidsLevels, CgroupDepth)] }

func (e *Evidence) parse(w *[evidenceSize]byte) {
	le := binary.LittleEndian
	e.CapEffective = le.Uint64(w[0:])
	e.Pending = le.Uint64(w[8:])
	e.Blocked = le.Uint64(w[16:])
	e.NprocCount = int64(le.Uint64(w[24:]))
	e.NprocLimit = le.Uint64(w[32:])
	e.PidsCgroup = le.Uint64(w[40:])
	e.PidsCount = int64(le.Uint64(w[48:]))
	e.PidsLimit = int64(le.Uint64(w[56:]))
	e.MemoryCgroup = le.Uint64(w[64:])
	e.MemoryUsage = int64(le.Uint64(w[72:]))
	e.MemoryLimit = int64(le.Uint64(w[80:]))
	e.MemoryFailcnt = le.Uint64(w[88:])
	e.NofileLimit = le.Uint64(w[96:])
	e.ArgsSize = le.Uint64(w[104:])
	for i := range e.Args {
		e.Args[i] = le.Uint64(w[112+8*i:])
	}
	e.Known = Known(le.Uint32(w[200:]))
	e.NprocUp = le.Uint32(w[204:])
	e.PidsUp = le.Uint32(w[208:])
	e.UserLevel = le.Uint32(w[212:])
	e.Policy = int32(le.Uint32(w[216:]))
	e.Pidns = le.Uint32(w[220:])
	e.PidnsLevel = le.Uint32(w[224:])
	e.PidnsAllocated = le.Uint32(w[228:])
	e.PidnsMax = le.Uint32(w[232:])
	e.EUID = le.Uint32(w[236:])
	e.SeccompMode = w[240]
	e.PidnsInit = w[241] != 0
	e.Chrooted = w[242] != 0
	e.Unmapped = w[243] != 0
	e.ArgsFault = w[244] != 0
	e.SetTidFault = w[245] != 0
	e.Tail = w[246]
	e.TargetBad = w[247] != 0
	e.FSInExec = w[248] != 0
	e.ResetOnFork = w[249] != 0
	e.NprocByUser = w[250] != 0
	e.MMAlone = w[251] != 0
	e.MaxFds = le.Uint32(w[252:])
	e.SenderSignal = int32(le.Uint32(w[256:]))
	e.SenderCode = int32(le.Uint32(w[260:]))
	e.SenderPid = int32(le.Uint32(w[264:]))
	e.SenderUID = le.Uint32(w[268:])
	e.PgtablesBytes = le.Uint64(w[272:])
	e.parseChains(w)
	e.PidnsLast = le.Uint32(w[576:])
	e.FSUID = le.Uint32(w[580:])
	e.TargetOwner = le.Uint32(w[584:])
	e.TargetMode = le.Uint16(w[588:])
	e.PerfEvents = w[590] != 0
	e.Threads = int32(le.Uint32(w[592:]))
	e.ThreadsMax = int32(le.Uint32(w[596:]))
	e.FullestPidns = le.Uint32(w[600:])
	e.FullestUsed = le.Uint32(w[604:])
	e.FullestMax = le.Uint32(w[608:])
	e.FullestLevel = le.Uint32(w[612:])
	e.Committed = int64(le.Uint64(w[616:]))
	e.Overcommit = le.Uint64(w[624:])
	e.CommitLimit = le.Uint64(w[632:])
	e.NrOpen = le.Uint64(w[640:])
	e.NprocNS = le.Uint32(w[648:])
	e.NprocUID = le.Uint32(w[652:])
}

func (e *Evidence) parseChains(w *[evidenceSize]byte) {
	le := binary.LittleEndian
	for i := range e.Nproc {
		at := w[280+24*i:]
		e.Nproc[i] = NprocLevel{int64(le.Uint64(at)), le.Uint64(at[8:]), le.Uint32(at[16:]), le.Uint32(at[20:])}
	}
	for i := range e.Pids {
		at := w[376+24*i:]
		e.Pids[i] = PidsLevel{le.Uint64(at), int64(le.Uint64(at[8:])), int64(le.Uint64(at[16:]))}
	}
	e.NprocLevels = le.Uint32(w[568:])
	e.PidsLevels = le.Uint32(w[572:])
}
