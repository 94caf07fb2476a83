// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestFallback: a clone that a library makes in the place of a refused clone3 is told as that.
func TestFallback(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t, "--", testkit.Creations(t), "fallback")
	r.Launch(t).WantStatus(t, 0)
	var made struct{ Pid, Refused, Created int64 }
	if err := json.Unmarshal(r.Stdout.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, e := range r.Events(t).Creations {
		if e.Creator.Pid != made.Pid {
			continue
		}
		seen++
		switch {
		case e.Result == made.Refused && e.Fallback == nil:
		case e.Result == made.Created && e.Fallback != nil && *e.Fallback == testkit.Fallback{Entry: "clone3", Errno: "ENOSYS"}:
		default:
			t.Errorf("%s, fallback %+v", describe(&e), e.Fallback)
		}
	}
	if seen != 2 {
		t.Errorf("%d attempts seen", seen)
	}
}

// TestLivelock: an attempt that a signal interrupts again and again is one line, which says
// how often, by which signal and from whom.
func TestLivelock(t *testing.T) {
	testkit.NeedRoot(t)
	const times = 25
	r := testkit.New(t, "--", testkit.Creations(t), "livelock", "25")
	r.Launch(t).WantStatus(t, 0)
	var made struct{ Pid, Sender, Restarts, Created int64 }
	if err := json.Unmarshal(r.Stdout.Bytes(), &made); err != nil {
		t.Fatal(err)
	}
	s := r.Events(t)
	if made.Restarts != times || s.Summary.Restarted != times {
		t.Fatalf("%+v made, %d counted", made, s.Summary.Restarted)
	}
	restarts := 0
	for _, e := range s.Creations {
		if e.Errno != nil && *e.Errno == "ERESTARTNOINTR" {
			restarts++
		}
	}
	if restarts != 1 {
		t.Errorf("%d restarts shown, want the first alone", restarts)
	}
	if len(s.Livelocks) == 0 {
		t.Fatal("no livelock")
	}
	l := s.Livelocks[len(s.Livelocks)-1]
	if l.Creator.Tid != made.Pid || l.Restarts != times || l.ForNS == 0 || !slices.Equal(l.Signals, []string{"SIGUSR2"}) {
		t.Errorf("%+v", l)
	}
	if l.Ended == nil || !*l.Ended || l.Result == nil || *l.Result != made.Created {
		t.Errorf("end %v, result %v, created %d", l.Ended, l.Result, made.Created)
	}
	if l.Sender == nil || l.Sender.Signal != "SIGUSR2" || l.Sender.Code != 0 || l.Sender.Pid == nil || *l.Sender.Pid != made.Sender {
		t.Errorf("sender %+v of %d", l.Sender, made.Sender)
	}
}

// TestLivelockOfFailures: with -x nobody is told that a livelock goes on of which the end is not seen.
func TestLivelockOfFailures(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.Start(t, "-x")
	testkit.Output(t, exec.Command(testkit.Creations(t), "livelock", "25"))
	time.Sleep(1500 * time.Millisecond) // what may go on is told after a second
	r.Stop(t)
	locks := r.Events(t).Livelocks
	if len(locks) == 0 {
		t.Fatal("no livelock")
	}
	for _, l := range locks {
		if l.Ended != nil {
			t.Errorf("its end is said to be known: %+v", l)
		}
	}
}
