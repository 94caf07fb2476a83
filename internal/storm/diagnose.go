// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/internal/output"
	"github.com/forktrace/forktrace/tracer"
)

// Part is somebody and which part of the storm is theirs.
type Part struct {
	Name     string  `json:"name"`
	Pid      uint32  `json:"pid,omitempty"`
	Share    float64 `json:"share"`
	Created  uint64  `json:"created"`
	Failures uint64  `json:"failed"`
}

// Headroom is a limit with how fast it fills.
type Headroom struct {
	host.Limit
	Growth float64 `json:"growth_per_s"`
	In     float64 `json:"exhausted_in_s,omitempty"` // 0: not at this growth
}

// Diagnosis is the page that storm prints.
type Diagnosis struct {
	Type     string     `json:"type"`  // storm
	Event    string     `json:"event"` // start, update, end, now
	Schema   int        `json:"schema"`
	Because  string     `json:"because,omitempty"`
	Since    string     `json:"since"`
	Seconds  float64    `json:"seconds"`
	Rate     float64    `json:"created_per_s"`
	Refused  float64    `json:"refused_per_s"`
	Usual    float64    `json:"usual_per_s"`
	Shape    string     `json:"shape"`
	Numbers  string     `json:"numbers"`
	Process  *Part      `json:"process,omitempty"`
	Owner    *Part      `json:"owner,omitempty"`
	Ancestor *Part      `json:"ancestor,omitempty"`
	Headroom []Headroom `json:"headroom"`
	Culprits []Part     `json:"culprits"`
	Victims  []Part     `json:"victims"`
	Next     string     `json:"next,omitempty"`
}

// most is the share that an ancestor must explain.
const most = 0.8

// listed is how many culprits and victims are told.
const listed = 5

// Diagnose explains a sample; limits are those that its creators meet.
func Diagnose(m *activity.Meter, s *activity.Sample, limits []Headroom) *Diagnosis {
	d := &Diagnosis{Type: "storm", Schema: 1, Seconds: s.Length.Seconds(), Rate: s.Rate(s.Total.Forks()),
		Refused: s.Rate(refusals(&s.Total)), Headroom: []Headroom{}, Culprits: []Part{}, Victims: []Part{}}
	all := float64(max(activity.Weight(&s.Total), 1))
	partOf := func(name string, pid uint32, t *tracer.Tally) Part {
		return Part{name, pid, float64(activity.Weight(t)) / all, t.Forks(), t.Failures()}
	}
	ancestor, tally := explaining(m, s)
	inside := s // what the ancestor explains, or all
	if ancestor != nil {
		p := partOf(ancestor.Name(), ancestor.ID.Pid, tally)
		d.Ancestor = &p
		part := *s
		part.Rows = below(m, s, ancestor)
		inside = &part
	}
	target := ancestor
	if groups := m.Groups(inside, activity.ByProcess); len(groups) > 0 {
		g := groups[0]
		p := partOf(g.Label, pidOf(g), &g.Delta)
		d.Process = &p
		if target == nil && p.Share > 0.5 {
			target = g.Process
		}
		for _, g := range groups[:min(listed, len(groups))] {
			d.Culprits = append(d.Culprits, partOf(g.Label, pidOf(g), &g.Delta))
		}
	}
	groups := m.Groups(s, activity.ByProcess)
	slices.SortStableFunc(groups, func(a, b *activity.Group) int { return cmp.Compare(refusals(&b.Delta), refusals(&a.Delta)) })
	for _, g := range groups[:min(listed, len(groups))] {
		if refusals(&g.Delta) > 0 {
			d.Victims = append(d.Victims, partOf(g.Label, pidOf(g), &g.Delta))
		}
	}
	if groups := m.Groups(s, activity.ByCgroup); len(groups) > 0 && groups[0].Cgroup != nil {
		c := groups[0].Cgroup
		p := partOf(c.Path, 0, &groups[0].Delta)
		d.Owner = &p
		if p.Share < most { // not one service's doing
			c = &activity.Cgroup{}
		}
		d.Next = next(c, target)
		if name := c.Name(); name != "" {
			p.Name = name
		}
	}
	f := factsOf(m, inside.Rows, d.Seconds)
	d.Shape, d.Numbers = Shape(f), f.Numbers()
	d.Headroom = append(d.Headroom, limits...)
	return d
}

func pidOf(g *activity.Group) uint32 {
	if g.Process == nil {
		return 0
	}
	return g.Process.ID.Pid
}

func refusals(t *tracer.Tally) uint64 {
	return t.Failed[tracer.CensusEAGAIN] + t.Failed[tracer.CensusENOMEM]
}

