// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"slices"
	"testing"
)

// TestProbes compares each probe with the rules: with the trait, without it, and for root
// and for an ordinary user.
func TestProbes(t *testing.T) {
	for i := range TraitTable {
		row := &TraitTable[i]
		if row.Probe == nil {
			continue
		}
		arch := "amd64"
		if row.Archs != nil {
			arch = row.Archs[0]
		}
		for _, release := range []string{"5.8", "6.1", "6.12.117+deb13-cloud-amd64", newest} {
			for _, root := range []bool{false, true} {
				checkProbe(t, row, release, arch, root)
			}
		}
	}
}

func checkProbe(t *testing.T, row *TraitInfo, release, arch string, root bool) {
	t.Helper()
	p := row.Probe
	if root && (p.Given.Has(CondNprocReached) || p.Given.Has(CondUsernsCloneOff)) {
		return // the setup makes it an ordinary user
	}
	s := OrdinaryState(root, arch)
	for _, c := range p.Given.List() {
		s.Set(c, true)
	}
	if p.Pids != nil {
		s.Pids, s.PidLevels = p.Pids, uint8(len(p.Pids))
	}
	traits, err := TraitsOf(release, arch)
	if err != nil {
		t.Fatal(err)
	}
	with, without := Predict(&p.Request, &s, traits|row.Trait), Predict(&p.Request, &s, traits&^row.Trait)
	if !slices.Contains(p.With, with.Errno()) || !slices.Contains(p.Without, without.Errno()) {
		t.Errorf("%s on %s, root %v: %v with, %v without", row.Name, release, root, with.Errno(), without.Errno())
	}
	for _, e := range p.With {
		if e == 0 || slices.Contains(p.Without, e) {
			t.Errorf("%s: the answers tell nothing", row.Name)
		}
	}
}

func TestTraitsOf(t *testing.T) {
	for release, want := range map[string]string{
		"5.8.0":                 "",
		"5.10.174":              "checkpoint-restore pidfd-alias-clone3",
		"5.10":                  "checkpoint-restore pidfd-alias-clone3 newtime-clone3",
		"5.10.0-32-cloud-amd64": "checkpoint-restore pidfd-alias-clone3 newtime-clone3 userns-sysctl",
		"6.1.0-56-amd64":        "checkpoint-restore pidfd-alias-clone3 newtime-clone3 nproc-late userns-hook cpuset-fork userns-sysctl worker-private",
		"6.1.24":                "checkpoint-restore pidfd-alias-clone3 newtime-clone3 nproc-late userns-hook worker-private",
		"6.0-rc7":               "checkpoint-restore pidfd-alias-clone3 nproc-late worker-private",
		"6.1.192-1+deb12u1":     "checkpoint-restore pidfd-alias-clone3 newtime-clone3 nproc-late userns-hook cpuset-fork userns-sysctl worker-private",
		"5.15.0-91-generic":     "checkpoint-restore pidfd-alias-clone3 newtime-clone3 nproc-late",
	} {
		traits, err := TraitsOf(release, "riscv64")
		got := ""
		for _, row := range traits.List() {
			got += " " + row.Name
		}
		if err != nil || got != " "+want && got != want {
			t.Errorf("%s:%s, %v; want %s", release, got, err, want)
		}
	}
	for _, bad := range []string{"", "six", "6", "6.x", "6.1.2.3.4", "99999.1", "6.1 ", "6.1\n"} {
		if traits, err := TraitsOf(bad, "amd64"); err == nil {
			t.Errorf("TraitsOf(%q) = %v", bad, traits.List())
		}
	}
}

func TestTraitTable(t *testing.T) {
	seen := map[string]bool{}
	var bits Traits
	for i := range TraitTable {
		row := &TraitTable[i]
		key := row.Name
		for _, arch := range row.Archs {
			key += " " + arch
		}
		if row.Name == "" || row.Sentence == "" || row.Source == "" || row.Trait == 0 || row.Trait&(row.Trait-1) != 0 || seen[key] {
			t.Errorf("row %d: %+v", i, row)
		}
		seen[key] = true
		bits |= row.Trait
	}
	var used Traits
	for i := range Rules {
		used |= Rules[i].Needs | Rules[i].Lacks
	}
	used |= TraitCheckpointRestore | TraitPidMaxPerNS | TraitTidChecksFirst // by set_tid's own checks
	used |= TraitStackBySign                                                // by the stack's
	used |= TraitWorkerPrivate | TraitSchedCancelFork                       // by the labels of stages
	if used != bits {
		t.Errorf("traits of no use: %#x; without a row: %#x", bits&^used, used&^bits)
	}
}

// hardRequests are cheap and dear ones: an early refusal, acceptance, set_tid on all
// levels.
func hardRequests() map[string]Request {
	numbers := slices.Repeat([]int32{500}, 32)
	return map[string]Request{
		"refused":  cloneCall(CloneNewNS | CloneFS),
		"thread":   cloneCall(CloneThread),
		"accepted": clone3Call(thread),
		"set_tid":  tids(0, numbers...),
	}
}

