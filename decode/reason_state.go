// SPDX-License-Identifier: Apache-2.0

package decode

// Linux's numbers that the evidence is read by.
const (
	capDACOverride       = 1 // include/uapi/linux/capability.h
	capSysAdmin          = 21
	capSysResource       = 24
	capCheckpointRestore = 40
	schedDeadline        = 6 // include/uapi/linux/sched.h
	sigKill              = 9
	reservedPids         = 300 // kernel/pid.c: numbers below are not used again after a wrap
	seccompFilter        = 2   // include/uapi/linux/seccomp.h
)

// requestOf is the request of a failed attempt, as far as the record tells.
func requestOf(r *Record) Request {
	req := Request{
		Entry: r.Entry, Flags: r.Flags, ExitSignal: uint64(uint32(r.ExitSignal)), Stack: r.Stack, StackSize: r.StackSize,
		TLS: r.TLS, Pidfd: r.Pidfd, ParentTid: r.ParentTidptr,
	}
	if r.Entry == EntryClone {
		req.ExitSignal &= CSignal
		if r.Have&HavePidfd != 0 {
			req.ParentTid = r.Pidfd
		}
	}
	// memory that could not be accessed is known by nothing but the answer
	req.PidfdFault = TruthOf(r.Errno() == EFAULT && r.Flags&ClonePidfd != 0)
	if r.Entry != EntryClone3 {
		return req
	}
	req.Size = CloneArgsSize
	if r.Evidence.Known&KnownArgs != 0 {
		req.fromArgs(r)
	}
	return req
}

// fromArgs fills in what clone3 was passed: what copy_process was given is as the kernel
// took it; what only user memory tells may have changed since.
func (q *Request) fromArgs(r *Record) {
	e := &r.Evidence
	a := &e.Args
	taken := r.Have&HaveFlags != 0 && r.Have&HaveReread == 0
	q.Size, q.ArgsFault = e.ArgsSize, TruthOf(e.ArgsFault)
	q.SetTid, q.SetTidSize, q.Cgroup = a[8], a[9], a[10]
	q.SetTidFault = TruthOf(e.SetTidFault)
	if !taken {
		q.Flags, q.Pidfd, q.ParentTid, q.ExitSignal = a[0], a[1], a[3], a[4]
		q.Stack, q.StackSize, q.TLS = a[5], a[6], a[7]
	}
	if q.Size > CloneArgsSize {
		q.Tail = Tail(e.Tail)
		if e.Tail == tailOpen { // longer than was looked at: the answer tells
			q.Tail = TailZero
			if r.Errno() == E2BIG {
				q.Tail = TailNonzero
			}
		}
	}
	if r.Have&HaveSetTid != 0 {
		q.Tids = r.SetTid[:min(r.SetTidSize, SetTidMax)]
	}
}

// stateOf is what is known of the creator and the machine.
func stateOf(r *Record, sys *System) State {
	s := State{Known: sys.Known, True: sys.True, PageSize: sys.PageSize, TaskSize: sys.TaskSize}
	e := &r.Evidence
	s.Set(CondOutsideInitMnt, false)
	s.Set(CondUserNSNumbers, false) // it takes 2^28 namespaces, PROC_DYNAMIC_FIRST up to UINT_MAX
	if r.Layer != LayerUnknown || e.Known&KnownCreator != 0 && e.SeccompMode != seccompFilter {
		s.Set(CondSeccompDenied, r.Layer == LayerSeccomp)
	}
	for _, f := range [...]struct {
		fact      Fact
		condition Condition
	}{
		{FactCreatorNSInit, CondPidInit}, {FactCreatorForeignPidNS, CondForeignPidNS},
		{FactCreatorForeignTimeNS, CondForeignTimeNS}, {FactCreatorAutoreap, CondAutoreap},
	} {
		if r.FactsKnown.Has(f.fact) {
			s.Set(f.condition, r.Facts.Has(f.fact))
		}
	}
	if e.Known&KnownCreator != 0 {
		s.setCreator(r, e)
	}
	if e.Known&KnownSignals != 0 {
		s.Set(CondFatalSignal, e.Pending&(1<<(sigKill-1)) != 0)
		s.Set(CondSignalPending, false) // it would have been made again
	}
	s.setLimits(e, sys)
	switch r.over() {
	case OverLimit:
		s.Set(CondNprocReached, true)
	case OverNot:
		s.Set(CondNprocReached, false)
		s.firm = s.firm.With(ConditionsOf(CondNprocReached))
	}
	if e.Known&KnownPidns != 0 {
		s.setPidns(r, sys)
	}
	return s
}

