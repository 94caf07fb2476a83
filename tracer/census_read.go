// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

var errBatchRoom = unix.ENOSPC

// CensusKind is what was made, coarsely: an index of Tally.Created (enum census_kind in
// bpf/census.h).
type CensusKind int

// The kinds.
const (
	CensusProcess CensusKind = iota
	CensusVfork
	CensusThread
	CensusKernel // kernel threads, user-mode helpers, idle tasks
	CensusIOWorker
	CensusUserWorker
	CensusKinds
)

// CensusKindNames are the kinds as JSON has them.
var CensusKindNames = [CensusKinds]string{"process", "vfork", "thread", "kernel", "io_worker", "user_worker"}

// CensusError is why a creation failed: an index of Tally.Failed (enum census_error).
type CensusError int

// The reasons.
const (
	CensusEAGAIN CensusError = iota
	CensusENOMEM
	CensusEPERM
	CensusEINVAL
	CensusENOSPC
	CensusOther
	CensusRestarted // no failure: a signal came first, and the call is made again
	CensusErrors
)

// CensusErrorNames are the reasons as JSON has them.
var CensusErrorNames = [CensusErrors]string{"EAGAIN", "ENOMEM", "EPERM", "EINVAL", "ENOSPC", "other", "restarted"}

// CensusLifetimes is the number of buckets of Tally.Lifetimes.
const CensusLifetimes = 24

// Tally is what was counted for a creating process, a cgroup or the machine.
type Tally struct {
	Created     [CensusKinds]uint64
	Failed      [CensusErrors]uint64
	Exits       uint64 // of processes that it created, those before the census too
	Nonzero     uint64 // those of them with another status than 0
	ThreadExits uint64 // of its own threads, without the first
	Execs       uint64 // by processes that it created
	SameExecs   uint64 // those of them that have the name of the one before
	// Lifetimes of its children, threads too: bucket n counts those from 2^n µs to below
	// 2^(n+1), the last all that lived longer.
	Lifetimes [CensusLifetimes]uint64
	// Took is the time that its successful creations spent in copy_process, ns, and TookMost
	// the longest; 0 where the plan has no hook at its entry.
	Took, TookMost uint64
	// Alive is what it has created since the census began and has not ended, less older
	// threads that have.
	Alive int64
}

// Forks is the number of all creations.
func (t *Tally) Forks() (n uint64) {
	for _, c := range t.Created {
		n += c
	}
	return n
}

// Failures is the number of all failures.
func (t *Tally) Failures() (n uint64) {
	for _, c := range t.Failed[:CensusRestarted] {
		n += c
	}
	return n
}

// Add adds another tally.
func (t *Tally) Add(o *Tally) {
	t.combine(o, 1)
	t.TookMost = max(t.TookMost, o.TookMost)
}

// Sub takes an earlier tally away. TookMost stays what it is if there were creations since,
// as it is not known which was the longest of those.
func (t *Tally) Sub(o *Tally) {
	t.combine(o, ^uint64(0))
	if t.Took == 0 {
		t.TookMost = 0
	}
}

// combine adds o times sign, which is 1 or -1 modulo 2^64.
func (t *Tally) combine(o *Tally, sign uint64) {
	for i := range t.Created {
		t.Created[i] += sign * o.Created[i]
	}
	for i := range t.Failed {
		t.Failed[i] += sign * o.Failed[i]
	}
	for i := range t.Lifetimes {
		t.Lifetimes[i] += sign * o.Lifetimes[i]
	}
	t.Exits += sign * o.Exits
	t.Nonzero += sign * o.Nonzero
	t.ThreadExits += sign * o.ThreadExits
	t.Execs += sign * o.Execs
	t.SameExecs += sign * o.SameExecs
	t.Took += sign * o.Took
	t.Alive += int64(sign) * o.Alive
}

func tallyOf(b *bpfTally) Tally {
	return Tally{
		Created: b.Created, Failed: b.Failed, Exits: b.Exits, Nonzero: b.Nonzero, ThreadExits: b.ThreadExits,
		Execs: b.Execs, SameExecs: b.SameExecs, Lifetimes: b.Lifetimes, Took: b.Took, TookMost: b.TookMost, Alive: b.Alive,
	}
}

// ProcessID names a process for ever: numbers are used again. The zero value is none.
type ProcessID struct {
	Pid   uint32 // tgid in the initial pid namespace
	Start uint64 // CLOCK_BOOTTIME ns
}

// RowID names a creating process in a cgroup.
type RowID struct {
	Process ProcessID
	Cgroup  uint64
}

// Row is what one process created while it was in one cgroup.
type Row struct {
	ID       RowID
	Tally    Tally
	LastExec string // the name of the child that executed last; "" if none did
}

// Lineage is what is known of a process.
type Lineage struct {
	ID     ProcessID
	Parent ProcessID // at its creation
	Cgroup uint64    // at its creation
	UID    uint32
	Comm   string // as of its last exec or its first creation
	File   string // what it executed since the census began, up to 63 bytes
	Ended  uint64 // CLOCK_BOOTTIME ns; 0 while it lives
}

