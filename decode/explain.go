// SPDX-License-Identifier: Apache-2.0

package decode

// Explanation is what can be said about a request from its flags alone. It does not say
// whether a kernel would grant it.
type Explanation struct {
	Entry      Entry       `json:"-"`     // as given; EntryUnknown when it was left open
	Flags      Hex         `json:"flags"` // without the exit signal
	Known      []*Flag     `json:"known"` // rows of the flags, lowest bit first
	Residue    Hex         `json:"residue"`
	ExitSignal int         `json:"exit_signal"`
	SignalName string      `json:"exit_signal_name"` // "" when the number is no signal
	SignalText string      `json:"exit_signal_text"` // what the parent learns of the end
	Kind       Kind        `json:"kind"`
	Calls      []*CallForm `json:"calls"`   // well-known requests like this one; may be empty
	Accepts    []Verdict   `json:"accepts"` // of clone, clone3, unshare and setns
	Notes      []string    `json:"notes"`   // what surprises
}

// Verdict says what one system call does with a set of flags, as far as each flag by
// itself decides.
type Verdict struct {
	Call    string   `json:"call"`
	Accept  Accept   `json:"accept"`            // AcceptYes, or the worst that it does with one
	Because []string `json:"because,omitempty"` // the flags it does that with
}

// Explain decodes a request. exitSignal is the signal apart from the flags, as
// [SplitCloneWord] and [ParseFlags] return it. entry may be [EntryUnknown]; the kind is
// then that of the first of Calls, or of a system call if there is none.
func Explain(flags uint64, exitSignal int, entry Entry) Explanation {
	e := Explanation{
		Entry: entry, Flags: Hex(flags), Residue: Hex(flags &^ KnownFlags),
		ExitSignal: exitSignal, SignalName: SignalName(exitSignal),
		Known: []*Flag{}, Calls: callsOf(flags, exitSignal, entry), Notes: []string{},
	}
	for f := range FlagsIn(flags) {
		e.Known = append(e.Known, f)
	}
	e.SignalText = signalText(flags, exitSignal)
	e.Kind = KindOf(likelyEntry(entry, e.Calls), flags)
	for i := range acceptors {
		e.Accepts = append(e.Accepts, acceptors[i].judge(flags, exitSignal))
	}
	for i := range explainNotes {
		if n := &explainNotes[i]; n.holds(&e) {
			e.Notes = append(e.Notes, n.text)
		}
	}
	return e
}

// callsOf lists the forms that the request may be, by any stack and, for an unknown entry,
// any entry. What the kernel does for itself has CLONE_UNTRACED, but for idle tasks: they
// would match the flags of too many others.
func callsOf(flags uint64, exitSignal int, entry Entry) []*CallForm {
	calls := []*CallForm{}
	for i := range CallForms {
		f := &CallForms[i]
		if entry == EntryUnknown && f.Entries&syscallEntries == 0 && flags&CloneUntraced == 0 {
			continue
		}
		if (entry == EntryUnknown || f.Entries.Has(entry)) && f.Matches(flags, exitSignal, f.Stack) {
			calls = append(calls, f)
		}
	}
	return calls
}

var syscallEntries = EntriesOf(EntryFork, EntryVfork, EntryClone, EntryClone3)

// likelyEntry is entry, or for an unknown one that of the first call, or else a system
// call.
func likelyEntry(entry Entry, calls []*CallForm) Entry {
	switch {
	case entry != EntryUnknown:
		return entry
	case len(calls) > 0:
		return calls[0].Entries.List()[0]
	}
	return EntryClone3
}

// signalText says what the parent learns of the child's end.
func signalText(flags uint64, exitSignal int) string {
	switch {
	case flags&CloneThread != 0:
		return "a thread's end sends no signal, whatever is asked for"
	case flags&CloneParent != 0:
		return "the signal is that of the creator's thread group leader, whatever is asked for"
	case flags&CloneAutoreap != 0:
		return "nobody is told of the end, and there is nothing to wait for"
	case exitSignal == 0:
		return "no signal: the parent is not told of the end, and waits for it only with __WALL or __WCLONE"
	case exitSignal == sigChld:
		return "the usual signal: the parent's wait calls see the child as usual"
	case exitSignal < 0 || exitSignal > sigMax:
		return "no such signal: kernels up to 7.0 take it from clone(2) and never tell the parent, later ones refuse it"
	}
	return "sent to the parent when the child ends; the parent waits for such a child only with __WALL or __WCLONE"
}

