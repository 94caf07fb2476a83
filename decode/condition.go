// SPDX-License-Identifier: Apache-2.0

package decode

import "math/bits"

// Condition is something that holds or does not when a request is made, and that a rule
// depends on: a property of the request that takes arithmetic to see, of the creator, or
// of the system. [Conditions] has a row for each.
type Condition uint8

// ConditionSet is a set of conditions, bit n%64 of word n/64 for Condition n.
type ConditionSet [2]uint64

// ConditionsOf is the set of the given conditions.
func ConditionsOf(conditions ...Condition) (s ConditionSet) {
	for _, c := range conditions {
		s[c/64] |= 1 << (c % 64)
	}
	return s
}

// Has says whether c is in the set.
func (s ConditionSet) Has(c Condition) bool { return s[c/64]>>(c%64)&1 != 0 }

// Empty says whether the set has no member.
func (s ConditionSet) Empty() bool { return s[0]|s[1] == 0 }

// List returns the members in the order of the table.
func (s ConditionSet) List() []Condition {
	var list []Condition
	for i, word := range s {
		for ; word != 0; word &= word - 1 {
			list = append(list, Condition(64*i+bits.TrailingZeros64(word)))
		}
	}
	return list
}

// ConditionInfo is one row of the table of conditions.
type ConditionInfo struct {
	Name     string // as --state takes it
	Sentence string // what holds, as a clause
	// Derived marks what follows from the request and the numbers of a [State], and so
	// cannot be set.
	Derived bool
}

// Name is the name of the condition.
func (c Condition) Name() string { return Conditions[c].Name }

// ParseCondition finds a condition that a [State] can hold by its name.
func ParseCondition(name string) (Condition, error) {
	for c := range conditionCount {
		if row := &Conditions[c]; row.Name == name && !row.Derived {
			return c, nil
		}
	}
	return 0, &UnknownNameError{What: "state", Name: name, Near: Nearest(name, ConditionNames())}
}

// ConditionNames lists the names that [ParseCondition] takes, in the order of the table.
func ConditionNames() []string {
	var names []string
	for c := range Conditions {
		if row := &Conditions[c]; !row.Derived {
			names = append(names, row.Name)
		}
	}
	return names
}
