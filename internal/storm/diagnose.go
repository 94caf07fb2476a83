// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"slices"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/tracer"
)

// Part is somebody and which part of the storm is theirs.
type Part struct {
	Name     string   `json:"name"`
	Pid      uint32   `json:"pid,omitempty"`        // of the largest, where there are several
	Start    uint64   `json:"start_time,omitempty"` // its, CLOCK_BOOTTIME in ns
	Lineage  []string `json:"lineage,omitempty"`    // its, parent first
	Creators int      `json:"creators,omitempty"`   // processes that it stands for
	Share    float64  `json:"share"`                // of all attempts of the machine
	Created  uint64   `json:"created"`
	Failures uint64   `json:"failed"`
	Refused  uint64   `json:"refused,omitempty"` // EAGAIN and ENOMEM, which are among the failures
	// Tasks is how many of those that the limit Of counts are theirs.
	Tasks   uint64 `json:"tasks,omitempty"`
	Of      string `json:"tasks_of,omitempty"`
	Culprit bool   `json:"culprit,omitempty"` // of a victim: it is one of the culprits
	outside bool   // not below the ancestor
}

// Diagnosis is the page that storm prints.
type Diagnosis struct {
	Type      string     `json:"type"`  // storm
	Event     string     `json:"event"` // start, update, end, now
	Schema    int        `json:"schema"`
	Storm     bool       `json:"storm"` // a threshold is exceeded
	Because   string     `json:"because,omitempty"`
	Since     string     `json:"since"`
	Seconds   float64    `json:"seconds"`
	Rate      float64    `json:"created_per_s"`
	Refused   float64    `json:"refused_per_s"`
	Restarted float64    `json:"restarted_per_s"`
	Usual     *float64   `json:"usual_per_s,omitempty"` // nil: not learned
	Shape     string     `json:"shape"`
	Facts     Facts      `json:"facts"`
	Process   *Part      `json:"process,omitempty"`
	Owner     *Part      `json:"owner,omitempty"`
	Ancestor  *Part      `json:"ancestor,omitempty"`
	Unknown   float64    `json:"share_without_process,omitempty"` // counted by cgroup, for want of room
	Headroom  []Headroom `json:"headroom"`
	Culprits  []Part     `json:"culprits"`
	Victims   []Part     `json:"victims"`
	Next      string     `json:"next,omitempty"`
}

// Known is what is known beside the sample.
type Known struct {
	Headroom []Headroom
	// Holders tells whose tasks a limit counts; nil where that cannot be told.
	Holders func(l *Headroom, ancestor *activity.Process) []activity.Holder
	Place   Place
}

const (
	most   = 0.8 // the share of what has a process that an ancestor must explain
	some   = 0.1 // the share of attempts or tasks that makes a culprit
	listed = 5   // culprits and victims that are told
)

// diagnosing is a diagnosis in the making.
type diagnosing struct {
	*Diagnosis
	m        *activity.Meter
	s        *activity.Sample
	inside   *activity.Sample // what the ancestor explains, or all
	outside  *activity.Sample
	ancestor *activity.Process
	attempts float64 // of the machine
	remedy   remedy
}

// Diagnose explains a sample.
func Diagnose(m *activity.Meter, s *activity.Sample, known *Known) *Diagnosis {
	d := &diagnosing{m: m, s: s, inside: s, outside: &activity.Sample{}, attempts: float64(max(s.Attempts(), 1)), Diagnosis: &Diagnosis{
		Type: "storm", Schema: 1, Seconds: s.Length.Seconds(), Rate: s.Rate(s.Total.Forks()),
		Refused: s.Rate(activity.Refusals(&s.Total)), Restarted: s.Rate(s.Total.Failed[tracer.CensusRestarted]),
		Headroom: append([]Headroom{}, known.Headroom...), Culprits: []Part{}, Victims: []Part{},
	}}
	d.findAncestor()
	target := d.ancestor
	if groups := m.Groups(d.inside, activity.ByProcess); len(groups) > 0 {
		p := d.part(groups[0])
		d.Process = &p
		if target == nil && p.Share > 0.5 {
			target = groups[0].Process
		}
	}
	d.Facts = factsOf(m, d.inside.Rows, d.Seconds)
	d.Shape, d.remedy = Shape(&d.Facts)
	d.findOwner(&known.Place, target)
	d.findCulprits(known)
	d.findVictims()
	return d.Diagnosis
}

// part is a group's share of everything.
func (d *diagnosing) part(g *activity.Group) Part {
	p := Part{
		Name: g.Label, Creators: len(g.Rows), Created: g.Delta.Forks(), Failures: g.Delta.Failures(), Refused: activity.Refusals(&g.Delta),
		Share: float64(activity.Weight(&g.Delta)) / d.attempts,
	}
	if g.Process != nil {
		p.Pid, p.Start, p.Lineage = g.Process.ID.Pid, g.Process.ID.Start, d.m.Ancestors(g.Process.ID)
	}
	return p
}