func (s *State) setCreator(r *Record, e *Evidence) {
	has := func(cap int) bool { return e.CapEffective>>cap&1 != 0 }
	initial := e.UserLevel == 0
	s.UserLevels = uint8(min(e.UserLevel+1, 255))
	s.Set(CondCapAdmin, has(capSysAdmin))
	s.Set(CondCapAdminInit, initial && has(capSysAdmin))
	s.Set(CondCapResourceInit, initial && has(capSysResource))
	s.Set(CondRootUser, r.UID == 0)
	if e.Policy != schedDeadline || e.Known&KnownReset != 0 {
		s.Set(CondDeadline, e.Policy == schedDeadline && !e.ResetOnFork)
	}
	s.Set(CondFSInExec, e.FSInExec)
	if e.Known&KnownChroot != 0 {
		s.Set(CondChrooted, e.Chrooted)
	}
	if initial {
		s.Set(CondIDsUnmapped, false)
	} else if e.Known&KnownUnmapped != 0 {
		s.Set(CondIDsUnmapped, e.Unmapped)
	}
}

// A count within so many of its limit may have been at it: what BPF reads at the failure,
// and what is read from /proc up to some 50 ms away from it.
const (
	nearCount   = 16
	nearThreads = 64
)

// setLimit says of a limit whether it was reached, given what can be had before it is; that
// stays open where it may have been a moment before.
func (s *State) setLimit(c Condition, count, limit, near uint64) {
	switch {
	case count >= limit:
		s.Set(c, true)
	case limit-count > near:
		s.Set(c, false)
		if limit-count > nearThreads && count < limit/2 {
			s.firm = s.firm.With(ConditionsOf(c))
		}
	}
}

// setNproc compares a user's count as the kernel does. From 5.14 on, until the check was
// moved behind the credentials, one more was allowed (kernel/fork.c: copy_process).
func (s *State) setNproc(e *Evidence, traits Traits) {
	count, limit := uint64(max(e.NprocCount, 0)), e.NprocLimit
	if traits&TraitNprocLate == 0 && !e.NprocByUser && limit < 1<<62 {
		limit++
	}
	if e.NprocCount < 0 { // more than there can be (kernel/ucount.c)
		count = limit
	}
	if count < limit && !e.NprocByUser && e.Known&KnownNprocAll == 0 {
		return // user namespaces above were not looked at
	}
	s.setLimit(CondNprocReached, count, limit, nearCount)
}

// denied says whether the permissions of the target's cgroup.procs keep the creator out.
// That they do not says nothing: those of the common ancestor count as well.
func (e *Evidence) denied() bool {
	const owner, others = 0o200, 0o022
	if e.CapEffective>>capDACOverride&1 != 0 {
		return false
	}
	if e.FSUID == e.TargetOwner {
		return e.TargetMode&owner == 0
	}
	return e.TargetMode&others == 0
}

