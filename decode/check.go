// SPDX-License-Identifier: Apache-2.0

package decode

import "strconv"

// Check is one promise that the kernel makes about every child, to be compared with what
// was observed before the child ran. It speaks of a creation when all of its conditions
// hold; a part that is zero always does. What is not known breaks no promise.
type Check struct {
	ID             string
	Entries        EntrySet
	All, Any, None uint64 // flags: all of these, one of these, none of these
	Given          Fact   // unless Holds is Open: a fact that is known to be so
	Holds          Truth

	// Either Value finds both what was promised and what was seen, given the fields Have,
	// or Fact is to be as Want says.
	Value func(r *Record) (promised, seen uint64, ok bool)
	Have  Have
	Fact  Fact
	Want  bool

	Promise string // what is promised
	Source  string // file and function, Linux 7.3
	Caveat  string // where nothing is promised, or cannot be seen
	Bug     string // a known bug that breaks it, by its number in the table of bugs
}

// Violation is a promise, or a rule, that was broken.
type Violation struct {
	ID       string // of the [Check], or "accepted" or "refused" for what [Rules] says otherwise
	Promised string
	Seen     string
	Source   string
	Rule     string // the rule's, if it is about one
	Bug      string
}

// The violations that are no row of [Checks].
const (
	ViolationAccepted = "accepted" // what a rule forbids
	ViolationRefused  = "refused"  // without a rule, or with another error
)

// CheckRecord compares a creation with what its flags promise, and its outcome with the
// rules, given what holds on this machine. It returns nil, and allocates nothing, when all
// is as it should be or cannot be told. Calls with one System must not overlap.
func CheckRecord(r *Record, sys *System) []Violation {
	if r.Have&HaveFlags == 0 {
		return nil
	}
	if r.Failed() {
		return checkRefusal(r, sys)
	}
	broken := r.broken()
	rule := forbidding(r, sys.Traits)
	if broken == (checkSet{}) && rule == nil {
		return nil
	}
	var list []Violation
	for i := range Checks {
		if broken[i/64]>>(i%64)&1 != 0 {
			list = append(list, Checks[i].violation(r))
		}
	}
	if rule != nil {
		list = append(list, Violation{
			ID: ViolationAccepted, Promised: string(AppendErrno(nil, rule.Errno)) + ": " + rule.Sentence,
			Seen: "a child was made", Source: rule.Source, Rule: rule.ID,
		})
	}
	return list
}

// checkSet is a set of rows of [Checks], bit n%64 of word n/64 for row n.
type checkSet [2]uint64

// broken are the rows of [Checks] that a success contradicts.
func (r *Record) broken() (set checkSet) {
	for i := range Checks {
		if Checks[i].isBroken(r) {
			set[i/64] |= 1 << (i % 64)
		}
	}
	return set
}

func (c *Check) isBroken(r *Record) bool {
	if !c.Entries.Has(r.Entry) || r.Flags&c.All != c.All || r.Flags&c.None != 0 || c.Any != 0 && r.Flags&c.Any == 0 {
		return false
	}
	if c.Holds != Open && (!r.FactsKnown.Has(c.Given) || r.Facts.Has(c.Given) != (c.Holds == Yes)) {
		return false
	}
	if c.Value == nil {
		return r.FactsKnown.Has(c.Fact) && r.Facts.Has(c.Fact) != c.Want
	}
	promised, seen, ok := c.Value(r)
	return ok && r.Have&c.Have == c.Have && promised != seen
}

func (c *Check) violation(r *Record) Violation {
	v := Violation{ID: c.ID, Promised: c.Promise, Source: c.Source, Bug: c.Bug}
	if c.Value != nil {
		promised, seen, _ := c.Value(r)
		v.Promised += ": " + number64(promised)
		v.Seen = number64(seen)
		return v
	}
	name := Facts[c.Fact].Name
	switch {
	case Facts[c.Fact].Group == FactShared && c.Want:
		v.Seen = name + " is not the creator's"
	case Facts[c.Fact].Group == FactShared:
		v.Seen = name + " is the creator's"
	case c.Want:
		v.Seen = "not " + name
	default:
		v.Seen = name
	}
	return v
}

// number64 writes small and negative numbers as people do, and addresses in hex.
func number64(n uint64) string {
	if v := int64(n); v > -4096 && v < 1<<23 {
		return strconv.FormatInt(v, 10)
	}
	return string(AppendHex(nil, n))
}

// checkedState is what a record tells of its creator, for the rules.
func (r *Record) checkedState() State {
	var s State
	// the mark of an init goes when it is being killed: that it is there is certain
	if r.FactsKnown.Has(FactCreatorNSInit) && r.Facts.Has(FactCreatorNSInit) {
		s.Set(CondPidInit, true)
	}
	for _, f := range [...]struct {
		fact Fact
		cond Condition
	}{
		{FactCreatorForeignPidNS, CondForeignPidNS}, {FactCreatorForeignTimeNS, CondForeignTimeNS}, {FactCreatorAutoreap, CondAutoreap},
	} {
		if r.FactsKnown.Has(f.fact) {
			s.Set(f.cond, r.Facts.Has(f.fact))
		}
	}
	if r.Layer > LayerSeccomp {
		s.Set(CondSeccompDenied, false)
	}
	switch {
	case r.Have&HaveCreatorDetails != 0 && r.Flags&NamespaceFlags != 0:
		s.Set(CondCapAdmin, r.CapEffective>>capSysAdmin&1 != 0)
	case r.Evidence.Known&KnownCreator != 0:
		s.Set(CondCapAdmin, r.Evidence.CapEffective>>capSysAdmin&1 != 0)
	}
	if r.Have&HaveChild != 0 { // without the namespace that CLONE_NEWPID made
		s.PidLevels = uint8(min(uint64(r.ChildLevel)+1-r.Flags&CloneNewPid/CloneNewPid, 255))
	}
	return s
}

