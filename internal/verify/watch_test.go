// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"strings"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// TestVerifyWatch compares the children of all flags' cases with their promises.
func TestVerifyWatch(t *testing.T) {
	testkit.NeedRoot(t)
	v := newVerifier(t)
	var cases []Case
	for _, c := range Cases() {
		if c.Suite == "flags" {
			cases = append(cases, c)
		}
	}
	results, checked, err := v.RunAll(t.Context(), cases, true)
	if err != nil || checked.Reason != "" || checked.Lost != 0 || checked.Creations < len(cases) {
		t.Fatalf("%v %+v, %d cases", err, checked, len(cases))
	}
	bugs := 0
	for _, r := range results {
		if r.Outcome != Conforms && (r.Outcome != Affected || r.Bug != "G6") {
			t.Errorf("%+v", r)
		}
		if r.Outcome == Affected {
			bugs++
		}
	}
	if bugs != checked.Broken {
		t.Errorf("%d promises broken, %d cases say so", checked.Broken, bugs)
	}
}

// TestBrokenPromise: an observation that contradicts the flags is told of the case during
// which it was made, and of no other.
func TestBrokenPromise(t *testing.T) {
	w := &watcher{}
	known := decode.FactSet(1) << decode.FactMM
	for at, shared := range []bool{true, false, true} { // memory is shared, and promised to be
		r := decode.Record{Time: uint64(at)*10 + 5, Entry: decode.EntryClone, Flags: decode.CloneVM, Have: decode.HaveFlags, FactsKnown: known}
		if shared {
			r.Facts = known
		}
		if err := w.Creation(&r); err != nil {
			t.Fatal(err)
		}
	}
	results := make([]Result, 3)
	for i := range results {
		results[i].Outcome = Conforms
	}
	attribute(w.broken, []span{{0, 9}, {10, 19}, {20, 29}}, results)
	if results[0].Outcome != Conforms || results[1].Outcome != Diverges || results[2].Outcome != Conforms ||
		!strings.Contains(results[1].Reason, "CLONE_VM shares the memory") || w.checked != 3 {
		t.Errorf("%+v", results)
	}
	results[1].breaks(&decode.Violation{ID: "time-ns", Bug: "G6"})
	results[2].breaks(&decode.Violation{ID: "time-ns", Bug: "G6"})
	if results[1].Outcome != Diverges || results[2].Outcome != Affected {
		t.Errorf("a known bug: %+v", results)
	}
}