// Snapshot is what had been counted at about one moment. Rows are read one after another
// while counting goes on; when nothing happens meanwhile, Sum is Total.
type Snapshot struct {
	At        uint64 // CLOCK_BOOTTIME ns
	Total     Tally
	Rows      []Row
	Cgroups   map[uint64]Tally // of processes that had no room for a row
	Other     Tally            // of those whose cgroup had none either
	Retired   Tally            // of processes that ended and were in an earlier snapshot
	Processes []Lineage        // live ones, and those that ended since the last snapshot
	Pidns     []PidnsUse       // of namespaces that somebody has created in, in no order
}

// PidnsUse is how full a pid namespace was when somebody last created in it, or failed to.
// The initial one is not among them: /proc tells of that.
type PidnsUse struct {
	Inum uint32 // inode number, as /proc/PID/ns/pid has it
	At   uint64 // CLOCK_BOOTTIME ns
	Used uint32 // numbers that were taken
	Max  uint32 // its pid_max; 0: the machine's counts (before 6.14)
}

// Sum adds everything but Total.
func (s *Snapshot) Sum() Tally {
	sum := s.Other
	sum.Add(&s.Retired)
	for i := range s.Rows {
		sum.Add(&s.Rows[i].Tally)
	}
	for _, t := range s.Cgroups {
		sum.Add(&t)
	}
	return sum
}

// Read reads everything. Processes that have ended, and whose children have, are in one
// snapshot for the last time: what they counted is in Retired of the next.
func (c *Census) Read() (*Snapshot, error) {
	s := &Snapshot{Retired: c.retired, Cgroups: map[uint64]Tally{}}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return nil, fmt.Errorf("reading the clock: %w", err)
	}
	s.At = uint64(now.Nano())
	if err := errors.Join(sumCPUs(c.kernel.maps["census_total"], &s.Total), sumCPUs(c.kernel.maps["census_other"], &s.Other)); err != nil {
		return nil, err
	}
	ended, err := c.readProcesses(s)
	if err != nil {
		return nil, err
	}
	if err := c.readRows(s, ended); err != nil {
		return nil, err
	}
	ids, tallies, err := c.groups.read(c.kernel.maps["census_cgroups"])
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		s.Cgroups[id] = tallyOf(&tallies[i])
	}
	inums, uses, err := c.pidns.read(c.kernel.maps["census_pidns"])
	if err != nil {
		return nil, err
	}
	for i, inum := range inums {
		s.Pidns = append(s.Pidns, PidnsUse{inum, uses[i].At, uses[i].Used, uses[i].Max})
	}
	return s, nil
}

// sumCPUs adds the counters of all processors.
func sumCPUs(m *ebpf.Map, to *Tally) error {
	var perCPU []bpfTally
	if err := m.Lookup(uint32(0), &perCPU); err != nil {
		return fmt.Errorf("reading %v: %w", m, err)
	}
	for i := range perCPU {
		t := tallyOf(&perCPU[i])
		to.Add(&t)
	}
	return nil
}

// readProcesses reads who there is, and removes those that have ended.
func (c *Census) readProcesses(s *Snapshot) (ended map[ProcessID]bool, err error) {
	m := c.kernel.maps["census_processes"]
	keys, lines, err := c.procs.read(m)
	if err != nil {
		return nil, err
	}
	ended = map[ProcessID]bool{}
	s.Processes = make([]Lineage, len(keys))
	for i := range keys {
		k, l := &keys[i], &lines[i]
		s.Processes[i] = Lineage{
			ID: ProcessID{k.Pid, k.Start}, Parent: ProcessID{l.Parent.Pid, l.Parent.Start}, Cgroup: l.Cgroup,
			UID: l.Uid, Comm: text(l.Comm[:]), File: text(l.File[:]), Ended: l.Ended,
		}
		if l.Ended == 0 {
			continue
		}
		ended[ProcessID{k.Pid, k.Start}] = true
		if err := remove(m, k); err != nil {
			return nil, err
		}
	}
	return ended, nil
}

// readRows reads the counters. Those of a process that has ended are removed as soon as
// nobody is left who counts in them: it creates no more, and no child of it can end.
func (c *Census) readRows(s *Snapshot, ended map[ProcessID]bool) error {
	m := c.kernel.maps["census_rows"]
	keys, tallies, err := c.rows.read(m)
	if err != nil {
		return err
	}
	s.Rows = make([]Row, len(keys))
	waiting := map[ProcessID]bool{}
	for i := range keys {
		k := &keys[i]
		id := ProcessID{k.Process.Pid, k.Process.Start}
		s.Rows[i] = Row{RowID{id, k.Cgroup}, tallyOf(&tallies[i]), text(tallies[i].LastExec[:])}
		if !ended[id] && !c.ended[id] {
			continue
		}
		if s.Rows[i].Tally.Alive > 0 {
			waiting[id] = true
			continue
		}
		if err := remove(m, k); err != nil {
			return err
		}
		c.retired.Add(&s.Rows[i].Tally)
	}
	c.ended = waiting
	return nil
}

func remove(m *ebpf.Map, key any) error {
	if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("removing from %v: %w", m, err)
	}
	return nil
}