func (s *State) setLimits(e *Evidence, sys *System) {
	if e.Known&KnownNproc != 0 {
		s.setNproc(e, sys.Traits)
	}
	if full := e.PidsCount >= e.PidsLimit; e.Known&KnownPids != 0 && (full || e.Known&KnownParentChain != 0) {
		s.setLimit(CondPidsReached, uint64(max(e.PidsCount, 0)), uint64(max(e.PidsLimit, 0)), nearCount)
	} else if e.Known&(KnownPids|KnownParentChain) == KnownParentChain { // in the root, which has no limit
		s.Set(CondPidsReached, false)
		s.firm = s.firm.With(ConditionsOf(CondPidsReached))
	}
	if threads, limit, near := e.threadCounts(sys); limit != 0 {
		s.setLimit(CondMaxThreadsReached, threads, limit, near)
	}
	if e.Known&KnownFiles != 0 && uint64(e.MaxFds) <= e.nrOpen(sys) {
		s.Set(CondFDAboveNrOpen, false)
	}
	if e.Known&KnownPerf != 0 && !e.PerfEvents {
		s.Set(CondPerfFails, false)
		s.Set(CondPerfRefuses, false)
	}
	if e.Known&KnownTarget != 0 {
		s.Set(CondCgroupBadFD, e.TargetBad)
	}
	if e.Known&(KnownTargetAccess|KnownCreator) == KnownTargetAccess|KnownCreator && e.denied() {
		s.Set(CondCgroupDenied, true)
	}
}

// setPidNumbers says whether a pid namespace that the child takes a number in has none left.
// After a wrap numbers below reservedPids are not given out again: exhausted is a namespace
// with all numbers in use, and may be one with so many less.
func (s *State) setPidNumbers(e *Evidence, sys *System) {
	if e.Known&KnownFullest == 0 {
		return
	}
	used, limit := uint64(e.FullestUsed), uint64(e.FullestMax)
	if limit == 0 {
		limit = uint64(sys.PidMax)
	}
	switch {
	case limit == 0:
	case used+1 >= limit:
		s.Set(CondPidsExhausted, true)
	case used+reservedPids+nearCount < limit:
		s.setLimit(CondPidsExhausted, used+reservedPids, limit, nearCount)
	}
}

// threadCounts are the tasks of the machine and their limit, as BPF read them at the failure
// or else /proc about that time, and by how much the count may have changed since. The limit
// is 0 where nothing is known.
func (e *Evidence) threadCounts(sys *System) (threads, limit, near uint64) {
	switch {
	case e.Known&KnownThreads != 0:
		return uint64(max(e.Threads, 0)), uint64(max(e.ThreadsMax, 1)), nearCount
	case sys != nil && sys.Threads != 0:
		return sys.Threads, sys.MaxThreads, nearThreads
	}
	return 0, 0, 0
}

// nrOpen is fs.nr_open at the failure, or else about that time; 0 is not known.
func (e *Evidence) nrOpen(sys *System) uint64 {
	if e.Known&KnownNrOpen != 0 {
		return e.NrOpen
	}
	return sys.NrOpen
}

func (s *State) setPidns(r *Record, sys *System) {
	e := &r.Evidence
	adding := e.PidnsAllocated&pidnsAdding != 0
	s.PidLevels = uint8(min(e.PidnsLevel+1, 255))
	s.Set(CondPidNSEmpty, !e.PidnsInit)
	if e.PidnsInit {
		s.Set(CondPidNSTaken, false)
	}
	s.Set(CondPidNSDead, !adding && e.PidnsInit)
	s.Set(CondPidNSSpoilt, !adding && !e.PidnsInit)
	switch _, last, known := r.FailedStages(); {
	case adding:
		s.Set(CondPidNSDying, false)
		s.firm = s.firm.With(ConditionsOf(CondPidNSDying))
	case e.PidnsAllocated == 0 && (!known || last < StageLink):
		// while its init exits that has a number, which in the moment since it hardly gave back
		s.Set(CondPidNSDying, false)
	}
	s.setPidNumbers(e, sys)
	limit := e.PidnsMax
	if limit == 0 {
		limit = sys.PidMax
	}
	if e.Known&KnownCreator != 0 && e.UserLevel == 0 {
		sys.pids[0] = PidNamespace{
			PidMax:            limit,
			CheckpointRestore: TruthOf(e.CapEffective>>capCheckpointRestore&1 != 0),
			SysAdmin:          TruthOf(e.CapEffective>>capSysAdmin&1 != 0),
		}
		s.Pids = sys.pids[:]
	}
}
