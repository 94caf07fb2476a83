// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"slices"
	"testing"
)

// honest is the record of a creation that a kernel made which keeps its promises, worked
// out from the flags without the table of checks.
func honest(entry Entry, flags uint64) Record {
	r := Record{
		Flags: flags, Entry: entry, Layer: LayerNone,
		Have:       HaveFlags | HaveExitSignal | HaveChild | HaveChildDetails | HaveChildTidptr | HaveTLS | HaveChildTLS | HaveCreatorDetails,
		ExitSignal: sigChld, ChildExitSignal: sigChld,
		Pid: 10, Tid: 11, PPid: 9, Result: 20, ChildPid: 20, ChildPPid: 10, ChildPTid: 11,
		ChildTidptr: 0x5000, TLS: 1 << 40, ChildTLS: 1 << 40,
		FactsKnown: 1<<factCount - 1, CapEffective: 1<<41 - 1,
	}
	r.NSPids[0] = 20
	share := func(when bool, facts ...Fact) {
		for _, f := range facts {
			if when {
				r.Facts |= 1 << f
			}
		}
	}
	has := func(f uint64) bool { return flags&f != 0 }
	share(has(CloneVM), FactMM, FactExecState)
	share(has(CloneFS), FactFS)
	share(has(CloneFiles), FactFiles)
	share(has(CloneSighand), FactSighand)
	share(has(CloneThread), FactSignal, FactThreadGroup)
	share(has(CloneParent|CloneThread), FactRealParent)
	share(!has(CloneParent|CloneThread), FactChildOfCreator)
	share(has(CloneSysvsem), FactUndoList)
	share(has(CloneIO), FactIOContext)
	share(!has(CloneNewNS|CloneEmptyMntNS), FactMntNS)
	share(!has(CloneNewUTS), FactUTSNS)
	share(!has(CloneNewIPC), FactIPCNS)
	share(!has(CloneNewNet), FactNetNS)
	share(!has(CloneNewCgroup), FactCgroupNS)
	share(!has(CloneNewTime), FactTimeNSForChildren)
	share(!has(CloneNewTime) || has(CloneVM), FactTimeNS)
	share(!has(CloneNewPid), FactPidNS, FactPidNSForChildren)
	share(!has(CloneNewUser), FactUserNS)
	share(true, FactCgroup, FactHandlersCleared, FactInTargetCgroup, FactNoNewPrivs, FactInPidNSForChildren, FactUserNSNested, FactTracedAlike)
	share(!has(CloneNewTime) || !has(CloneVM), FactInTimeNSForChildren)
	share(has(CloneAutoreap), FactAutoreap)
	share(has(CloneNewPid), FactNSInit)
	if has(CloneNewPid) {
		r.ChildLevel, r.NSPids[1] = 1, 1
	}
	if has(CloneParent | CloneThread) {
		r.ChildPPid, r.ChildPTid = 9, 9
	}
	if has(CloneParent) {
		r.Have |= HaveLeader
		r.ExitSignal, r.LeaderSignal, r.ChildExitSignal = 0, 12, 12
	}
	if has(CloneThread) {
		r.ExitSignal, r.ChildExitSignal, r.ChildPid = 0, -1, 10
	}
	if has(CloneAutoreap) {
		r.ExitSignal, r.ChildExitSignal = 0, 0
	}
	if has(CloneChildSetTid) {
		r.ChildSetChildTid = r.ChildTidptr
	}
	if has(CloneChildClearTid) {
		r.ChildClearChildTid = r.ChildTidptr
	}
	return r
}

// checkedFlags are requests of which the promises of all flags, and of their absence, can
// be seen.
var checkedFlags = []uint64{
	0, CloneVM, CloneFS, CloneFiles, CloneVM | CloneSighand, thread, thread | CloneFS | CloneFiles | CloneSysvsem,
	CloneParent, CloneParent | CloneVM | CloneVfork, CloneSysvsem, CloneIO, CloneNewNS, CloneEmptyMntNS | CloneNewNS, CloneNewUTS, CloneNewIPC,
	CloneNewNet, CloneNewCgroup, CloneNewTime, CloneNewTime | CloneVM, CloneNewPid, CloneNewUser, CloneNewUser | CloneNewPid,
	CloneChildSetTid, CloneChildClearTid, CloneSetTLS, CloneNNP, CloneAutoreap, CloneClearSighand, CloneIntoCgroup, ClonePtrace,
}

