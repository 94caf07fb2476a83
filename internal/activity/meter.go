// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/tracer"
)

// Process is what is known of a process, also when it has ended.
type Process struct {
	tracer.Lineage
	User   string
	marked bool
	// head is the first of the ancestors that have, without another between, the same name:
	// the process itself, or the root of a tree that grows by itself.
	head *Process
	// Generations is how many of them there are above it.
	Generations int
}

// Name is what people call it: the file it executed or its task's name.
func (p *Process) Name() string {
	if p.Comm != "" {
		return p.Comm
	}
	return filepath.Base(p.File)
}

// Cgroup is a cgroup and whose it is.
type Cgroup struct {
	ID   uint64
	Path string // "" if it could not be found
	host.Attribution
}

// Row is what one process, or the processes of a cgroup that had no room of their own,
// did in an interval.
type Row struct {
	ID       tracer.RowID // the zero value of Process for several
	Process  *Process     // nil for several
	Cgroup   *Cgroup      // nil for `other`
	LastExec string
	Delta    tracer.Tally
	Sum      tracer.Tally // since the census began
}

// Sample is what happened in an interval.
type Sample struct {
	At     uint64 // its end, CLOCK_BOOTTIME ns
	Length time.Duration
	Total  tracer.Tally
	Sum    tracer.Tally // since the census began
	Rows   []Row        // only those in which something happened
	// Pidns are the pid namespaces, the initial one excepted, in which somebody created,
	// or failed to.
	Pidns []tracer.PidnsUse
}

// Attempts is how many there were: of the machine, or by the rows, which are read a moment
// later, whichever is more. Nobody's share of it exceeds 1.
func (s *Sample) Attempts() uint64 {
	var rows uint64
	for i := range s.Rows {
		rows += Weight(&s.Rows[i].Delta)
	}
	return max(rows, Weight(&s.Total))
}

// Rate is a number of events as events a second.
func (s *Sample) Rate(n uint64) float64 {
	if s.Length <= 0 {
		return 0
	}
	return float64(n) / s.Length.Seconds()
}

// Merge makes one sample of several that follow one another. It returns nil for none.
func (m *Meter) Merge(samples ...*Sample) *Sample {
	if len(samples) == 0 {
		return nil
	}
	last := samples[len(samples)-1]
	all := &Sample{At: last.At, Sum: last.Sum}
	at := map[tracer.RowID]int{}
	uses := map[uint32]tracer.PidnsUse{} // the newest of each
	for _, s := range samples {
		all.Length += s.Length
		all.Total.Add(&s.Total)
		for _, use := range s.Pidns {
			uses[use.Inum] = use
		}
		for _, r := range s.Rows {
			i, known := at[r.ID]
			if !known {
				at[r.ID] = len(all.Rows)
				all.Rows = append(all.Rows, r)
				continue
			}
			r.Delta.Add(&all.Rows[i].Delta)
			all.Rows[i] = r
		}
	}
	all.Pidns = slices.Collect(maps.Values(uses))
	return all
}

// Paths finds the path of a cgroup by its id, or by a process in it.
type Paths interface {
	Path(id uint64) (string, bool)
	Learn(id uint64, pid uint32) (string, bool)
}

// Meter remembers the snapshot before and everybody's ancestors.
type Meter struct {
	paths   Paths // may be nil
	users   host.Users
	known   map[tracer.ProcessID]*Process
	cgroups map[uint64]*Cgroup
	rows    map[tracer.RowID]tracer.Tally
	last    *tracer.Snapshot
}

// NewMeter begins. paths may be nil, then cgroups have no names.
func NewMeter(paths Paths) *Meter {
	return &Meter{
		paths: paths, known: map[tracer.ProcessID]*Process{}, cgroups: map[uint64]*Cgroup{},
		rows: map[tracer.RowID]tracer.Tally{},
	}
}

// Add takes the next snapshot and returns what happened since the one before; nil for the
// first.
func (m *Meter) Add(s *tracer.Snapshot) *Sample {
	m.learn(s)
	now := make(map[tracer.RowID]tracer.Tally, len(s.Rows))
	sample := &Sample{At: s.At, Total: s.Total, Sum: s.Total}
	for i := range s.Rows {
		r := &s.Rows[i]
		now[r.ID] = r.Tally
		m.take(sample, r.ID, m.known[r.ID.Process], r.LastExec, r.Tally)
	}
	for id, tally := range s.Cgroups {
		shared := tracer.RowID{Cgroup: id}
		now[shared] = tally
		m.take(sample, shared, nil, "", tally)
	}
	now[tracer.RowID{}] = s.Other
	m.take(sample, tracer.RowID{}, nil, "", s.Other)
	m.rows = now
	last := m.last
	m.last = s
	m.forget()
	if last == nil {
		return nil
	}
	for _, use := range s.Pidns {
		if use.At >= last.At {
			sample.Pidns = append(sample.Pidns, use)
		}
	}
	sample.Total.Sub(&last.Total)
	sample.Length = time.Duration(s.At - last.At)
	return sample
}

// take adds a row to the sample if something happened in it.
func (m *Meter) take(sample *Sample, id tracer.RowID, p *Process, exec string, tally tracer.Tally) {
	r := Row{ID: id, Process: p, LastExec: exec, Delta: tally, Sum: tally}
	before := m.rows[id]
	r.Delta.Sub(&before)
	if r.Delta == (tracer.Tally{}) {
		return
	}
	if id.Cgroup != 0 {
		r.Cgroup = m.cgroup(id.Cgroup, id.Process.Pid)
	}
	sample.Rows = append(sample.Rows, r)
}

