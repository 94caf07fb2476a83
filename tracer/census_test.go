// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
	readCensus(t, c)                    // who has ended is in one for the last time
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

// TestCensus counts a load at full speed, with room for all rows and with next to none: the
// rows' sum is the total, that is what the kernel itself counts, and the load's own rows
// have what it made and what it was refused.
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
	dir, _ := testkit.PidsCgroup(t, 1000)
	var cgroup unix.Stat_t
	if err := unix.Stat(dir, &cgroup); err != nil {
		t.Fatal(err)
	}
	_, err := os.Stat(filepath.Join(dir, "cgroup.controllers"))
	o.V1 = err != nil
	c := openCensus(t, o)
	first, before := quietCensus(t, c)
	p := testkit.Pause(t, testkit.Creations(t), "load", "4", strconv.Itoa(testkit.Scale(200_000, 8_000)))
	pid := uint32(p.Start(t))
	testkit.Join(t, dir, int(pid))
	load := testkit.LoadResult(t, p.Go(t))
	own := ofCgroup(readCensus(t, c), cgroup.Ino)
	last, after := quietCensus(t, c)

	missed := c.Missed()
	if missed > 0 && !testkit.InGuest() {
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
	timed := slices.ContainsFunc(c.Plan(), func(a Attached) bool { return a.Need == NeedRequest && a.Hook != nil })
	if timed != (grown.Took > 0) || grown.TookMost > grown.Took {
		t.Errorf("%d ns in copy_process, the longest %d", grown.Took, grown.TookMost)
	}
	if o.Rows > 0 {
		own.Add(&last.Other) // where there is no room for its cgroup either
		return atLeast(&own, load, missed)
	}
	if own.Forks() != uint64(load.Created) || own.Failed[CensusEINVAL]+missed < uint64(load.Failed) || own.Failures() > uint64(load.Failed) {
		t.Errorf("the load made %+v, its rows have %+v, missed %d", load, own, missed)
	}
	return loadRows(last, pid)
}

// ofCgroup adds what was counted for one cgroup.
func ofCgroup(s *Snapshot, id uint64) (sum Tally) {
	for i := range s.Rows {
		if s.Rows[i].ID.Cgroup == id {
			sum.Add(&s.Rows[i].Tally)
		}
	}
	shared := s.Cgroups[id]
	sum.Add(&shared)
	return sum
}

// atLeast requires that counters shared with others have what a load made.
func atLeast(own *Tally, load testkit.Load, missed uint64) error {
	if own.Forks() < uint64(load.Created) || own.Failures()+missed < uint64(load.Failed) {
		return fmt.Errorf("the load made %+v, the shared rows have %+v, missed %d", load, *own, missed)
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
	// Start returns when exec has closed the files, which is before the kernel reports it.
	testkit.Eventually(t, "the lineage of the child", func() error {
		by := map[ProcessID]Lineage{}
		var child Lineage
		for _, l := range readCensus(t, c).Processes {
			by[l.ID] = l
			if l.ID.Pid == pid {
				child = l
			}
		}
		if child.Comm != "sh" || child.File == "" || child.UID != uint32(os.Getuid()) || int(child.Parent.Pid) != os.Getpid() {
			return fmt.Errorf("of %d, the child is %+v", len(by), child)
		}
		if up := by[child.Parent]; up.Comm == "" || up.Parent.Pid == 0 {
			return fmt.Errorf("this process is %+v", up)
		}
		return nil
	})
	p.Go(t)
}
