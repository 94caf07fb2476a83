// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"cmp"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/tracer"
)

// limitsOf is for how many of the largest cgroups and users limits are read.
const limitsOf = 8

// recount is how often, in samples, tasks are counted by process: it visits every one.
const recount = 5

// Names of limits, as in host.Limit.Name.
const (
	LimitThreadsMax = "threads-max"
	LimitPidMax     = "pid_max"
	LimitPids       = "pids.max"
	LimitNproc      = "RLIMIT_NPROC"
)

// MachineLimits are those that every creator of the machine meets.
func MachineLimits() []host.Limit {
	const where = "the machine"
	m := host.ReadMachine()
	limits := []host.Limit{
		{Name: LimitThreadsMax, Where: where, Max: &m.ThreadsMax, Used: &m.Tasks},
		{Name: LimitPidMax, Where: where, Max: &m.PidMax, Used: &m.Tasks},
	}
	if memory, ok := host.MachineMemory(); ok {
		limits = append(limits, memory)
	}
	return limits
}

// Limits are those that the largest creators of a sample meet: of their cgroups and of
// their users.
func (s *Sampler) Limits(sample *Sample) []host.Limit {
	if s.samples%recount == 0 {
		s.tasks = host.AllTasks()
	}
	s.samples++
	limits := pidnsLimits(sample.Pidns)
	groups := s.Groups(sample, ByCgroup)
	for _, g := range groups[:min(limitsOf, len(groups))] {
		if g.Cgroup != nil && g.Cgroup.Path != "" && s.Cgroups != nil {
			limits = append(limits, s.Cgroups.PidsLimits(g.Cgroup.Path)...)
		}
		if p := s.livingOf(g); p != nil {
			limits = append(limits, host.MemoryLimits(p.ID.Pid)...)
		}
	}
	groups = s.Groups(sample, ByUser)
	for _, g := range groups[:min(limitsOf, len(groups))] {
		if l, ok := s.userLimit(s.livingOf(g)); ok {
			limits = append(limits, l)
		}
	}
	return limits
}

// pidnsPlace and the inode number: Limit.Where of a pid namespace.
const pidnsPlace = "pid namespace "

// pidnsMatters is the used part of a pid namespace's numbers from which on it is told: most
// have millions and use a few.
const pidnsMatters = 0.1

// pidnsLimits are those of pid namespaces: each has as many numbers as its pid_max allows,
// or the machine's, from 1 on.
func pidnsLimits(uses []tracer.PidnsUse) (limits []host.Limit) {
	machine := host.ReadMachine().PidMax
	for _, use := range uses {
		most, used := uint64(use.Max), uint64(use.Used)
		if most == 0 {
			most = machine
		}
		most-- // 0 is nobody's
		if float64(used) >= pidnsMatters*float64(most) && most < math.MaxUint32 {
			limits = append(limits, host.Limit{
				Name: LimitPidMax, Where: pidnsPlace + strconv.FormatUint(uint64(use.Inum), 10), Max: &most, Used: &used,
			})
		}
	}
	return limits
}

// livingOf is a process of a group, or an ancestor in the same cgroup and of the same user,
// that has not ended; nil if there is none.
func (s *Sampler) livingOf(g *Group) *Process {
	for _, r := range g.Rows[:min(limitsOf, len(g.Rows))] {
		line := s.Lineage(r.ID.Process)
		for _, p := range line {
			if p.Cgroup != line[0].Cgroup || p.UID != line[0].UID {
				break
			}
			if p.Ended == 0 {
				return p
			}
		}
	}
	return nil
}

// userLimit is the RLIMIT_NPROC that a process meets. Root is exempt, as is whoever has
// CAP_SYS_ADMIN or CAP_SYS_RESOURCE.
func (s *Sampler) userLimit(p *Process) (host.Limit, bool) {
	if p == nil || p.UID == 0 {
		return host.Limit{}, false
	}
	most, ok := host.ProcessLimit(p.ID.Pid)
	var used uint64
	for _, t := range s.tasks {
		if t.UID == p.UID {
			used += t.Threads
		}
	}
	return host.Limit{Name: LimitNproc, Where: userPlace + p.User, Max: &most, Used: &used}, ok
}

const userPlace = "user " // and the name: Limit.Where of RLIMIT_NPROC

// Holder is who uses a part of what a limit allows.
type Holder struct {
	Name      string
	Processes int    // of that name
	Tasks     uint64 // of them
	Pid       uint32 // of the one with the most tasks
	Outside   bool   // they are not below the ancestor that was asked for
}

// Holders are those whose tasks a limit counts, largest first; nil for limits that do not
// count tasks. Those below an ancestor, if one is given, are told apart from others of the
// same name.
func (s *Sampler) Holders(l *host.Limit, ancestor *Process) []Holder {
	var tasks []host.Tasks
	switch {
	case l.Name == LimitPids && s.Cgroups != nil:
		tasks = s.Cgroups.Members(l.Where)
	case l.Name == LimitPidMax && strings.HasPrefix(l.Where, pidnsPlace):
		link := pidnsLink(l)
		tasks = slices.DeleteFunc(host.AllTasks(), func(t host.Tasks) bool { return host.Namespace(t.Pid, "pid") != link })
	case l.Name == LimitThreadsMax, l.Name == LimitPidMax:
		tasks = host.AllTasks()
	case l.Name == LimitNproc:
		user := strings.TrimPrefix(l.Where, userPlace)
		tasks = slices.DeleteFunc(host.AllTasks(), func(t host.Tasks) bool { return s.users.Name(t.UID) != user })
	}
	return s.byName(tasks, ancestor)
}

// living are the processes that are known and have not ended, by their numbers.
func (m *Meter) living() map[uint32]*Process {
	living := map[uint32]*Process{}
	for _, p := range m.known {
		if p.Ended == 0 {
			living[p.ID.Pid] = p
		}
	}
	return living
}

// byName puts tasks together by the names of their processes.
func (s *Sampler) byName(tasks []host.Tasks, ancestor *Process) []Holder {
	living := s.living()
	type key struct {
		name    string
		outside bool
	}
	holders, most := map[key]*Holder{}, map[key]uint64{}
	for _, t := range tasks {
		p := living[t.Pid]
		// who is too young to be known comes from where most are made
		k := key{nameOf(p, t.Pid), ancestor != nil && p != nil && !slices.Contains(s.Lineage(p.ID), ancestor)}
		h := holders[k]
		if h == nil {
			h = &Holder{Name: k.name, Outside: k.outside}
			holders[k] = h
		}
		h.Processes++
		h.Tasks += t.Threads
		if t.Threads > most[k] {
			h.Pid, most[k] = t.Pid, t.Threads
		}
	}
	list := make([]Holder, 0, len(holders))
	for _, h := range holders {
		list = append(list, *h)
	}
	slices.SortFunc(list, func(a, b Holder) int { return cmp.Or(cmp.Compare(b.Tasks, a.Tasks), cmp.Compare(a.Name, b.Name)) })
	return list
}

// nameOf is the name of a process, as it is known or as /proc has it.
func nameOf(p *Process, pid uint32) string {
	if p != nil {
		return p.Name()
	}
	comm, err := os.ReadFile("/proc/" + strconv.FormatUint(uint64(pid), 10) + "/comm")
	if err != nil {
		return "-"
	}
	return strings.TrimSuffix(string(comm), "\n")
}
