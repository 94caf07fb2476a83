// SPDX-License-Identifier: Apache-2.0

package decode

// Linux's numbers that the evidence is read by.
const (
	capSysAdmin          = 21 // include/uapi/linux/capability.h
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
	if e.Known&KnownPidns != 0 {
		s.setPidns(e, sys)
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
	s.Set(CondDeadline, e.Policy == schedDeadline)
	s.Set(CondFSInExec, e.FSInExec)
	if e.Known&KnownChroot != 0 {
		s.Set(CondChrooted, e.Chrooted)
	}
	if initial {
		s.Set(CondIDsUnmapped, false)
	} else if e.Known&KnownUnmapped != 0 && e.Unmapped {
		s.Set(CondIDsUnmapped, true)
	}
}

// A count within so many of its limit may have been at it.
const nearThreads = 64

func (s *State) setLimits(e *Evidence, sys *System) {
	if e.Known&KnownNproc != 0 {
		s.Set(CondNprocReached, e.NprocCount < 0 || uint64(e.NprocCount) >= e.NprocLimit)
	}
	if full := e.PidsCount >= e.PidsLimit; e.Known&KnownPids != 0 && (full || e.Known&KnownParentChain != 0) {
		s.Set(CondPidsReached, full)
	}
	if sys.MaxThreads != 0 && sys.Threads != 0 {
		switch {
		case sys.Threads >= sys.MaxThreads:
			s.Set(CondMaxThreadsReached, true)
		case sys.Threads+nearThreads < sys.MaxThreads:
			s.Set(CondMaxThreadsReached, false)
		}
	}
	if e.Known&KnownFiles != 0 && sys.NrOpen != 0 && uint64(e.MaxFds) <= sys.NrOpen {
		s.Set(CondFDAboveNrOpen, false)
	}
	if e.Known&KnownTarget != 0 {
		s.Set(CondCgroupBadFD, e.TargetBad)
	}
}

func (s *State) setPidns(e *Evidence, sys *System) {
	adding := e.PidnsAllocated&pidnsAdding != 0
	used := e.PidnsAllocated &^ pidnsAdding
	s.PidLevels = uint8(min(e.PidnsLevel+1, 255))
	s.Set(CondPidNSEmpty, !e.PidnsInit)
	if e.PidnsInit {
		s.Set(CondPidNSTaken, false)
	}
	s.Set(CondPidNSDead, !adding && e.PidnsInit)
	s.Set(CondPidNSSpoilt, !adding && !e.PidnsInit)
	if adding {
		s.Set(CondPidNSDying, false)
	}
	limit := e.PidnsMax
	if limit == 0 {
		limit = sys.PidMax
	}
	if limit != 0 {
		// the numbers of a namespace's ancestors are more than its own, and bounded by the
		// machine's: free there, free in all
		roomAbove := e.PidnsLevel == 0 || sys.PidMax != 0 && sys.Threads != 0 && sys.Threads+2*reservedPids < uint64(sys.PidMax)
		switch {
		case uint64(used)+reservedPids >= uint64(limit):
			s.Set(CondPidsExhausted, true)
		case roomAbove:
			s.Set(CondPidsExhausted, false)
		}
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
