// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"cmp"
	"slices"

	"github.com/forktrace/forktrace/tracer"
)

const (
	maxChildren = 8  // names of children that an entry has
	maxParents  = 64 // rows of a group whose children are looked at
)

// families are the children of the processes of a sample, with what they did themselves.
type families struct {
	sample   *Sample
	children map[tracer.ProcessID][]*Process
	did      map[tracer.ProcessID]*Row
}

func (m *Meter) families(s *Sample) *families {
	f := &families{sample: s, children: map[tracer.ProcessID][]*Process{}, did: make(map[tracer.ProcessID]*Row, len(s.Rows))}
	for i := range s.Rows {
		f.did[s.Rows[i].ID.Process] = &s.Rows[i]
	}
	for _, p := range m.known {
		if f.did[p.Parent] != nil && p.Parent != (tracer.ProcessID{}) {
			f.children[p.Parent] = append(f.children[p.Parent], p)
		}
	}
	return f
}

// of puts the children of a group's largest processes together by name.
func (f *families) of(g *Group) []Child {
	names := map[string]*Child{}
	for _, r := range g.Rows[:min(maxParents, len(g.Rows))] {
		for _, p := range f.children[r.ID.Process] {
			did := f.did[p.ID]
			if p.Ended != 0 && did == nil {
				continue // it was seen by chance
			}
			c := names[p.Name()]
			if c == nil {
				c = &Child{Name: p.Name(), Pid: p.ID.Pid}
				names[p.Name()] = c
			}
			if p.Ended == 0 {
				c.Alive++
			} else {
				c.Ended++
			}
			if did != nil {
				c.Rate += f.sample.Rate(did.Delta.Forks())
				c.Failing += f.sample.Rate(did.Delta.Failures())
			}
		}
	}
	children := make([]Child, 0, len(names))
	for _, c := range names {
		children = append(children, *c)
	}
	slices.SortFunc(children, func(a, b Child) int {
		return cmp.Or(cmp.Compare(b.Rate+b.Failing, a.Rate+a.Failing), cmp.Compare(b.Alive+b.Ended, a.Alive+a.Ended), cmp.Compare(a.Name, b.Name))
	})
	return children[:min(maxChildren, len(children))]
}