func newestTraits(t testing.TB) Traits {
	t.Helper()
	traits, err := TraitsOf(newest, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return traits
}

func TestCheckHonest(t *testing.T) {
	sys := &System{Traits: newestTraits(t)}
	for _, flags := range checkedFlags {
		r := honest(EntryClone3, flags)
		if v := CheckRecord(&r, sys); v != nil {
			t.Errorf("%s: %+v", AppendFlags(nil, flags, StyleShort), v)
		}
		allocs := testing.AllocsPerRun(10, func() { CheckRecord(&r, sys) })
		if allocs != 0 {
			t.Errorf("%s: %v allocations", AppendFlags(nil, flags, StyleShort), allocs)
		}
	}
}

// lies are observations turned round, with the one check that each breaks.
var lies = []struct {
	check string
	with  uint64 // flags: one of these, 0 for any
	lie   func(*Record)
	// except: flags with which the observation says nothing
	except uint64
}{
	{"mm", 0, flip(FactMM), 0},
	{"exec-state", 0, flip(FactExecState), 0},
	{"fs", 0, flip(FactFS), 0},
	{"files", 0, flip(FactFiles), 0},
	{"sighand", 0, flip(FactSighand), 0},
	{"signal", 0, flip(FactSignal), 0},
	{"thread-group", 0, flip(FactThreadGroup), 0},
	{"child-of-creator", 0, flip(FactChildOfCreator), 0},
	{"real-parent", CloneParent | CloneThread, func(r *Record) { flip(FactRealParent)(r); r.ChildPPid++ }, 0},
	{"undo-list", 0, flip(FactUndoList), 0},
	{"io-context", 0, flip(FactIOContext), 0},
	{"mnt-ns", 0, flip(FactMntNS), 0},
	{"uts-ns", 0, flip(FactUTSNS), 0},
	{"ipc-ns", 0, flip(FactIPCNS), 0},
	{"net-ns", 0, flip(FactNetNS), 0},
	{"cgroup-ns", 0, flip(FactCgroupNS), 0},
	{"time-ns", 0, flip(FactTimeNS), 0},
	{"time-ns-for-children", 0, flip(FactTimeNSForChildren), 0},
	{"pid-ns", 0, flip(FactPidNS), 0},
	{"pid-ns-for-children", 0, flip(FactPidNSForChildren), 0},
	{"user-ns", 0, flip(FactUserNS), 0},
	{"ns-init", 0, flip(FactNSInit), CloneThread},
	{"pid-ns-entered", 0, flip(FactInPidNSForChildren), 0},
	{"time-ns-entered", 0, flip(FactInTimeNSForChildren), CloneVM},
	{"user-ns-nested", CloneNewUser, flip(FactUserNSNested), 0},
	{"tracer", ClonePtrace, flip(FactTracedAlike), 0},
	{"pid-number", CloneNewPid, func(r *Record) { r.NSPids[1] = 2 }, 0},
	{"pid-level", 0, func(r *Record) { r.ChildLevel, r.NSPids[0], r.NSPids[1] = 1-r.ChildLevel, 1, 1 }, 0},
	{"tgid", 0, func(r *Record) { r.ChildPid++ }, 0},
	{"exit-signal", 0, func(r *Record) { r.ChildExitSignal++ }, 0},
	{"set-child-tid", 0, func(r *Record) { r.ChildSetChildTid++ }, 0},
	{"clear-child-tid", 0, func(r *Record) { r.ChildClearChildTid++ }, 0},
	{"tls", CloneSetTLS, func(r *Record) { r.ChildTLS++ }, 0},
	{"no-new-privs", CloneNNP, flip(FactNoNewPrivs), 0},
	{"autoreap", 0, flip(FactAutoreap), CloneThread},
	{"handlers-cleared", CloneClearSighand, flip(FactHandlersCleared), 0},
	{"into-cgroup", CloneIntoCgroup, flip(FactInTargetCgroup), 0},
	{"ptrace", ClonePtrace, flip(FactCreatorPtraced), 0},
	{"set-tid", 0, func(r *Record) { r.Have |= HaveSetTid; r.SetTidSize, r.SetTid[0] = 1, 77 }, CloneNewPid},
}

func forget(f Fact) func(*Record) {
	return func(r *Record) { r.FactsKnown &^= 1 << f; r.Facts &^= 1 << f }
}

func flip(f Fact) func(*Record) { return func(r *Record) { r.Facts ^= 1 << f } }

// TestCheckLies turns one observation round, and wants exactly its check to say so.
func TestCheckLies(t *testing.T) {
	sys := &System{Traits: newestTraits(t)}
	told := map[string]bool{}
	for _, lie := range lies {
		for _, flags := range checkedFlags {
			if lie.with != 0 && flags&lie.with == 0 || flags&lie.except != 0 {
				continue
			}
			r := honest(EntryClone3, flags)
			lie.lie(&r)
			v := CheckRecord(&r, sys)
			if len(v) != 1 || v[0].ID != lie.check || v[0].Promised == "" || v[0].Seen == "" || v[0].Source == "" {
				t.Errorf("%s of %s: %+v", lie.check, AppendFlags(nil, flags, StyleShort), v)
			}
			told[lie.check] = true
		}
	}
	for i := range Checks {
		if !told[Checks[i].ID] {
			t.Errorf("no lie breaks %s", Checks[i].ID)
		}
	}
	if most := 64 * len(checkSet{}); len(Checks) > most {
		t.Errorf("%d checks do not fit into %d bits", len(Checks), most)
	}
}

// TestCheckCaveats are observations that look like violations and are none.
func TestCheckCaveats(t *testing.T) {
	sys := &System{Traits: newestTraits(t)}
	for name, c := range map[string]struct {
		entry Entry
		flags uint64
		lie   func(*Record)
	}{
		"killed at once":                     {EntryClone, CloneNewPid, forget(FactNSInit)},
		"a parent that exits":                {EntryClone, CloneParent, func(r *Record) { r.Have &^= HaveLeader; r.LeaderSignal = 17 }},
		"an I/O context of another's making": {EntryClone, CloneIO, forget(FactIOContext)},
		"parent exits":                       {EntryClone, CloneParent, flip(FactRealParent)},
		"exit signal of the leader":          {EntryClone, CloneParent, func(r *Record) { r.ExitSignal = 10 }},
		"thread's exit signal":               {EntryClone, thread, func(r *Record) { r.ExitSignal = 10 }},
		"helper's fs":                        {EntryUserModeHelper, CloneVM | CloneUntraced, flip(FactFS)},
		"kernel thread's memory":             {EntryKernelThread, CloneVM | CloneUntraced, func(r *Record) { r.FactsKnown &^= 1 << FactMM; r.Facts &^= 1 << FactMM }},
		"vhost without files":                {EntryVhostWorker, thread | CloneFiles, flip(FactFiles)},
		"ptrace without a tracer":            {EntryClone, ClonePtrace, func(*Record) {}},
		"taken by a tracer":                  {EntryClone, 0, flip(FactPtraced)},
		"moved to another cgroup":            {EntryClone, 0, flip(FactCgroup)},
		"inherited no_new_privs":             {EntryClone, 0, func(*Record) {}},
		"pointer changed meanwhile":          {EntryClone3, CloneChildSetTid, func(r *Record) { r.Have |= HaveReread; r.ChildTidptr++ }},
		"signal changed meanwhile":           {EntryClone3, thread, func(r *Record) { r.Have |= HaveReread; r.ExitSignal = 17 }},
		"tls descriptor":                     {EntryClone, CloneSetTLS, func(r *Record) { r.TLS = 0xffffd000 }},
		"flag of a newer kernel":             {EntryClone3, 1 << 45, func(*Record) {}},
		"io worker with other creds":         {EntryIOWorker, thread | CloneFS | CloneFiles | CloneIO | CloneUntraced, flip(FactUserNS)},
		"first child after unshare": {EntryClone, 0, func(r *Record) {
			r.Facts |= 1<<FactCreatorForeignPidNS | 1<<FactNSInit
			r.Facts &^= 1 << FactPidNS
			r.ChildLevel, r.NSPids[1] = 1, 1
		}},
		"second child after unshare": {EntryClone, 0, func(r *Record) {
			r.Facts |= 1 << FactCreatorForeignPidNS
			r.Facts &^= 1 << FactPidNS
			r.ChildLevel, r.NSPids[1] = 1, 2
		}},
		"fork after unshare of time": {EntryFork, 0, func(r *Record) {
			r.Facts |= 1 << FactCreatorForeignTimeNS
			r.Facts &^= 1 << FactTimeNS
		}},
	} {
		r := honest(c.entry, c.flags)
		c.lie(&r)
		if v := CheckRecord(&r, sys); v != nil {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// copyIn is a clone3 that the system call itself refused, of a creator that is alone in its memory.
func copyIn(errno Errno, change func(*Evidence)) Record {
	r := Record{Entry: EntryClone3, Have: HaveFlags | HaveExitSignal | HaveReread, Result: -int32(errno), Layer: LayerSyscall}
	r.Evidence = Evidence{Known: KnownArgs | KnownMM, MMAlone: true, ArgsSize: CloneArgsSize}
	change(&r.Evidence)
	r.Flags = r.Evidence.Args[0]
	return r
}

// TestCheckOutcome asks the rules about outcomes.
func TestCheckOutcome(t *testing.T) {
	sys := &System{Traits: newestTraits(t)}
	failed := func(errno Errno, layer Layer, flags uint64) Record {
		return Record{Entry: EntryClone, Flags: flags, Have: HaveFlags | HaveExitSignal, Result: -int32(errno), Layer: layer}
	}
	with := func(r Record, change func(*Record)) Record { change(&r); return r }
	for name, c := range map[string]struct {
		record   Record
		id, rule string // "" if all is well
	}{
		"NEWNS|FS accepted":            {honest(EntryClone, CloneNewNS|CloneFS), ViolationAccepted, "newns-with-fs"},
		"signal 65 accepted":           {with(honest(EntryClone, 0), func(r *Record) { r.ExitSignal, r.ChildExitSignal = 65, 65 }), ViolationAccepted, "exit-signal-invalid"},
		"init with PARENT":             {with(honest(EntryClone, CloneParent), flip(FactCreatorNSInit)), ViolationAccepted, "parent-from-init"},
		"NEWIPC|SYSVSEM accepted":      {honest(EntryClone, CloneNewIPC|CloneSysvsem), ViolationAccepted, "newipc-with-sysvsem"},
		"namespaces without privilege": {with(honest(EntryClone, CloneNewUTS), func(r *Record) { r.CapEffective = 0 }), ViolationAccepted, "ns-needs-admin"},
		"a user namespace gives it":    {with(honest(EntryClone, CloneNewUTS|CloneNewUser), func(r *Record) { r.CapEffective = 0 }), "", ""},
		"thread pointer of the kernel": {with(honest(EntryClone3, CloneSetTLS), func(r *Record) { r.TLS, r.ChildTLS = 1<<63, 1<<63 }), ViolationAccepted, "tls-range"},
		"a stack without a size":       {with(honest(EntryClone3, 0), func(r *Record) { r.Have |= HaveStack | HaveStackSize; r.Stack = 4096 }), ViolationAccepted, "stack-without-size"},
		"one place for two":            {with(honest(EntryClone3, ClonePidfd|CloneParentSetTid), func(r *Record) { r.Have |= HavePidfd | HaveParentTidptr; r.Pidfd, r.ParentTidptr = 8, 8 }), ViolationAccepted, "pidfd-aliases-parent-tid"},
		"a number below 1":             {with(honest(EntryClone3, 0), func(r *Record) { r.Have ^= HaveSetTid | HaveChildDetails; r.SetTidSize, r.SetTid[0] = 1, -1 }), ViolationAccepted, "settid-range"},
		"a size refused otherwise":     {copyIn(EINVAL, func(e *Evidence) { e.ArgsSize = 1 << 20; e.Tail = uint8(TailZero) }), ViolationRefused, "c3-size-gt-page"},
		"a size refused":               {copyIn(E2BIG, func(e *Evidence) { e.ArgsSize = 1 << 20 }), "", ""},
		"flags refused otherwise":      {copyIn(EPERM, func(e *Evidence) { e.Args[0] = CloneDetached }), ViolationRefused, "reserved-low-bits"},
		"others can write to it":       {copyIn(EPERM, func(e *Evidence) { e.Args[0], e.MMAlone = CloneDetached, false }), "", ""},
		"gone since":                   {copyIn(EPERM, func(e *Evidence) { e.Args[0], e.ArgsFault = CloneDetached, true }), "", ""},
		"no such call":                 {copyIn(ENOSYS, func(e *Evidence) { e.Args[0] = CloneDetached }), "", ""},
		"without a rule, by the call":  {copyIn(EPERM, func(*Evidence) {}), "", ""},
		"refused by its rule":          {failed(EINVAL, LayerCopyProcess, CloneNewNS|CloneFS), "", ""},
		"refused by another":           {failed(EPERM, LayerCopyProcess, CloneNewNS|CloneFS), ViolationRefused, "newns-with-fs"},
		"seccomp":                      {failed(EPERM, LayerSeccomp, CloneNewNS|CloneFS), "", ""},
		"layer not known":              {failed(EPERM, LayerUnknown, CloneNewNS|CloneFS), "", ""},
		"restarted":                    {failed(ERESTARTNOINTR, LayerCopyProcess, CloneNewNS|CloneFS), "", ""},
		"a limit":                      {failed(EAGAIN, LayerCopyProcess, CloneNewNS), "", ""},
		"a module before the rule":     {failed(EACCES, LayerCopyProcess, CloneNewIPC|CloneSysvsem), "", ""},
		"no privilege":                 {failed(EPERM, LayerCopyProcess, CloneNewIPC|CloneSysvsem), "", ""},
		"read again":                   {with(failed(EPERM, LayerCopyProcess, CloneNewNS|CloneFS), func(r *Record) { r.Have |= HaveReread }), "", ""},
		"flags not known":              {with(failed(EPERM, LayerCopyProcess, CloneNewNS|CloneFS), func(r *Record) { r.Have = 0 }), "", ""},
	} {
		v := CheckRecord(&c.record, sys)
		ids := []string{}
		for _, one := range v {
			ids = append(ids, one.ID+" "+one.Rule)
		}
		want := []string{c.id + " " + c.rule}
		if c.id == "" {
			want = []string{}
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%s: %q, want %q", name, ids, want)
		}
	}
}

// TestCheckUnexplained: an error that no rule gives is a violation, where it is known that
// nobody can have answered so who may answer anything.
func TestCheckUnexplained(t *testing.T) {
	const domain = Errno(33) // EDOM
	noModules := ConditionsOf(CondLSMTask, CondLSMUserNS, CondSchedExtFails)
	for name, c := range map[string]struct {
		errno     Errno
		layer     Layer
		flags     uint64
		absent    ConditionSet // on this machine
		unwatched bool         // the creator has no perf events
		violation bool
	}{
		"no rule":                     {domain, LayerCopyProcess, 0, noModules, true, true},
		"no rule for such a request":  {EPERM, LayerCopyProcess, CloneFS, noModules, true, true},
		"a module of one's own":       {domain, LayerCopyProcess, 0, ConditionSet{}, true, false},
		"a profiler":                  {domain, LayerCopyProcess, 0, noModules, false, false},
		"a limit that nothing shows":  {EAGAIN, LayerCopyProcess, CloneFS, noModules, true, false},
		"memory that nothing shows":   {ENOMEM, LayerCopyProcess, CloneFS, noModules, true, false},
		"what an inner hook may tell": {domain, LayerKernelClone, 0, noModules, true, false},
	} {
		r := Record{Entry: EntryClone, Flags: c.flags, Have: HaveFlags | HaveExitSignal, Result: -int32(c.errno), Layer: c.layer}
		if c.unwatched {
			r.Evidence.Known = KnownPerf
		}
		v := CheckRecord(&r, &System{Traits: newestTraits(t), Known: c.absent})
		if (v != nil) != c.violation || v != nil && (v[0].ID != ViolationRefused || v[0].Rule != "") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
