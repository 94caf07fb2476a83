// SPDX-License-Identifier: Apache-2.0

package decode

// EntrySet is a set of entries, bit n for Entry n. The tables use it to say which
// entries a row speaks of; the empty set stands for all.
type EntrySet uint16

// EntriesOf is the set of the given entries.
func EntriesOf(entries ...Entry) (s EntrySet) {
	for _, e := range entries {
		s |= 1 << e
	}
	return s
}

// Has says whether e is in the set, which it always is in the empty one.
func (s EntrySet) Has(e Entry) bool { return s == 0 || s>>e&1 != 0 }

// List returns the members in the order of their numbers.
func (s EntrySet) List() []Entry {
	var entries []Entry
	for e := range entryCount {
		if s>>e&1 != 0 {
			entries = append(entries, e)
		}
	}
	return entries
}