// findAncestor finds the youngest process to whose descendants most of the sample is owed.
func (d *diagnosing) findAncestor() {
	sums := map[*activity.Process]*tracer.Tally{}
	var apart, all tracer.Tally // what was counted by process
	for i := range d.s.Rows {
		r := &d.s.Rows[i]
		all.Add(&r.Delta)
		if r.Process != nil {
			apart.Add(&r.Delta)
		}
		for _, p := range d.m.Lineage(r.ID.Process) {
			if sums[p] == nil {
				sums[p] = &tracer.Tally{}
			}
			sums[p].Add(&r.Delta)
		}
	}
	if n := activity.Weight(&all); n > 0 {
		d.Unknown = 1 - float64(activity.Weight(&apart))/float64(n)
	}
	var best *activity.Process
	for p, t := range sums {
		n := activity.Weight(t)
		if n > 0 && float64(n) >= most*float64(activity.Weight(&apart)) && (best == nil || p.ID.Start > best.ID.Start) {
			best = p
		}
	}
	if best == nil {
		return
	}
	d.ancestor = best
	inside, outside := *d.s, *d.s
	inside.Rows, outside.Rows = nil, nil
	for _, r := range d.s.Rows {
		if slices.Contains(d.m.Lineage(r.ID.Process), best) {
			inside.Rows = append(inside.Rows, r)
		} else {
			outside.Rows = append(outside.Rows, r)
		}
	}
	d.inside, d.outside = &inside, &outside
	p := d.part(&activity.Group{Label: best.Name(), Process: best, Delta: *sums[best]})
	p.Creators = len(inside.Rows)
	d.Ancestor = &p
}

// findOwner finds the cgroup with the most, and what would contain it.
func (d *diagnosing) findOwner(where *Place, target *activity.Process) {
	groups := d.m.Groups(d.s, activity.ByOwner)
	if len(groups) == 0 || groups[0].Cgroup == nil {
		return
	}
	c := groups[0].Cgroup
	p := d.part(groups[0])
	p.Pid, p.Start, p.Lineage = 0, 0, nil
	d.Owner = &p
	if p.Share < most { // not one service's doing
		c = &activity.Cgroup{}
	}
	d.Next = where.next(c, target, d.remedy)
}

// findCulprits finds who uses up the nearest limit, and who creates much.
func (d *diagnosing) findCulprits(known *Known) {
	for i := range d.Headroom {
		h := &d.Headroom[i]
		if !h.near() || known.Holders == nil {
			continue
		}
		for _, holder := range known.Holders(h, d.ancestor) {
			if len(d.Culprits) < listed && float64(holder.Tasks) >= some*float64(*h.Used) {
				d.Culprits = append(d.Culprits, Part{Name: holder.Name, Pid: holder.Pid, Creators: holder.Processes, Tasks: holder.Tasks, Of: h.Name + " of " + h.Where, outside: holder.Outside})
			}
		}
		break
	}
	least := some
	if len(d.Culprits) > 0 { // who creates and leaves nothing behind uses nothing up
		least = 0.5
	}
	for _, g := range d.m.Groups(d.inside, activity.ByCommand) {
		p := d.part(g)
		if p.Share < least {
			continue
		}
		if i := slices.IndexFunc(d.Culprits, func(c Part) bool { return c.Name == p.Name && !c.outside }); i >= 0 {
			p.Tasks, p.Of = d.Culprits[i].Tasks, d.Culprits[i].Of
			d.Culprits[i] = p
		} else if len(d.Culprits) < listed {
			d.Culprits = append(d.Culprits, p)
		}
	}
}

// findVictims finds who is refused: others than the culprits first.
func (d *diagnosing) findVictims() {
	var others, own []Part
	for _, sample := range []*activity.Sample{d.outside, d.inside} {
		for _, g := range d.m.Groups(sample, activity.ByCommand) {
			p := d.part(g)
			// others of the same name, as shells are, have nothing to do with it
			outside := d.ancestor != nil && sample == d.outside
			p.Culprit = slices.ContainsFunc(d.Culprits, func(c Part) bool { return c.Name == p.Name && c.outside == outside })
			switch {
			case p.Refused == 0:
			case p.Culprit:
				own = append(own, p)
			default:
				others = append(others, p)
			}
		}
	}
	d.Victims = append(d.Victims, others...)
	d.Victims = append(d.Victims, own...)
	d.Victims = d.Victims[:min(listed, len(d.Victims))]
}

// factsOf measures what some rows did.
func factsOf(m *activity.Meter, rows []activity.Row, seconds float64) Facts {
	f := Facts{Seconds: seconds}
	created := map[tracer.ProcessID]bool{}
	for i := range rows {
		f.Add(&rows[i].Delta)
		if rows[i].Delta.Forks() > 0 {
			created[rows[i].ID.Process] = true
		}
	}
	for id := range created {
		if id == (tracer.ProcessID{}) {
			continue
		}
		f.Creators++
		p := m.Process(id)
		if p == nil {
			continue
		}
		if up := m.Process(p.Parent); up != nil && up.Comm == p.Comm && p.Generations > 0 {
			f.Selfmade++
		}
	}
	return f
}