func TestPredictAllocations(t *testing.T) {
	traits, _ := TraitsOf(newest, "amd64")
	s := OrdinaryState(true, "amd64")
	for name, r := range hardRequests() {
		if n := testing.AllocsPerRun(100, func() { sink = Predict(&r, &s, traits) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

var sink Prediction

func BenchmarkPredict(b *testing.B) {
	traits, _ := TraitsOf(newest, "amd64")
	s := OrdinaryState(true, "amd64")
	for name, r := range hardRequests() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = Predict(&r, &s, traits)
			}
		})
	}
}

// TestPredictOpen shows what is said when something is not known.
func TestPredictOpen(t *testing.T) {
	traits, _ := TraitsOf(newest, "amd64")
	var nothing State
	r := cloneCall(CloneNewNS | CloneFS)
	if p := Predict(&r, &nothing, traits); p.Outcome != OutcomeOpen || p.Rule.ID != "newns-with-fs" ||
		!slices.Equal(p.Open.List(), []Condition{CondSeccompDenied}) {
		t.Errorf("%+v", p)
	}
	s := OrdinaryState(false, "amd64")
	s.Known[CondCapAdmin/64] &^= 1 << (CondCapAdmin % 64)
	r = cloneCall(CloneNewNet)
	if p := Predict(&r, &s, traits); p.Outcome != OutcomeOpen || p.Rule != nil || !slices.Equal(p.Open.List(), []Condition{CondCapAdmin}) {
		t.Errorf("%+v", p)
	}
	if rules := Candidates(&r, &s, traits); len(rules) != 1 || rules[0].ID != "ns-needs-admin" {
		t.Errorf("%v", rules)
	}
	s.Set(CondPidsReached, true)
	if rules := Candidates(&r, &s, traits); len(rules) != 2 || rules[1].ID != "pids-limit" {
		t.Errorf("%v", rules)
	}
	// Nothing is known of the pid namespaces: every check of the number may be the first.
	s = OrdinaryState(true, "amd64")
	s.Pids, s.TidBusy = nil, nil
	r = tids(0, 5000)
	if p := Predict(&r, &s, traits); p.Outcome != OutcomeOpen || p.Open != ConditionsOf(CondSetTidRange, CondSetTidNoCap, CondSetTidBusy) {
		t.Errorf("%+v", p.Open.List())
	}
}

// FuzzPredict looks for panics, for answers that differ from run to run, and for answers
// that were sure and change when more is known.
func FuzzPredict(f *testing.F) {
	f.Add(uint8(3), uint64(0x3d0f00), uint64(0), uint64(0), uint64(88), uint64(0), uint64(0), uint64(1<<63), uint64(0), uint64(1), uint64(2), uint64(3), uint64(1<<20), uint64(0))
	f.Add(uint8(4), uint64(CloneNewPid), uint64(17), uint64(4096), uint64(72), uint64(2), uint64(500), uint64(0), uint64(1), uint64(0), uint64(1<<63), ^uint64(0), ^uint64(0), uint64(0xff))
	f.Fuzz(func(t *testing.T, entry uint8, flags, signal, stack, size, tidCount, tid, address, faults, known0, known1, true0, true1, more uint64) {
		r := Request{
			Entry: Entry(entry % uint8(entryCount)), Flags: flags, ExitSignal: signal, Stack: stack, StackSize: address,
			TLS: address, Pidfd: stack, ParentTid: address, SetTid: tid, SetTidSize: tidCount, Cgroup: tid, Size: size,
			Tail: Tail(faults % 3), ArgsFault: Truth(faults >> 8 % 3), SetTidFault: Truth(faults >> 16 % 3), PidfdFault: Truth(faults >> 24 % 3),
		}
		for i := range min(tidCount, 40) {
			r.Tids = append(r.Tids, int32(tid)+int32(i%2))
		}
		little := fuzzState(more)
		little.Known, little.True = ConditionSet{known0 & known1, known1 & true0}, ConditionSet{true0, true1}
		for i := range little.True {
			little.True[i] &= little.Known[i]
		}
		lots := little
		for c := range conditionCount {
			if !Conditions[c].Derived && !little.Known.Has(c) {
				lots.Set(c, more>>(c%64)&1 != 0)
			}
		}
		lots = moreKnown(lots, more)
		traits := Traits(true1>>3) & (1<<len(TraitTable) - 1)
		p := Predict(&r, &little, traits)
		if again := Predict(&r, &little, traits); again != p {
			t.Fatalf("%+v, then %+v", p, again)
		}
		if q := Predict(&r, &lots, traits); p.Outcome != OutcomeOpen && (q.Outcome != p.Outcome || q.Rule != p.Rule) {
			t.Fatalf("%+v of %+v knowing little, %+v knowing more", p, r, q)
		}
		if (p.Outcome == OutcomeOpen) != !p.Open.Empty() {
			t.Fatalf("%+v", p)
		}
	})
}