// checkedRequest is what a record tells of the request. Fields that are not known, or that
// were read a second time and may have changed since, have values to which no rule
// objects.
func (r *Record) checkedRequest() Request {
	q := Request{Entry: r.Entry, Flags: r.Flags, Size: CloneArgsSize, ParentTid: 1, Pidfd: 2}
	if r.Have&HaveReread != 0 {
		return q
	}
	if r.Have&HaveExitSignal != 0 {
		q.ExitSignal = uint64(uint32(r.ExitSignal))
	}
	if r.Have&HaveTLS != 0 {
		q.TLS = r.TLS
	}
	if r.Entry != EntryClone3 {
		return q
	}
	if r.Have&(HaveStack|HaveStackSize) == HaveStack|HaveStackSize {
		q.Stack, q.StackSize = r.Stack, r.StackSize
	}
	if r.Have&(HavePidfd|HaveParentTidptr) == HavePidfd|HaveParentTidptr {
		q.Pidfd, q.ParentTid = r.Pidfd, r.ParentTidptr
	}
	if r.Have&HaveSetTid != 0 && r.SetTidSize > 0 {
		q.SetTid, q.SetTidSize, q.Tids = 1, uint64(r.SetTidSize), r.SetTid[:min(r.SetTidSize, SetTidMax)]
	}
	return q
}

// judged says whether the rules can be asked about a record: a flag that no row of
// [Flags] explains is of a newer kernel.
func (r *Record) judged() bool {
	return r.Entry.IsSyscall() && r.Flags&^KnownFlags == 0
}

// forbidding is the rule by which a creation that succeeded had to be refused, or nil.
func forbidding(r *Record, traits Traits) *Rule {
	if !r.judged() {
		return nil
	}
	q := r.checkedRequest()
	s := r.checkedState()
	if traits&TraitTLSRange != 0 {
		s.TaskSize = TaskSizeAMD64LA57 // what lies above is no user address on any processor
	}
	v := viewOf(&q, &s, traits)
	for i := range creationBook.matchers {
		m := &creationBook.matchers[i]
		if m.misses(&v, traits) {
			continue
		}
		if applies, _ := m.judge(&v); applies == Yes {
			return &creationBook.rules[i]
		}
	}
	return nil
}

// checkRefusal says what is wrong with a failure: that a rule surely applies and gives
// another error, or that no rule gives this one.
func checkRefusal(r *Record, sys *System) []Violation {
	if !r.judged() || r.Layer < LayerSyscall || r.Restarted() {
		return nil
	}
	if r.Layer == LayerSyscall && !r.argsAreSure() || r.Layer != LayerSyscall && r.Have&HaveReread != 0 {
		return nil
	}
	if rule := contradicted(r, sys.Traits); rule != nil {
		return []Violation{{
			ID: ViolationRefused, Promised: string(AppendErrno(nil, rule.Errno)) + ": " + rule.Sentence,
			Seen: string(AppendErrno(nil, r.Errno())), Source: rule.Source, Rule: rule.ID,
		}}
	}
	// further out, a hook on a function inside can have been missed
	if r.Layer == LayerCopyProcess && r.unexplained(sys) {
		return []Violation{{
			ID: ViolationRefused, Promised: "no rule refuses such a request with this error",
			Seen: string(AppendErrno(nil, r.Errno())), Source: "kernel/fork.c",
		}}
	}
	return nil
}

// contradicted is the rule that surely applies to a failure which has another error, and
// which no rule explains that may come first: nil if there is none. Behind the rules that
// security modules and schedulers have a say in, nothing is sure.
func contradicted(r *Record, traits Traits) *Rule {
	q := r.checkedRequest()
	if r.Layer == LayerSyscall {
		q.fromArgs(r)
	}
	s := r.checkedState()
	v := viewOf(&q, &s, traits)
	for i := range creationBook.matchers {
		m := &creationBook.matchers[i]
		rule := &creationBook.rules[i]
		if m.misses(&v, traits) || r.Layer == LayerSyscall && rule.Layer != LayerSyscall {
			continue
		}
		applies, _ := m.judge(&v)
		if applies != No && (rule.Errno == 0 || rule.Errno == r.Errno()) {
			return nil
		}
		if applies == Yes {
			return rule
		}
	}
	return nil
}

// argsAreSure says whether clone3's arguments, which were read again after it had refused
// them, can be taken for those that it read: no other task shares the memory they are in
// (another process may map the same pages, which is not looked at), and nothing was missing
// that may have been there before.
func (r *Record) argsAreSure() bool {
	const needed = KnownArgs | KnownMM
	e := &r.Evidence
	return r.Entry == EntryClone3 && e.Known&needed == needed && e.MMAlone && !e.ArgsFault && !e.SetTidFault &&
		(e.ArgsSize <= CloneArgsSize || Tail(e.Tail) < TailFault) && r.Errno() != ENOSYS
}
