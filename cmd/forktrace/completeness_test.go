// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// runLoad makes n creations from four processes and returns what the program counted.
func runLoad(t *testing.T, n int) (testkit.Load, uint64) {
	t.Helper()
	p := testkit.Pause(t, testkit.Creations(t), "load", "4", strconv.Itoa(n))
	pid := p.Start(t)
	return testkit.LoadResult(t, p.Go(t)), uint64(pid)
}

// TestCompleteness traces the whole machine under load: every creation of the load is in
// the stream, and the kernel's own count of all creations is that of the summary.
func TestCompleteness(t *testing.T) {
	testkit.NeedRoot(t)
	n := testkit.Scale(50_000, 20_000)
	for try := 1; ; try++ {
		r := testkit.Start(t)
		before := testkit.QuietForks(t)
		load, pid := runLoad(t, n)
		after := testkit.QuietForks(t)
		r.Stop(t)
		s := testkit.ReadStream[testkit.Brief](t, r.File)

		if load.Created != n {
			t.Fatalf("the load made %d creations, not %d", load.Created, n)
		}
		checkLoadSeen(t, s.Creations, pid, load, s.Summary.Missed)
		if s.Summary.Missed == 0 {
			checkSequence(t, s)
		}
		if sum := s.Summary; sum.Lost != 0 || sum.Received != sum.Matched() || sum.Failed+sum.Missed < uint64(load.Failed) {
			t.Errorf("summary: %+v", sum)
		}
		err := errors.Join(sameForks(&s.Summary), sameGrowth(s.Creations, before, after))
		if err == nil || t.Failed() {
			return
		}
		if try == 3 {
			t.Fatal(err)
		}
		t.Logf("try %d: %v", try, err)
	}
}

// checkLoadSeen counts the creations of the load's tree. Failures may be fewer by what the
// kernel says that it did not let us see, as where programs on trampolines are preempted
// (docs/known-limits.md): on this machine nothing.
func checkLoadSeen(t *testing.T, events []testkit.Brief, root uint64, load testkit.Load, missed uint64) {
	t.Helper()
	tree := map[testkit.Process]bool{}
	var seen testkit.Load
	for i := range events {
		e := &events[i]
		if e.Child.Pid == root && e.Creator.Pid == uint64(os.Getpid()) {
			tree[e.Child] = true
		}
		switch {
		case !tree[e.Creator]:
		case e.Failed():
			seen.Failed++
		default:
			seen.Created++
			tree[e.Child] = true
		}
	}
	if missed > 0 && !testkit.InGuest() {
		t.Errorf("%d missed on this kernel", missed)
	}
	if seen.Created != load.Created || seen.Failed > load.Failed || uint64(load.Failed-seen.Failed) > missed {
		t.Errorf("seen of the load: %+v, made: %+v, missed: %d", seen, load, missed)
	}
}

// checkSequence requires that each CPU's records are numbered without a gap.
func checkSequence(t *testing.T, s *testkit.Stream[testkit.Brief]) {
	t.Helper()
	seen := map[uint64]map[uint64]bool{}
	for i := range s.Creations {
		e := &s.Creations[i]
		if seen[e.CPU] == nil {
			seen[e.CPU] = map[uint64]bool{}
		}
		if seen[e.CPU][e.Seq] {
			t.Fatalf("CPU %d has two records %d", e.CPU, e.Seq)
		}
		seen[e.CPU][e.Seq] = true
	}
	for cpu, numbers := range seen {
		for n := range uint64(len(numbers)) {
			if !numbers[n] {
				t.Errorf("CPU %d: record %d of %d is missing", cpu, n, len(numbers))
				break
			}
		}
	}
}

// TestTinyBuffer loses records, and must account for each of them.
func TestTinyBuffer(t *testing.T) {
	testkit.NeedRoot(t)
	for name, c := range map[string]struct {
		options []string
		status  int
	}{
		"plain":  {nil, exitOK},
		"strict": {[]string{"--strict"}, exitLost},
	} {
		t.Run(name, func(t *testing.T) {
			r := testkit.Start(t, append(c.options, "--buffer-size", "4096")...)
			load, _ := runLoad(t, testkit.Scale(25_000, 4_000))
			r.Terminate(t)
			r.WantStatus(t, c.status)
			s := testkit.ReadStream[testkit.Brief](t, r.File)
			sum := s.Summary
			switch {
			case sum.Lost == 0:
				t.Error("nothing was lost: this load says nothing about loss")
			case sum.Matched() != sum.Received+sum.Lost:
				t.Errorf("created + failed + restarted = %d, received + lost = %d", sum.Matched(), sum.Received+sum.Lost)
			case s.LostSum() != sum.Lost:
				t.Errorf("in-band %d are lost, in the summary %d", s.LostSum(), sum.Lost)
			case uint64(len(s.Creations)) != sum.Received:
				t.Errorf("%d lines for %d received records", len(s.Creations), sum.Received)
			case sum.Created < uint64(load.Created) || sum.Failed+sum.Missed < uint64(load.Failed):
				t.Errorf("the load made %+v, the summary has %+v", load, sum)
			}
		})
	}
}

// TestStrictWithoutLoss: --strict alone is no reason for another status.
func TestStrictWithoutLoss(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.Start(t, "--strict")
	testkit.Output(t, exec.Command(testkit.Creations(t), "cases", "raw"))
	r.Stop(t)
	if lost := r.Events(t).Summary.Lost; lost != 0 {
		t.Errorf("%d lost", lost)
	}
}
