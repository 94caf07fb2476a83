// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"time"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/tracer"
)

// Frame is what is shown of one interval; as JSON it is what top saves.
type Frame struct {
	Type     string            `json:"type"` // top
	Schema   int               `json:"schema"`
	Time     time.Time         `json:"time"`
	Seconds  float64           `json:"seconds"` // the length of the interval
	Created  map[string]uint64 `json:"created"` // by kind
	Failed   map[string]uint64 `json:"failed"`  // by errno
	Exits    uint64            `json:"exits"`   // of processes
	Execs    uint64            `json:"execs"`
	Machine  host.Machine      `json:"machine"`
	WrapIn   float64           `json:"pids_wrap_in_s,omitempty"` // 0: not known, or never at this rate
	Limits   []host.Limit      `json:"limits"`                   // nearest to being reached first
	Groups   map[By][]Entry    `json:"groups"`
	NotShown int               `json:"groups_left_out,omitempty"`
	NotSeen  []string          `json:"not_seen,omitempty"` // on this kernel
}

// Entry is one group of an interval.
type Entry struct {
	Key       string   `json:"-"`
	Name      string   `json:"name"`
	Pid       uint32   `json:"pid,omitempty"` // of the largest process
	Start     uint64   `json:"start_time,omitempty"`
	User      string   `json:"user,omitempty"`
	File      string   `json:"file,omitempty"`
	Cgroup    string   `json:"cgroup,omitempty"`
	Owner     string   `json:"owner,omitempty"` // container or unit
	Ended     bool     `json:"ended,omitempty"`
	Processes int      `json:"creators"`
	Lineage   []string `json:"lineage,omitempty"`    // names and pids, parent first; who has ended is marked
	Parent    string   `json:"parent_now,omitempty"` // whom the kernel gave it to when its creator ended
	Children  []Child  `json:"children,omitempty"`   // the most active first
	LastExec  string   `json:"last_exec,omitempty"`

	Created   map[string]uint64 `json:"created"`
	Failed    map[string]uint64 `json:"failed,omitempty"`
	Rate      float64           `json:"created_per_s"`
	FailRate  float64           `json:"failed_per_s"`
	Share     float64           `json:"share"` // of the machine's creations and failures
	Reason    string            `json:"main_errno,omitempty"`
	Cause     *Cause            `json:"main_cause,omitempty"` // deduced: see Cause
	Exits     uint64            `json:"exits"`
	Nonzero   uint64            `json:"exits_nonzero"`
	Threads   uint64            `json:"thread_exits"` // its own, but for the first
	Execs     uint64            `json:"execs"`
	MedianNS  int64             `json:"median_lifetime_ns,omitempty"`          // upper bound of its bucket
	AtLeastNS int64             `json:"median_lifetime_at_least_ns,omitempty"` // in its place, where the bucket has none
	ExecPart  *float64          `json:"exec_ratio,omitempty"`
	CopyMean  float64           `json:"copy_mean_ns,omitempty"`    // in copy_process; 0: not known
	CopyMost  uint64            `json:"copy_longest_ns,omitempty"` // since forktrace began
	Alive     int64             `json:"alive"`                     // of what it created since forktrace began
	Total     uint64            `json:"created_since_start"`
}

// Child are the processes of one name that a group created: those that live, and those
// that created something themselves in the interval.
type Child struct {
	Name    string  `json:"name"`
	Pid     uint32  `json:"pid"` // of one of them
	Alive   int     `json:"alive"`
	Ended   int     `json:"ended"`
	Rate    float64 `json:"created_per_s"`
	Failing float64 `json:"failed_per_s"`
}

// maxEntries bounds the groups of a frame.
const maxEntries = 200