// Grow takes the use some seconds ago.
func (h *Headroom) Grow(before uint64, seconds float64) {
	if seconds <= 0 {
		return
	}
	h.Growth = (float64(*h.Used) - float64(before)) / seconds
	// below one a second a count that moves up and down says nothing
	if h.Growth >= 1 && *h.Max > *h.Used {
		h.In = float64(*h.Max-*h.Used) / h.Growth
	}
}

// explaining is the youngest process to whose descendants most of the sample is owed.
func explaining(m *activity.Meter, s *activity.Sample) (*activity.Process, *tracer.Tally) {
	sums := map[*activity.Process]*tracer.Tally{}
	for i := range s.Rows {
		for _, p := range m.Lineage(s.Rows[i].ID.Process) {
			if sums[p] == nil {
				sums[p] = &tracer.Tally{}
			}
			sums[p].Add(&s.Rows[i].Delta)
		}
	}
	var best *activity.Process
	for p, t := range sums {
		if float64(activity.Weight(t)) >= most*float64(activity.Weight(&s.Total)) && (best == nil || p.ID.Start > best.ID.Start) {
			best = p
		}
	}
	return best, sums[best]
}

// below are the rows of a process and its descendants.
func below(m *activity.Meter, s *activity.Sample, top *activity.Process) []activity.Row {
	return slices.DeleteFunc(slices.Clone(s.Rows), func(r activity.Row) bool {
		return !slices.Contains(m.Lineage(r.ID.Process), top)
	})
}

func factsOf(m *activity.Meter, rows []activity.Row, seconds float64) *Facts {
	f := &Facts{Seconds: seconds}
	created := map[tracer.ProcessID]bool{}
	for i := range rows {
		f.Add(&rows[i].Delta)
		if rows[i].Delta.Forks() > 0 {
			created[rows[i].ID.Process] = true
		}
	}
	for i := range rows {
		p := rows[i].Process
		if rows[i].Delta.Forks() == 0 {
			continue
		}
		f.Creators++
		if p == nil {
			continue
		}
		if up := m.Process(p.Parent); up != nil && created[up.ID] && up.Comm == p.Comm {
			f.Selfmade++
		}
	}
	return f
}

// next is the command that would contain it. It is never run.
func next(c *activity.Cgroup, origin *activity.Process) string {
	switch {
	case c.Runtime == "docker" || c.Runtime == "podman":
		return c.Runtime + " pause " + c.Container
	case c.UserUnit != "":
		return "systemctl --user --machine=" + c.UID + "@ set-property --runtime " + quote(c.UserUnit) + " TasksMax=100"
	case c.Unit != "":
		return "systemctl set-property --runtime " + quote(c.Unit) + " TasksMax=100"
	case origin != nil && origin.Ended == 0:
		return fmt.Sprintf("prlimit --pid %d --nproc=100   # not for root's processes; or: kill -STOP %d", origin.ID.Pid, origin.ID.Pid)
	}
	return ""
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// WriteText prints the page.
func (d *Diagnosis) WriteText(w io.Writer) error {
	var b strings.Builder
	safe := func(s string) string { return string(output.AppendSafe(nil, []byte(s))) }
	fmt.Fprintf(&b, "since     %s: %.0f creations/s, %.0f refused/s; usual is %.0f/s\n", d.Since, d.Rate, d.Refused, d.Usual)
	if d.Because != "" {
		fmt.Fprintf(&b, "because   %s\n", d.Because)
	}
	fmt.Fprintf(&b, "shape     %s: %s\n", d.Shape, d.Numbers)
	for _, p := range []struct {
		title string
		*Part
	}{{"process", d.Process}, {"owner", d.Owner}, {"ancestor", d.Ancestor}} {
		if p.Part != nil {
			fmt.Fprintf(&b, "%-9s %s\n", p.title, p.line(safe))
		}
	}
	for _, h := range d.Headroom {
		fmt.Fprintf(&b, "limit     %s of %s: %d of %d", h.Name, safe(h.Where), *h.Used, *h.Max)
		if h.In > 0 {
			fmt.Fprintf(&b, ", at %+.0f/s reached in %.0f s", h.Growth, h.In)
		}
		b.WriteByte('\n')
	}
	for _, p := range d.Culprits {
		fmt.Fprintf(&b, "culprit   %s\n", p.line(safe))
	}
	for _, p := range d.Victims {
		fmt.Fprintf(&b, "victim    %s\n", p.line(safe))
	}
	if d.Next != "" {
		fmt.Fprintf(&b, "contain   %s\n", safe(d.Next))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Part) line(safe func(string) string) string {
	name := safe(p.Name)
	if p.Pid != 0 {
		name += fmt.Sprintf("(%d)", p.Pid)
	}
	return fmt.Sprintf("%s: %.0f%% of all attempts, %d created, %d failed", name, 100*p.Share, p.Created, p.Failures)
}