// fuzzState knows some numbers, and not others.
func fuzzState(bits uint64) State {
	s := State{}
	if bits&1 != 0 {
		s.PageSize = pageSizeMin << (bits >> 1 & 4)
	}
	if bits&8 != 0 {
		s.TaskSize = TaskSizeAMD64
	}
	if bits&16 != 0 {
		s.PidLevels, s.UserLevels = 33, uint8(bits>>40)
	}
	if bits&32 != 0 {
		s.Pids = []PidNamespace{{CheckpointRestore: Truth(bits >> 6 % 3)}}
		s.TidBusy = []Truth{Truth(bits >> 8 % 3)}
	}
	return s
}

// moreKnown fills in the numbers that a state lacks.
func moreKnown(s State, bits uint64) State {
	if s.PageSize == 0 {
		s.PageSize = pageSizeMin << (bits >> 12 & 4)
	}
	if s.TaskSize == 0 {
		s.TaskSize = TaskSizeAMD64LA57
	}
	if s.PidLevels == 0 {
		s.PidLevels = 1 + uint8(bits>>14&3)
	}
	if s.UserLevels == 0 {
		s.UserLevels = 1 + uint8(bits>>16&63)
	}
	s.Pids, s.TidBusy = slices.Clone(s.Pids), slices.Clone(s.TidBusy)
	for i := range s.Pids {
		if s.Pids[i].PidMax == 0 {
			s.Pids[i].PidMax = pidMaxMin + uint32(bits>>20&0xffff)
		}
		if s.Pids[i].CheckpointRestore == Open {
			s.Pids[i].CheckpointRestore = Yes
		}
		if s.Pids[i].SysAdmin == Open {
			s.Pids[i].SysAdmin = No
		}
	}
	for len(s.Pids) < 33 {
		s.Pids = append(s.Pids, PidNamespace{PidMax: pidMaxMin + uint32(bits>>24&0xffff), CheckpointRestore: 1 + Truth(bits&1), SysAdmin: 1 + Truth(bits>>1&1)})
	}
	for i := range s.TidBusy {
		if s.TidBusy[i] == Open {
			s.TidBusy[i] = Yes
		}
	}
	for len(s.TidBusy) < 32 {
		s.TidBusy = append(s.TidBusy, 1+Truth(bits>>2&1))
	}
	return s
}

// TestTaskSizeOpen: between the ends that user space can have, the machine decides.
func TestTaskSizeOpen(t *testing.T) {
	stack := func(at uint64) Request { return stacked(at, 4096) }
	for _, c := range []struct {
		name          string
		request       Request
		release, arch string
		want          Outcome
	}{
		{"tls below both", tls(TaskSizeAMD64 - 1), newest, "amd64", OutcomeAccepted},
		{"tls at the lower", tls(TaskSizeAMD64), newest, "amd64", OutcomeOpen},
		{"tls below the upper", tls(TaskSizeAMD64LA57 - 1), newest, "amd64", OutcomeOpen},
		{"tls at the upper", tls(TaskSizeAMD64LA57), newest, "amd64", OutcomeRefused},
		{"tls, any 5.10", tls(1 << 50), "5.10.223", "amd64", OutcomeOpen},
		{"tls, Debian's 5.10", tls(1 << 50), "5.10.0-32-cloud-amd64", "amd64", OutcomeRefused},
		{"tls, arm64", tls(1 << 63), newest, "arm64", OutcomeAccepted},
		{"stack up to the lower", stack(TaskSizeAMD64 - 4096), newest, "amd64", OutcomeAccepted},
		{"stack beyond the lower", stack(TaskSizeAMD64 - 4095), newest, "amd64", OutcomeOpen},
		{"stack up to the upper", stack(TaskSizeAMD64LA57 - 4096), newest, "amd64", OutcomeOpen},
		{"stack beyond the upper", stack(TaskSizeAMD64LA57 - 4095), newest, "amd64", OutcomeRefused},
		{"stack by its sign", stack(TaskSizeAMD64LA57), "6.6", "amd64", OutcomeAccepted},
		{"stack, arm64, small", stack(1<<36 - 4096), newest, "arm64", OutcomeAccepted},
		{"stack, arm64", stack(1 << 39), newest, "arm64", OutcomeOpen},
		{"stack, arm64, large", stack(1 << 52), newest, "arm64", OutcomeRefused},
	} {
		s := OrdinaryState(true, c.arch)
		s.BoundTaskSize(c.release, c.arch)
		traits, err := TraitsOf(c.release, c.arch)
		if err != nil {
			t.Fatal(err)
		}
		if p := Predict(&c.request, &s, traits); p.Outcome != c.want {
			t.Errorf("%s: %v by %+v, want %v", c.name, p.Outcome, p.Rule, c.want)
		}
	}
}
