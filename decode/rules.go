// SPDX-License-Identifier: Apache-2.0

package decode

import "slices"

// Rule is one reason for which the kernel refuses a request. It applies when all of its
// parts do; a part that is zero always does.
type Rule struct {
	ID    string
	Errno Errno // 0: whatever a filter, security module or scheduler answers
	Layer Layer
	Stage Stage // of copy_process in which it is checked

	Entries        EntrySet // ways in that meet the rule; empty for all
	All, Any, None uint64   // flags: all of these, one of these, none of these
	When, Unless   ConditionSet
	Needs, Lacks   Traits // kernels that have it

	Sentence string // why, in general
	Remedy   string
	Evidence string // what tells it from other causes; "" when the request alone shows it
	Source   string // file and function; Linux 7.3 where no version is given
}

// TellsApart says what to look at to tell the rule from others that give the same error.
func (r *Rule) TellsApart() string {
	if r.Evidence == "" {
		return "The request alone shows it."
	}
	return r.Evidence
}

// IsEarly says whether the rule is checked before anything is made for the child, so that
// a request which it refuses costs one system call and leaves nothing behind.
func (r *Rule) IsEarly() bool {
	return slices.ContainsFunc(clone3Rules, r.sameAs) || slices.ContainsFunc(flagRules, r.sameAs)
}

func (r *Rule) sameAs(o Rule) bool { return r.ID == o.ID }

// HoldsFor says whether kernels with these traits have the rule.
func (r *Rule) HoldsFor(traits Traits) bool {
	return traits&r.Needs == r.Needs && traits&r.Lacks == 0
}

// Rules is the table of rules, in the order in which the kernel checks them: the first
// that applies refuses the request. Several rows may share an ID.
var Rules = slices.Concat(clone3Rules, flagRules, resourceRules, copyRules, namespaceRules, pidRules, cgroupRules)

// Outcome is what can be said of a request.
type Outcome uint8

// The outcomes of [Predict].
const (
	OutcomeOpen     Outcome = iota // it depends on what is not known
	OutcomeAccepted                // no rule applies
	OutcomeRefused
)

var outcomeNames = [...]string{"open", "accepted", "refused"}

// String is the name used in JSON.
func (o Outcome) String() string { return outcomeNames[min(int(o), len(outcomeNames)-1)] }

// MarshalText makes JSON show the name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Prediction is what [Predict] answers.
type Prediction struct {
	Outcome Outcome
	// Rule is the rule that refuses. When the outcome is open it is the first that
	// refuses if none of those before it does; nil then stands for acceptance.
	Rule *Rule
	// Open are the conditions that would have to be known for an outcome that is open.
	Open ConditionSet
}

// Errno is that of the rule that refuses; 0 if the request is not refused, if that is
// open, or if the rule has no number of its own.
func (p *Prediction) Errno() Errno {
	if p.Outcome != OutcomeRefused {
		return 0
	}
	return p.Rule.Errno
}

// matcher is what deciding takes of a rule, close together for the processor's cache.
type matcher struct {
	all, any, none uint64
	needs, lacks   Traits
	when, unless   ConditionSet
	entries        EntrySet
}

// ruleBook is a table of rules, made ready to decide by.
type ruleBook struct {
	rules    []Rule
	matchers []matcher
}

var creationBook = newRuleBook(Rules)

// Book is a table of rules to predict by. [Rules] is the kernel's; others are for tests of
// those who compare a kernel with it.
type Book struct{ book *ruleBook }

// NewBook prepares a table of rules, which is in the order in which they are checked.
func NewBook(rules []Rule) *Book { return &Book{newRuleBook(rules)} }

// Predict is like the function [Predict], by the rules of the book.
func (b *Book) Predict(r *Request, s *State, traits Traits) Prediction {
	v := viewOf(r, s, traits)
	return b.book.predict(&v, traits)
}

// PredictUnshare is like the function [PredictUnshare], by the rules of the book.
func (b *Book) PredictUnshare(flags uint64, s *State, traits Traits) Prediction {
	v := unshareView(flags, s, traits)
	return b.book.predict(&v, traits)
}

