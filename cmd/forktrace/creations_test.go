// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestCreations performs one creation of every kind and every cheap failure, and requires
// that each is seen, once and rightly, and that nothing else is.
func TestCreations(t *testing.T) {
	testkit.NeedRoot(t)
	want, got := testkit.TraceCreations(t, nil, "cases")
	if len(want) == 0 {
		t.Fatal("the program performed nothing")
	}
	matchAll(t, want, got.Creations)
	checkTreeSummary(t, got)
	for i := range got.Creations {
		checkAbsent(t, &got.Creations[i])
	}
}

// checkTreeSummary requires totals that agree with the lines of a stream that lost nothing.
func checkTreeSummary(t *testing.T, s *testkit.Stream[testkit.Event]) {
	t.Helper()
	var created, failed uint64
	for _, e := range s.Creations {
		if e.Result < 0 {
			failed++
		} else {
			created++
		}
	}
	sum := s.Summary
	if sum.Created != created || sum.Failed != failed || sum.Lost != 0 || len(s.Lost) != 0 ||
		sum.Received != created+failed+sum.Restarted || sum.Shown != uint64(len(s.Creations)) {
		t.Errorf("%d created and %d failed were shown; summary: %+v", created, failed, sum)
	}
	if sum.SeenCreated < sum.Created {
		t.Errorf("the machine created %d, fewer than the tree's %d", sum.SeenCreated, sum.Created)
	}
}