func (m *Meter) cgroup(id uint64, pid uint32) *Cgroup {
	if c := m.cgroups[id]; c != nil && c.Path != "" {
		return c
	}
	c := &Cgroup{ID: id}
	if m.paths != nil {
		path, ok := m.paths.Path(id)
		if !ok && pid != 0 {
			path, ok = m.paths.Learn(id, pid)
		}
		if ok {
			c.Path, c.Attribution = path, host.Attribute(path)
		}
	}
	m.cgroups[id] = c
	return c
}

// learn takes what the snapshot says of processes.
func (m *Meter) learn(s *tracer.Snapshot) {
	for i := range s.Processes {
		l := &s.Processes[i]
		p := m.known[l.ID]
		if p == nil {
			p = &Process{User: m.users.Name(l.UID)}
			m.known[l.ID] = p
		} else if p.Comm != l.Comm {
			p.head = nil
		}
		p.Lineage = *l
	}
	for i := range s.Processes {
		m.findHead(m.known[s.Processes[i].ID])
	}
	// who is not there any more ended without a trace: a child that created nothing
	seen := make(map[tracer.ProcessID]bool, len(s.Processes))
	for i := range s.Processes {
		seen[s.Processes[i].ID] = true
	}
	for id, p := range m.known {
		if !seen[id] && p.Ended == 0 {
			p.Ended = s.At
		}
	}
}

// findHead gives a process, and those above it that have none, their heads: while the
// ancestors between are still known.
func (m *Meter) findHead(p *Process) {
	var below []*Process
	for p.head == nil {
		up := m.known[p.Parent]
		if up == nil || up == p || up.Comm != p.Comm || len(below) > len(m.known) {
			p.head, p.Generations = p, 0
			break
		}
		below = append(below, p)
		p = up
	}
	for _, b := range slices.Backward(below) {
		b.head, b.Generations = p.head, p.Generations+1
		p = b
	}
}

// nestable is how many generations of the same name are told one by one: shells in shells,
// not the tree of a fork bomb.
const nestable = 8

// up is the next of a process's ancestors that is told: the parent, or the root of a tree
// of processes of the same name, of which those between have long gone.
func (m *Meter) up(p *Process) *Process {
	up := m.known[p.Parent]
	if p.head != nil && p.head != p && (up == nil || p.Generations > nestable) {
		return p.head
	}
	return up
}

// memory is how long the dead are remembered who are nobody's ancestor.
const memory = uint64(2 * time.Minute)

// maxKnown bounds the processes that are remembered: beyond, the dead who are nobody's
// ancestor are forgotten at once.
const maxKnown = 1 << 15

// forget drops the dead that no longer matter.
func (m *Meter) forget() {
	for _, p := range m.known {
		p.marked = false
	}
	for _, p := range m.known {
		if p.Ended != 0 && (len(m.known) > maxKnown || p.Ended+memory < m.last.At) {
			continue
		}
		for n := 0; p != nil && !p.marked && n < MaxLineage; n++ {
			p.marked = true
			p = m.up(p)
		}
	}
	for id := range m.rows {
		for p := m.known[id.Process]; p != nil && !p.marked; p = m.up(p) {
			p.marked = true
		}
	}
	for id, p := range m.known {
		if !p.marked {
			delete(m.known, id)
		}
	}
	m.forgetCgroups()
}

// maxCgroups is how many cgroups are remembered though nobody known is in them.
const maxCgroups = 1 << 12

func (m *Meter) forgetCgroups() {
	if len(m.cgroups) <= maxCgroups {
		return
	}
	used := map[uint64]bool{}
	for id := range m.rows {
		used[id.Cgroup] = true
	}
	for _, p := range m.known {
		used[p.Cgroup] = true
	}
	maps.DeleteFunc(m.cgroups, func(id uint64, _ *Cgroup) bool { return !used[id] })
}

// MaxLineage is how many ancestors are told.
const MaxLineage = 16

// Lineage is a process and its ancestors, it first.
func (m *Meter) Lineage(id tracer.ProcessID) []*Process {
	var line []*Process
	for p := m.known[id]; p != nil && len(line) <= MaxLineage; p = m.up(p) {
		line = append(line, p)
	}
	return line
}

// Process is what is known of one; nil if nothing.
func (m *Meter) Process(id tracer.ProcessID) *Process { return m.known[id] }

// Main is the oldest ancestor of a process that is in the same service, container or
// session: the main process. Where cgroups tell nothing it is the one below process 1.
func (m *Meter) Main(id tracer.ProcessID) *Process {
	line := m.Lineage(id)
	if len(line) == 0 {
		return nil
	}
	of := line[0]
	where := m.cgroup(of.Cgroup, of.ID.Pid)
	for _, p := range line[1:] {
		if p.ID.Pid == 1 || m.known[p.Parent] == nil {
			break // the first process of the machine, or of our pid namespace
		}
		if c := m.cgroup(p.Cgroup, p.ID.Pid); where.Name() != "" && c.Name() != where.Name() {
			break
		}
		of = p
	}
	return of
}

// Title is its name and number.
func (p *Process) Title() string {
	return p.Name() + "(" + strconv.FormatUint(uint64(p.ID.Pid), 10) + ")"
}
