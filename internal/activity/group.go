// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/forktrace/forktrace/tracer"
)

// By is a way to put rows together.
type By string

// The ways, in the order in which a key switches them.
const (
	ByProcess   By = "process"
	ByCommand   By = "command"
	ByCgroup    By = "cgroup"
	ByUnit      By = "unit"
	ByContainer By = "container"
	ByUser      By = "user"
	ByAncestor  By = "ancestor"
)

// ByOwner puts a container, pod or unit together, whatever cgroups it has, and else each
// cgroup.
const ByOwner By = "owner"

// Ways lists what --by accepts.
var Ways = []By{ByProcess, ByCommand, ByCgroup, ByUnit, ByContainer, ByUser, ByAncestor}

// Group is rows that belong together.
type Group struct {
	Key     string
	Label   string // for people; it may hold what a traced program chose
	Delta   tracer.Tally
	Sum     tracer.Tally // of the rows in which something happened in the interval
	Rows    []*Row       // largest first
	Process *Process     // of the largest row; nil for several
	Cgroup  *Cgroup      // of the largest row
}

// Weight is what groups and rows are sorted by: attempts, those too that a signal came
// before and that are made again.
func Weight(t *tracer.Tally) uint64 {
	return t.Forks() + t.Failures() + t.Failed[tracer.CensusRestarted]
}

// Refusals are the failures for want of something: EAGAIN and ENOMEM.
func Refusals(t *tracer.Tally) uint64 {
	return t.Failed[tracer.CensusEAGAIN] + t.Failed[tracer.CensusENOMEM]
}

// otherKey is the group of what had no room.
const otherKey = "(other)"

// Groups puts the rows of a sample together, largest first.
func (m *Meter) Groups(s *Sample, by By) []*Group {
	all := map[string]*Group{}
	for i := range s.Rows {
		r := &s.Rows[i]
		key, label := m.keyOf(r, by)
		g := all[key]
		if g == nil {
			g = &Group{Key: key, Label: label}
			all[key] = g
		}
		g.Delta.Add(&r.Delta)
		g.Sum.Add(&r.Sum)
		g.Rows = append(g.Rows, r)
	}
	groups := make([]*Group, 0, len(all))
	for _, g := range all {
		slices.SortFunc(g.Rows, func(a, b *Row) int {
			return cmp.Or(cmp.Compare(Weight(&b.Delta), Weight(&a.Delta)), cmp.Compare(a.ID.Process.Pid, b.ID.Process.Pid))
		})
		g.Process, g.Cgroup = g.Rows[0].Process, g.Rows[0].Cgroup
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b *Group) int {
		return cmp.Or(cmp.Compare(Weight(&b.Delta), Weight(&a.Delta)),
			cmp.Compare(Weight(&b.Sum), Weight(&a.Sum)), cmp.Compare(a.Key, b.Key))
	})
	return groups
}

// keyOf is what a row is grouped by. Where a row does not have it, it is a dash.
func (m *Meter) keyOf(r *Row, by By) (key, label string) {
	const none = "-"
	switch by {
	case ByCgroup, ByUnit, ByContainer, ByOwner:
		if r.Cgroup == nil {
			return otherKey, otherKey
		}
		name := cgroupName(r.Cgroup, by)
		if name == "" {
			name = none
		}
		return name, name
	}
	p := r.Process
	if p == nil {
		if r.Cgroup == nil {
			return otherKey, otherKey
		}
		key = "(others in " + cgroupName(r.Cgroup, ByCgroup) + ")"
		return key, key
	}
	switch by {
	case ByCommand:
		return p.Name(), p.Name()
	case ByUser:
		return p.User, p.User
	case ByAncestor:
		if main := m.Main(p.ID); main != nil {
			p = main
		}
	}
	return fmt.Sprintf("%d/%d", p.ID.Pid, p.ID.Start), p.Name()
}

func cgroupName(c *Cgroup, by By) string {
	switch by {
	case ByUnit:
		if c.UserUnit != "" {
			return c.UserUnit
		}
		return c.Unit
	case ByContainer:
		if c.Container == "" && c.Pod == "" {
			return ""
		}
		return c.Name()
	}
	if name := c.Name(); by == ByOwner && name != "" {
		return name
	}
	if c.Path == "" {
		return fmt.Sprintf("cgroup %d", c.ID)
	}
	return c.Path
}