// acceptor is a system call with the column of the table of flags that is about it.
type acceptor struct {
	call      string
	column    func(*Flag) Accept
	signal    bool   // it takes an exit signal
	highBits  Accept // what it does with nameless bits from 32 on
	otherBits Accept // and with those below
}

var acceptors = []acceptor{
	{"clone", func(f *Flag) Accept { return f.Clone }, true, AcceptIgnored, AcceptOther},
	{"clone3", func(f *Flag) Accept { return f.Clone3 }, true, AcceptNo, AcceptNo},
	{"unshare", func(f *Flag) Accept { return f.Unshare }, false, AcceptNo, AcceptNo},
	{"setns", func(f *Flag) Accept { return f.Setns }, false, AcceptNo, AcceptNo},
}

// severity orders answers from harmless to fatal.
var severity = [acceptCount]int{
	AcceptYes: 0, AcceptIgnored: 1, AcceptPretends: 2, AcceptVaries: 3, AcceptOther: 4, AcceptNo: 5,
}

// judge finds the worst that the call does with a bit, and with which.
func (a *acceptor) judge(flags uint64, exitSignal int) Verdict {
	v := Verdict{Call: a.call, Accept: AcceptYes}
	for f := range FlagsIn(flags) {
		v.add(a.column(f), f.Name)
	}
	const low = 1<<32 - 1
	residue := flags &^ KnownFlags
	if bits := residue & low; bits != 0 {
		v.add(a.otherBits, string(AppendHex(nil, bits)))
	}
	if bits := residue &^ low; bits != 0 {
		v.add(a.highBits, string(AppendHex(nil, bits)))
	}
	if exitSignal != 0 && !a.signal {
		v.add(AcceptNo, string(AppendSignal(nil, exitSignal)))
	}
	return v
}

func (v *Verdict) add(a Accept, name string) {
	if severity[a] > severity[v.Accept] {
		v.Accept, v.Because = a, nil
	}
	if a == v.Accept && a != AcceptYes {
		v.Because = append(v.Because, name)
	}
}

// explainNote is one row of the table of notes.
type explainNote struct {
	holds func(*Explanation) bool
	text  string
}

func (e *Explanation) mayBe(entry Entry) bool { return e.Entry == EntryUnknown || e.Entry == entry }

func (e *Explanation) has(flag uint64) bool { return uint64(e.Flags)&flag != 0 }

var explainNotes = []explainNote{
	{
		func(e *Explanation) bool { return e.mayBe(EntryClone) && e.Flags>>32 != 0 },
		"clone(2) drops bit 32 and above without an error: these flags take effect through clone3 only",
	},
	{
		func(e *Explanation) bool { return e.mayBe(EntryClone) && e.has(CloneNewTime) },
		"in clone(2) bit 0x80 is part of the exit signal; it is CLONE_NEWTIME in clone3, unshare and setns",
	},
	{
		func(e *Explanation) bool { return e.mayBe(EntryClone3) && e.has(CloneDetached) },
		"clone3 refuses CLONE_DETACHED, which clone(2) ignores",
	},
	{
		func(e *Explanation) bool {
			return e.mayBe(EntryClone3) && e.ExitSignal != 0 && e.has(CloneThread|CloneParent)
		},
		"clone3 refuses an exit signal together with CLONE_THREAD or CLONE_PARENT; clone(2) ignores the signal",
	},
	{
		func(e *Explanation) bool { return e.has(CloneEmptyMntNS) && !e.has(CloneNewNS) },
		"the kernel adds CLONE_NEWNS to CLONE_EMPTY_MNTNS, so that a trace shows both",
	},
	{
		func(e *Explanation) bool { return e.has(CloneVfork) && !e.has(CloneVM) },
		"with CLONE_VFORK alone the creator sleeps although the child has memory of its own",
	},
	{
		func(e *Explanation) bool { return e.Residue != 0 },
		"bits that Linux 7.3 has no name for are shown in hexadecimal",
	},
}