// Frame makes what is shown of a sample.
func (m *Meter) Frame(s *Sample, at time.Time, machine host.Machine, limits []host.Limit) *Frame {
	f := &Frame{
		Type: "top", Schema: 1, Time: at, Seconds: s.Length.Seconds(), Created: kinds(&s.Total), Failed: failures(&s.Total),
		Exits: s.Total.Exits, Execs: s.Total.Execs, Machine: machine, Limits: limits, Groups: map[By][]Entry{},
		WrapIn: wrapIn(machine, s.Rate(s.Total.Forks())),
	}
	if f.Limits == nil {
		f.Limits = []host.Limit{}
	}
	attempts, families := s.Attempts(), m.families(s)
	for _, by := range Ways {
		groups := m.Groups(s, by)
		if len(groups) > maxEntries {
			f.NotShown = max(f.NotShown, len(groups)-maxEntries)
			groups = groups[:maxEntries]
		}
		entries := make([]Entry, len(groups))
		for i, g := range groups {
			entries[i] = m.entry(s, g, attempts)
			entries[i].Children = families.of(g)
		}
		f.Groups[by] = entries
	}
	return f
}

// wrapIn is the time until the numbers of processes begin anew, in seconds.
func wrapIn(machine host.Machine, rate float64) float64 {
	if machine.PidMax <= machine.LastPid || rate < 1 {
		return 0
	}
	return float64(machine.PidMax-machine.LastPid) / rate
}

func kinds(t *tracer.Tally) map[string]uint64 {
	all := map[string]uint64{}
	for i, n := range t.Created {
		if n > 0 {
			all[tracer.CensusKindNames[i]] = n
		}
	}
	return all
}

func failures(t *tracer.Tally) map[string]uint64 {
	all := map[string]uint64{}
	for i, n := range t.Failed {
		if n > 0 {
			all[tracer.CensusErrorNames[i]] = n
		}
	}
	return all
}

// endedMark stands behind the name of an ancestor that has ended.
const endedMark = "†"

func (m *Meter) entry(s *Sample, g *Group, attempts uint64) Entry {
	e := Entry{
		Key: g.Key, Name: g.Label, Processes: len(g.Rows), LastExec: g.Rows[0].LastExec,
		Created: kinds(&g.Delta), Failed: failures(&g.Delta), Rate: s.Rate(g.Delta.Forks()), FailRate: s.Rate(g.Delta.Failures()),
		Exits: g.Delta.Exits, Nonzero: g.Delta.Nonzero, Threads: g.Delta.ThreadExits, Execs: g.Delta.Execs, Alive: g.Sum.Alive, Total: g.Sum.Forks(),
	}
	if attempts > 0 {
		e.Share = float64(Weight(&g.Delta)) / float64(attempts)
	}
	if n := g.Delta.Forks(); n > 0 {
		e.CopyMean, e.CopyMost = float64(g.Delta.Took)/float64(n), g.Delta.TookMost
	}
	e.Reason, _ = MainError(&g.Delta)
	if bound, atLeast, ok := MedianLifetime(&g.Delta); ok && atLeast {
		e.AtLeastNS = int64(bound)
	} else if ok {
		e.MedianNS = int64(bound)
	}
	if r, ok := ExecRatio(&g.Delta); ok {
		e.ExecPart = &r
	}
	if c := g.Cgroup; c != nil {
		e.Cgroup, e.Owner = c.Path, c.Name()
	}
	if p := g.Process; p != nil {
		e.Pid, e.Start, e.User, e.File, e.Ended = p.ID.Pid, p.ID.Start, p.User, p.File, p.Ended != 0
		e.Lineage = m.Ancestors(p.ID)
	}
	return e
}

// Ancestors are the names and pids of those that a process descends from, parent first; who
// has ended is marked.
func (m *Meter) Ancestors(id tracer.ProcessID) (titles []string) {
	lineage := m.Lineage(id)
	for _, up := range lineage[min(1, len(lineage)):] {
		title := up.Title()
		if up.Ended != 0 {
			title += endedMark
		}
		titles = append(titles, title)
	}
	return titles
}
