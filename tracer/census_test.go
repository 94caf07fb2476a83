// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/testkit"
)

func openCensus(t *testing.T, o CensusOptions) *Census {
	t.Helper()
	testkit.NeedRoot(t)
	c, err := NewCensus(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func readCensus(t *testing.T, c *Census) *Snapshot {
	t.Helper()
	s, err := c.Read()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// quietCensus reads at a moment when nothing is being created, and returns the kernel's
// own count of creations at that moment: others use the machine too.
func quietCensus(t *testing.T, c *Census) (*Snapshot, uint64) {
	t.Helper()
	readCensus(t, c) // who has ended is in one for the last time
	const margin = 3 * time.Millisecond // for calls in flight
	var s *Snapshot
	var forks uint64
	for range 1000 {
		before := testkit.KernelForks(t)
		time.Sleep(margin)
		if forks = testkit.KernelForks(t); forks != before {
			continue
		}
		s = readCensus(t, c)
		if testkit.KernelForks(t) == forks && s.Sum() == s.Total {
			return s, forks
		}
	}
	if s == nil {
		s = readCensus(t, c)
	}
	t.Log("the machine was never quiet")
	return s, forks
}

// TestCensus counts a load with room for all rows and with next to none: the rows' sum is
// the total, and that is what the kernel itself counts.
func TestCensus(t *testing.T) {
	for name, o := range map[string]CensusOptions{"roomy": {}, "tiny": {Rows: 2}} {
		t.Run(name, func(t *testing.T) {
			for try := 1; ; try++ {
				err := censusOfLoad(t, o)
				if err == nil {
					return
				}
				if try == 3 {
					t.Fatal(err)
				}
				t.Log(err)
			}
		})
	}
}

func censusOfLoad(t *testing.T, o CensusOptions) error {
	c := openCensus(t, o)
	first, before := quietCensus(t, c)
	p := testkit.Pause(t, testkit.Creations(t), "load", "4", strconv.Itoa(testkit.Scale(50_000)))
	pid := uint32(p.Start(t))
	load := testkit.LoadResult(t, p.Go(t))
	last, after := quietCensus(t, c)

	if missed := c.Missed(); missed > 0 && !testkit.InGuest() {
		t.Errorf("%d missed", missed)
	}
	grown := last.Total
	grown.Sub(&first.Total)
	if grown.Forks() != after-before {
		return fmt.Errorf("counted %d creations, the kernel %d", grown.Forks(), after-before)
	}
	if sum := last.Sum(); sum != last.Total {
		return fmt.Errorf("the rows have\n%+v, the total is\n%+v", sum, last.Total)
	}
	if n := grown.Failed[CensusEINVAL]; n < uint64(load.Failed) {
		t.Errorf("%d failures of %d", n, load.Failed)
	}
	if grown.Exits+grown.ThreadExits < uint64(load.Created) {
		t.Errorf("%d+%d ends of %d", grown.Exits, grown.ThreadExits, load.Created)
	}
	timed := slices.ContainsFunc(c.Plan(), func(a Attached) bool { return a.Need == NeedRequest && a.Hook != nil })
	if timed != (grown.Took > 0) || grown.TookMost > grown.Took {
		t.Errorf("%d ns in copy_process, the longest %d", grown.Took, grown.TookMost)
	}
	if o.Rows == 0 {
		return loadRows(last, pid)
	}
	var shared uint64
	for _, cg := range last.Cgroups {
		shared += cg.Forks()
	}
	if shared+last.Other.Forks() < uint64(load.Created)/2 {
		return fmt.Errorf("%d in shared rows", shared)
	}
	return nil
}

// loadRows requires that the load's own row has retired once it has been told.
func loadRows(s *Snapshot, pid uint32) error {
	for _, r := range s.Rows {
		if r.ID.Process.Pid == pid {
			return fmt.Errorf("process %d has ended and still has a row: %+v", pid, r.Tally)
		}
	}
	if s.Retired.Forks() == 0 {
		return fmt.Errorf("nothing has retired")
	}
	return nil
}

// TestCensusLineage finds a child that executed, and this process, which was there before.
func TestCensusLineage(t *testing.T) {
	c := openCensus(t, CensusOptions{})
	p := testkit.Pause(t, testkit.Creations(t), "exit", "0")
	pid := uint32(p.Start(t))
	s := readCensus(t, c)
	by := map[ProcessID]*Lineage{}
	var child *Lineage
	for i := range s.Processes {
		l := &s.Processes[i]
		by[l.ID] = l
		if l.ID.Pid == pid {
			child = l
		}
	}
	if child == nil {
		t.Fatalf("process %d is not among %d", pid, len(s.Processes))
	}
	if child.Comm != "sh" || child.File == "" || child.UID != uint32(os.Getuid()) || int(child.Parent.Pid) != os.Getpid() {
		t.Errorf("the child is %+v", *child)
	}
	if up := by[child.Parent]; up == nil || up.Comm == "" || up.Parent.Pid == 0 {
		t.Errorf("this process is %+v", up)
	}
	p.Go(t)
}
