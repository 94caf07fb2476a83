// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

// ordinary is a failed attempt of root in the initial namespaces, with no limit near.
func ordinary(entry Entry, flags uint64, errno Errno) Record {
	return Record{
		Have: HaveFlags | HaveExitSignal, Entry: entry, Flags: flags, ExitSignal: 17, Layer: LayerCopyProcess, Result: -int32(errno),
		FactsKnown: 1<<FactCreatorNSInit | 1<<FactCreatorForeignPidNS | 1<<FactCreatorForeignTimeNS | 1<<FactCreatorAutoreap,
		Evidence: Evidence{
			Known:        KnownCreator | KnownSignals | KnownNproc | KnownPids | KnownParentChain | KnownPidns | KnownChroot | KnownFiles | KnownPerf | KnownFullest | KnownNprocAll,
			CapEffective: 1<<41 - 1, NprocCount: 100, NprocLimit: 1000, PidsCount: 10, PidsLimit: 100,
			PidnsAllocated: 1<<31 | 200, PidnsInit: true, FullestUsed: 200, NofileLimit: 1024, MaxFds: 256,
		},
	}
}

func aSystem(t *testing.T) System {
	t.Helper()
	traits, err := TraitsOf("6.12.117", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	return System{Traits: traits, PageSize: 4096, TaskSize: TaskSizeAMD64, PidMax: 32768, MaxThreads: 100000, Threads: 500, NrOpen: 1 << 20}
}

func TestReasonOf(t *testing.T) {
	for name, c := range map[string]struct {
		errno      Errno
		flags      uint64
		change     func(*Record, *System)
		id         string
		certainty  Certainty
		candidates []string
	}{
		"decided by the request": {errno: EINVAL, flags: CloneNewNS | CloneFS, id: "newns-with-fs", certainty: Certain},
		"of a task with a filter, where the layer is not known": {
			errno: EPERM, flags: CloneNewUTS,
			change: func(r *Record, _ *System) {
				r.Layer, r.Evidence.SeccompMode, r.Evidence.CapEffective = LayerUnknown, 2, 0
			},
			candidates: []string{"seccomp-denied", "ns-needs-admin"},
		},
		"one limit": {errno: EAGAIN, change: func(r *Record, _ *System) { r.Evidence.PidsCount = 100 }, id: "pids-limit", certainty: Deduced},
		"two limits": {
			errno: EAGAIN,
			change: func(r *Record, s *System) {
				r.UID, r.Evidence.CapEffective, r.Evidence.PidsCount, r.Evidence.NprocCount = 1000, 0, 100, 1000
			},
			candidates: []string{"nproc-limit", "pids-limit"},
		},
		"root is exempt from RLIMIT_NPROC": {
			errno:  EAGAIN,
			change: func(r *Record, _ *System) { r.Evidence.PidsCount, r.Evidence.NprocCount = 100, 1000 },
			id:     "pids-limit", certainty: Deduced,
		},
		"threads-max": {errno: EAGAIN, change: func(_ *Record, s *System) { s.Threads = s.MaxThreads }, id: "max-threads", certainty: Deduced},
		"pid_max": {
			errno:  EAGAIN,
			change: func(r *Record, _ *System) { r.Evidence.FullestUsed = 32767 },
			id:     "pid-exhausted", certainty: Deduced,
		},
		"no limit in sight": {
			errno:      EAGAIN,
			candidates: []string{"max-threads", "lsm-task-alloc", "pid-exhausted", "pids-limit", "scx-init-task"},
		},
		"a dead pid namespace": {
			errno:  ENOMEM,
			change: func(r *Record, _ *System) { r.Evidence.PidnsAllocated = 0 },
			id:     "pidns-dead", certainty: Deduced,
		},
		"a deadline task": {
			errno:  EAGAIN,
			change: func(r *Record, _ *System) { r.Evidence.Policy, r.Evidence.Known = 6, r.Evidence.Known|KnownReset },
			id:     "sched-deadline", certainty: Certain,
		},
		"a deadline task whose children are ordinary, and a limit": {
			errno: EAGAIN,
			change: func(r *Record, _ *System) {
				r.Evidence.Policy, r.Evidence.ResetOnFork, r.Evidence.Known = 6, true, r.Evidence.Known|KnownReset
				r.Evidence.PidsCount = 100
			},
			id: "pids-limit", certainty: Deduced,
		},
		"a deadline task of which that is not known, and a limit": {
			errno:      EAGAIN,
			change:     func(r *Record, _ *System) { r.Evidence.Policy, r.Evidence.PidsCount = 6, 100 },
			candidates: []string{"sched-deadline", "pids-limit"},
		},
		"a count that has just dipped": {
			errno:  EAGAIN,
			change: dipped,
			id:     "nproc-limit", certainty: Deduced,
		},
		"a count that has just dipped, and a limit": {
			errno:      EAGAIN,
			change:     func(r *Record, s *System) { dipped(r, s); r.Evidence.PidsCount = 100 },
			candidates: []string{"nproc-limit", "pids-limit"},
		},
		"user namespaces above those that are looked at": {
			errno: EAGAIN,
			change: func(r *Record, _ *System) {
				r.UID, r.Evidence.CapEffective = 1000, 0
				r.Evidence.Known &^= KnownNprocAll
				r.Evidence.PidsCount = 100
			},
			candidates: []string{"nproc-limit", "pids-limit"},
		},
		"the count of an old kernel that allows one more": {
			errno: EAGAIN,
			change: func(r *Record, s *System) {
				s.Traits &^= TraitNprocLate
				r.UID, r.Evidence.CapEffective, r.Evidence.NprocCount, r.Evidence.NprocLimit = 1000, 0, 1001, 1000
			},
			id: "nproc-limit", certainty: Deduced,
		},
		"few numbers are left, and a limit": {
			errno: EAGAIN,
			change: func(r *Record, _ *System) {
				r.Evidence.FullestUsed, r.Evidence.PidsCount = 32600, 100
			},
			candidates: []string{"pid-exhausted", "pids-limit"},
		},
		"a mapping that is not looked at": {
			errno: EPERM, flags: CloneNewUser,
			change:     func(r *Record, _ *System) { r.Evidence.UserLevel = 1 },
			candidates: []string{"userns-unmapped", "userns-lsm", "lsm-task-alloc", "scx-init-task"},
		},
		"a mapping that is in order": {
			errno: EPERM, flags: CloneNewUser,
			change: func(r *Record, s *System) {
				r.Evidence.UserLevel, r.Evidence.Known = 1, r.Evidence.Known|KnownUnmapped
				s.Known = ConditionsOf(CondUsernsCloneOff)
			},
			candidates: []string{"userns-lsm", "lsm-task-alloc", "scx-init-task"},
		},
		"no mapping": {
			errno: EPERM, flags: CloneNewUser,
			change: func(r *Record, s *System) {
				r.Evidence.UserLevel, r.Evidence.Unmapped, r.Evidence.Known = 1, true, r.Evidence.Known|KnownUnmapped
				s.Known = ConditionsOf(CondUsernsCloneOff)
			},
			id: "userns-unmapped", certainty: Deduced,
		},
		"a cgroup of which access is not known": {
			errno: EACCES, flags: CloneIntoCgroup,
			candidates: []string{"lsm-task-alloc", "into-cgroup-denied", "cpuset-fork", "scx-init-task"},
		},
		"the same without a module that could refuse": {
			errno: EACCES, flags: CloneIntoCgroup,
			change: func(_ *Record, s *System) { s.Known = ConditionsOf(CondLSMTask) },
			id:     "into-cgroup-denied", certainty: Deduced,
		},
		"a cgroup that the creator may not write": {
			errno: EACCES, flags: CloneIntoCgroup,
			change: func(r *Record, _ *System) {
				r.Evidence.Known |= KnownTargetAccess
				r.Evidence.CapEffective, r.Evidence.FSUID, r.Evidence.TargetMode = 0, 1000, 0o644
			},
			id: "into-cgroup-denied", certainty: Deduced,
		},
		"an error that a module alone gives": {
			errno:  EACCES,
			change: func(_ *Record, s *System) { s.Known = ConditionsOf(CondSchedExtFails) },
			id:     "lsm-task-alloc", certainty: Deduced,
		},
		"seccomp": {errno: ENOSYS, change: func(r *Record, _ *System) { r.Layer = LayerSeccomp }, id: "seccomp-denied", certainty: Certain},
		"reread":  {errno: EINVAL, flags: CloneNewNS | CloneFS, change: func(r *Record, _ *System) { r.Have |= HaveReread }, id: "newns-with-fs", certainty: Deduced},
	} {
		t.Run(name, func(t *testing.T) {
			entry := EntryClone
			if c.flags > 1<<32 {
				entry = EntryClone3
			}
			r, sys := ordinary(entry, c.flags, c.errno), aSystem(t)
			if c.change != nil {
				c.change(&r, &sys)
			}
			got := ReasonOf(&r, &sys)
			var candidates []string
			for _, rule := range got.List() {
				candidates = append(candidates, rule.ID)
			}
			if got.ID() != c.id || got.Certainty != c.certainty || c.candidates != nil && !slices.Equal(candidates, c.candidates) {
				t.Errorf("%q, %s, %v", got.ID(), got.Certainty, candidates)
			}
		})
	}
}

// dipped makes a user's count what it is just after others of the user's have ended.
func dipped(r *Record, _ *System) {
	r.UID, r.Evidence.CapEffective = 1000, 0
	r.Evidence.NprocCount, r.Evidence.NprocLimit = 7, 8
}

// TestReasonOfSuccess: what did not fail, or is made again, has no reason.
func TestReasonOfSuccess(t *testing.T) {
	sys := aSystem(t)
	for _, errno := range []Errno{0, ERESTARTNOINTR} {
		r := ordinary(EntryClone, 0, errno)
		if got := ReasonOf(&r, &sys); got.Rule != nil || got.Count != 0 {
			t.Errorf("%v: %+v", errno, got)
		}
	}
}

// TestPidsText: the cgroup that refused is named, and the creator's own where it is another:
// in version 2 also one without the pids controller.
func TestPidsText(t *testing.T) {
	path := func(id uint64) (string, bool) { return "/" + string(rune(id)), true }
	for _, c := range []struct {
		v2     bool
		flags  uint64
		own    rune   // the creator's, of version 2
		chain  string // with the controller, from the task's upwards
		refuse int    // of the chain
		want   string
	}{
		{false, 0, 'z', "ab", 0, "/a reached: 7 of 7"},
		{false, 0, 'z', "ab", 1, "/b reached: 7 of 7 (creator in /a)"},
		{true, 0, 'a', "ab", 0, "/a reached: 7 of 7"},
		{true, 0, 'a', "ab", 1, "/b reached: 7 of 7 (creator in /a)"},
		{true, 0, 'x', "ab", 0, "/a reached: 7 of 7 (creator in /x)"},
		{true, 0, 'x', "ab", 1, "/b reached: 7 of 7 (creator in /x)"},
		{true, CloneIntoCgroup, 'x', "ab", 0, "/a reached: 7 of 7"},
		{true, CloneIntoCgroup, 'x', "ab", 1, "/b reached: 7 of 7 (child in /a)"},
	} {
		r, sys := ordinary(EntryClone3, c.flags, EAGAIN), aSystem(t)
		r.Have |= HaveCgroup
		r.CgroupID = uint64(c.own)
		e := &r.Evidence
		for i, id := range c.chain {
			e.Pids[i] = PidsLevel{Cgroup: uint64(id), Count: 7, Limit: 7}
		}
		e.PidsLevels, e.PidsUp, e.PidsCgroup = 2, uint32(c.refuse), uint64(c.chain[c.refuse])
		e.PidsCount, e.PidsLimit = 7, 7
		ctx := ReasonContext{System: &sys, Cgroup: path, Pids: path, PidsV2: c.v2, Path: func(dst []byte, path string) []byte { return append(dst, path...) }}
		reason := ReasonOf(&r, &sys)
		if got := string(AppendReason(nil, &r, &reason, &ctx)); got != "pids.max of "+c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestPidsBeyond: where no cgroup that was looked at has refused, and there are more above, none
// is named as the one, nor in the advice.
func TestPidsBeyond(t *testing.T) {
	r, sys := ordinary(EntryClone, 0, EAGAIN), aSystem(t)
	e := &r.Evidence
	e.Known &^= KnownParentChain
	e.Pids[0] = PidsLevel{Cgroup: 'a', Count: 2, Limit: 1 << 22}
	e.PidsLevels, e.PidsCgroup, e.PidsCount, e.PidsLimit = 1, 'a', 2, 1<<22
	ctx := ReasonContext{System: &sys, Path: func(dst []byte, path string) []byte { return append(dst, path...) },
		Pids: func(id uint64) (string, bool) { return "/" + string(rune(id)), true }}
	reason := ReasonOf(&r, &sys)
	if got, want := string(AppendReason(nil, &r, &reason, &ctx)), "pids.max reached of a cgroup above those that were looked at, from /a upwards"; reason.ID() != "pids-limit" || reason.Certainty == Certain || got != want {
		t.Errorf("%s: %s", reason.ID(), got)
	}
	if fix := string(AppendFix(nil, &r, &reason, &ctx)); strings.Contains(fix, "/a") {
		t.Errorf("advice: %s", fix)
	}
}

// TestFixes: the advice names what moves the limit that was met.
func TestFixes(t *testing.T) {
	rule := func(id string) *Rule {
		for i := range Rules {
			if Rules[i].ID == id {
				return &Rules[i]
			}
		}
		t.Fatalf("no rule %s", id)
		return nil
	}
	for _, c := range []struct {
		rule, path string
		up         uint32
		want       string
	}{
		{"pids-limit", "/system.slice/x.service", 0, "systemctl set-property x.service TasksMax=…"},
		{"pids-limit", "/ci.slice", 0, "systemctl set-property ci.slice TasksMax=…"},
		{"pids-limit", "/user.slice/user-7.slice/user@7.service/app.slice/x.service", 0, "systemctl --user set-property x.service TasksMax=…"},
		{"pids-limit", "/user.slice/user-7.slice/user@7.service", 0, "systemctl set-property user@7.service TasksMax=…"},
		{"pids-limit", "/docker/abc", 0, "raise pids.max of /docker/abc (docker run --pids-limit N for a container)"},
		{"nproc-limit", "", 0, strings.TrimSuffix(rule("nproc-limit").Remedy, ".")},
		{"nproc-limit", "", 1, "raise RLIMIT_NPROC of whoever makes the user namespace, before it does (LimitNPROC= of the container runtime's unit, ulimit -u): the limit is kept as it was then"},
	} {
		r, sys := ordinary(EntryClone, 0, EAGAIN), aSystem(t)
		r.Evidence.Known |= KnownPids | KnownNproc
		r.Evidence.NprocUp = c.up
		ctx := ReasonContext{System: &sys, Pids: func(uint64) (string, bool) { return c.path, true },
			Path: func(dst []byte, path string) []byte { return append(dst, path...) }}
		if got := string(AppendFix(nil, &r, &Reason{Rule: rule(c.rule)}, &ctx)); got != c.want {
			t.Errorf("%s, %q: %s", c.rule, c.path, got)
		}
	}
}

func TestReasonAllocates(t *testing.T) {
	r, sys := ordinary(EntryClone, 0, EAGAIN), aSystem(t)
	r.Evidence.PidsCount = 100
	ctx := ReasonContext{System: &sys}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() {
		reason := ReasonOf(&r, &sys)
		buf = AppendReason(buf[:0], &r, &reason, &ctx)
		buf = AppendFix(buf[:0], &r, &reason, &ctx)
	}); n != 0 {
		t.Errorf("%v allocations for one reason", n)
	}
}

// FuzzReason: no record, however false, makes it panic or claim a rule of another error.
func FuzzReason(f *testing.F) {
	f.Add(make([]byte, WireSize))
	f.Add(make([]byte, ShortSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		if r.Parse(b) != nil {
			return
		}
		sys := aSystem(t)
		reason := ReasonOf(&r, &sys)
		if reason.Rule != nil && reason.Rule.Errno != 0 && reason.Rule.Errno != r.Errno() {
			t.Errorf("%s for %v", reason.Rule.ID, r.Errno())
		}
		_ = AppendFix(AppendReason(nil, &r, &reason, &ReasonContext{}), &r, &reason, &ReasonContext{})
	})
}

// TestReasonOfClosedPidNamespace: a pid namespace that gives no number out refused the
// creation when it asked for one or, if its init was exiting meanwhile, at the end.
func TestReasonOfClosedPidNamespace(t *testing.T) {
	const adding = 1 << 31
	for _, c := range []struct {
		allocated  uint32
		certainty  Certainty
		candidates []string // all, or the first
	}{
		{0, Deduced, []string{"pidns-dead"}},
		{1, Unknown, []string{"pidns-dead", "pidns-dying"}},
		{1 | adding, Unknown, []string{"task-nomem"}},
	} {
		sys := aSystem(t)
		r := &Record{Entry: EntryClone, ExitSignal: 17, Result: -int32(ENOMEM), Have: HaveFlags | HaveExitSignal}
		r.Evidence = Evidence{Known: KnownPidns | KnownCreator, PidnsInit: true, PidnsAllocated: c.allocated}
		reason := ReasonOf(r, &sys)
		got := []string{reason.ID()}
		if reason.Rule == nil {
			got = got[:0]
			for _, rule := range reason.List() {
				got = append(got, rule.ID)
			}
		}
		if closed := c.allocated < adding; reason.Certainty != c.certainty || closed && !slices.Equal(got, c.candidates) || got[0] != c.candidates[0] {
			t.Errorf("%#x: %s %v; want %s %v", c.allocated, reason.Certainty, got, c.certainty, c.candidates)
		}
	}
}
