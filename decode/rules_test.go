// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"slices"
	"testing"
)

func (c *ruleCase) check(t *testing.T, rules []Rule) bool {
	t.Helper()
	s := c.conditions()
	traits, err := c.traits()
	if err != nil {
		t.Fatal(err)
	}
	v := viewOf(&c.request, &s, traits)
	return c.fits(newRuleBook(rules).predict(&v, traits))
}

// fits says whether a prediction is what the case wants.
func (c *ruleCase) fits(p Prediction) bool {
	if p.Outcome == OutcomeOpen || errnoOf(p) != c.want {
		return false
	}
	return c.rule == "" || p.Rule != nil && p.Rule.ID == c.rule
}

// TestRulesAlone also shows that each row counts: taking it out makes the kernel accept
// its case, so that no case hides behind two rows.
func TestRulesAlone(t *testing.T) {
	if len(aloneCases) != len(Rules) {
		t.Errorf("%d cases for %d rows", len(aloneCases), len(Rules))
	}
	for i := range min(len(aloneCases), len(Rules)) {
		c := &aloneCases[i]
		s := c.conditions()
		traits, err := c.traits()
		if err != nil {
			t.Fatal(err)
		}
		p := Predict(&c.request, &s, traits)
		if p.Outcome != OutcomeRefused || p.Rule != &Rules[i] || errnoOf(p) != c.want || Rules[i].ID != c.rule {
			t.Errorf("%s: %v by %+v, want row %d, %s", c.name, p.Outcome, p.Rule, i, Rules[i].ID)
			continue
		}
		without := slices.Delete(slices.Clone(Rules), i, i+1)
		v := viewOf(&c.request, &s, traits)
		if p := newRuleBook(without).predict(&v, traits); p.Outcome != OutcomeAccepted {
			t.Errorf("%s: without its row: %v by %+v", c.name, p.Outcome, p.Rule)
		}
	}
}

// TestRuleMutations changes the table in every simple way, and wants a case to notice.
func TestRuleMutations(t *testing.T) {
	corpus := slices.Concat(aloneCases, precedenceCases, acceptedCases)
	mutate(t, Rules, func(rules []Rule) bool {
		return slices.ContainsFunc(corpus, func(c ruleCase) bool { return !c.check(t, rules) })
	})
	mutate(t, UnshareRules[:len(unshareRules)], func(rules []Rule) bool {
		rules = slices.Concat(rules, UnshareRules[len(unshareRules):])
		return slices.ContainsFunc(unshareCases, func(c ruleCase) bool { return !c.checkUnshare(t, rules) })
	})
}

func mutate(t *testing.T, table []Rule, noticed func([]Rule) bool) {
	t.Helper()
	for i := range table {
		for name, mutant := range mutantsOf(&table[i]) {
			rules := slices.Clone(table)
			rules[i] = mutant
			if table[i].ID == "nproc-limit" && name == "needs" {
				continue // kernels without it have refused by the same conditions before
			}
			if !noticed(rules) {
				t.Errorf("row %d, %s: %s goes unnoticed", i, table[i].ID, name)
			}
		}
	}
}

// mutantsOf are the row with another error, and with each part of it left out.
func mutantsOf(r *Rule) map[string]Rule {
	mutants := map[string]Rule{}
	add := func(name string, change func(*Rule)) {
		m := *r
		change(&m)
		mutants[name] = m
	}
	add("errno", func(m *Rule) { m.Errno++ })
	if r.Entries != 0 && r.Entries != clone3Entry { // most of what clone3 has no other way can bring
		add("entries", func(m *Rule) { m.Entries = 0 })
	}
	for f := range FlagsIn(r.All) {
		add("all "+f.Short, func(m *Rule) { m.All &^= f.Value })
	}
	for f := range FlagsIn(r.None) {
		add("none "+f.Short, func(m *Rule) { m.None &^= f.Value })
	}
	if r.Any != 0 {
		add("any", func(m *Rule) { m.Any = 0 })
	}
	for f := range FlagsIn(r.Any) {
		add("any "+f.Short, func(m *Rule) { m.Any &^= f.Value })
	}
	for _, c := range r.When.List() {
		add("when "+c.Name(), func(m *Rule) { m.When[c/64] &^= 1 << (c % 64) })
	}
	for _, c := range r.Unless.List() {
		add("unless "+c.Name(), func(m *Rule) { m.Unless[c/64] &^= 1 << (c % 64) })
	}
	if r.Needs != 0 {
		add("needs", func(m *Rule) { m.Needs = 0 })
	}
	if r.Lacks != 0 {
		add("lacks", func(m *Rule) { m.Lacks = 0 })
	}
	return mutants
}

func TestPrecedence(t *testing.T) {
	for _, c := range slices.Concat(precedenceCases, acceptedCases) {
		if !c.check(t, Rules) {
			s := c.conditions()
			traits, _ := c.traits()
			p := Predict(&c.request, &s, traits)
			t.Errorf("%s: %v by %+v (open %v), want %v by %s", c.name, p.Outcome, p.Rule, p.Open.List(), c.want, c.rule)
		}
	}
}

func TestRuleTable(t *testing.T) {
	for i := range Rules {
		r := &Rules[i]
		if r.ID == "" || r.Sentence == "" || r.Remedy == "" || r.Source == "" || (r.Layer == LayerUnknown) != (r.ID == "io-creator-dying") { // that is refused in none of the layers

			t.Errorf("row %d, %s: something is missing", i, r.ID)
		}
		if r.All&r.None != 0 || r.Needs&r.Lacks != 0 {
			t.Errorf("row %d, %s can never apply", i, r.ID)
		}
		outside := false
		for _, c := range r.When.With(r.Unless).List() {
			outside = outside || !Conditions[c].Derived
		}
		if outside && r.Evidence == "" {
			t.Errorf("row %d, %s depends on more than the request and has no evidence", i, r.ID)
		}
	}
}

func TestConditionTable(t *testing.T) {
	seen := map[string]bool{}
	for c := range conditionCount {
		row := &Conditions[c]
		if row.Name == "" || row.Sentence == "" || seen[row.Name] {
			t.Errorf("condition %d: %+v", c, row)
		}
		seen[row.Name] = true
		if got, err := ParseCondition(row.Name); (err == nil) == row.Derived || err == nil && got != c {
			t.Errorf("ParseCondition(%q) = %d, %v", row.Name, got, err)
		}
	}
	if conditionCount > 128 {
		t.Errorf("%d conditions do not fit into a ConditionSet", conditionCount)
	}
}

// TestClassOf: requests that differ in a flag of which no rule speaks are of one class.
func TestClassOf(t *testing.T) {
	if len(Rules) > 64*classWords {
		t.Fatalf("%d rules", len(Rules))
	}
	of := func(flags uint64) Class { return ClassOf(&Request{Entry: EntryClone, Flags: flags, ParentTid: 1}, 0) }
	if of(CloneVM|CloneIO) != of(CloneVM) || of(CloneVM|ClonePtrace|CloneUntraced) != of(CloneVM) {
		t.Error("CLONE_IO, CLONE_PTRACE or CLONE_UNTRACED make another class")
	}
	if of(CloneVM) == of(0) || of(CloneNewNet) == of(CloneNewUTS) || of(CloneNewNet) == of(CloneNewNet|CloneNewUser) {
		t.Error("flags of which rules speak make no other class")
	}
}