// Class is a set of rows of [Rules], bit n for row n: those that are about the flags of a
// request, whether or not their conditions hold. To the rules, requests of one class that
// differ in nothing but flags are alike.
type Class [classWords]uint64

const classWords = 4

// ClassOf is the class of a request on a kernel with these traits.
func ClassOf(r *Request, traits Traits) (c Class) {
	var s State
	v := viewOf(r, &s, traits)
	for i := range creationBook.matchers {
		if !creationBook.matchers[i].misses(&v, traits) {
			c[i/64] |= 1 << (i % 64)
		}
	}
	return c
}

func newRuleBook(rules []Rule) *ruleBook {
	matchers := make([]matcher, len(rules))
	for i := range rules {
		r := &rules[i]
		matchers[i] = matcher{r.All, r.Any, r.None, r.Needs, r.Lacks, r.When, r.Unless, r.Entries}
		if r.Entries == 0 {
			matchers[i].entries = 1<<entryCount - 1
		}
	}
	return &ruleBook{rules, matchers}
}

// misses says that the rule is about other calls, other flags or other kernels. Most are,
// and so this is small enough to be inlined.
func (m *matcher) misses(v *view, traits Traits) bool {
	return m.entries&v.entry == 0 || v.flags&m.all != m.all || v.flags&m.none != 0 ||
		m.any != 0 && v.flags&m.any == 0 || traits&m.needs != m.needs || traits&m.lacks != 0
}

// judge says whether a rule that is about the request applies, and if that is open, on
// what it depends.
func (m *matcher) judge(v *view) (applies Truth, open ConditionSet) {
	for i := range open {
		if (m.when[i]&^v.true[i]|m.unless[i]&v.true[i])&v.known[i] != 0 {
			return No, ConditionSet{}
		}
		open[i] = (m.when[i] | m.unless[i]) &^ v.known[i]
	}
	if !open.Empty() {
		return Open, open
	}
	return Yes, open
}

// Predict says what a kernel with these traits answers to a request of a creator in this
// state, and by which rule. It does not allocate. Knowing more never changes an answer
// that is not open.
func Predict(r *Request, s *State, traits Traits) Prediction {
	v := viewOf(r, s, traits)
	return creationBook.predict(&v, traits)
}

func (b *ruleBook) predict(v *view, traits Traits) Prediction {
	var p Prediction
	for i := range b.matchers {
		m := &b.matchers[i]
		if m.misses(v, traits) {
			continue
		}
		switch applies, open := m.judge(v); applies {
		case Open:
			p.Open = p.Open.With(open)
		case Yes:
			p.Rule = &b.rules[i]
			if p.Open.Empty() {
				p.Outcome = OutcomeRefused
			}
			return p
		}
	}
	if p.Open.Empty() {
		p.Outcome = OutcomeAccepted
	}
	return p
}

// Candidates lists, in the kernel's order, the rules that may refuse a request: those
// whose conditions are open, and, last, the first that surely applies.
func Candidates(r *Request, s *State, traits Traits) []*Rule {
	v := viewOf(r, s, traits)
	return creationBook.candidates(&v, traits)
}

func (b *ruleBook) candidates(v *view, traits Traits) []*Rule {
	var rules []*Rule
	for i := range b.matchers {
		m := &b.matchers[i]
		if m.misses(v, traits) {
			continue
		}
		applies, _ := m.judge(v)
		if applies != No {
			rules = append(rules, &b.rules[i])
		}
		if applies == Yes {
			break
		}
	}
	return rules
}

// RulesWith lists the rules of an error number, in the kernel's order.
func RulesWith(errno Errno) []*Rule {
	var rules []*Rule
	for i := range Rules {
		if Rules[i].Errno == errno {
			rules = append(rules, &Rules[i])
		}
	}
	return rules
}

// Sets that several rows need.
var (
	clone3Entry        = EntriesOf(EntryClone3)
	kernelCloneEntries = EntriesOf(EntryFork, EntryVfork, EntryClone, EntryClone3, EntryKernelThread, EntryUserModeHelper)
)

// adminFlags are the flags of namespaces that take CAP_SYS_ADMIN.
const adminFlags = CloneNewTime | CloneNewNS | CloneNewCgroup | CloneNewUTS | CloneNewIPC | CloneNewPid | CloneNewNet
