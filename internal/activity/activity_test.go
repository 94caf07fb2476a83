// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/tracer"
)

const second = uint64(time.Second)

func id(pid uint32) tracer.ProcessID { return tracer.ProcessID{Pid: pid, Start: uint64(pid) * 10} }

func process(pid, parent uint32, comm string) tracer.Lineage {
	return tracer.Lineage{ID: id(pid), Parent: id(parent), Comm: comm, Cgroup: 5, UID: 4_000_000_000}
}

// made is a row of somebody who has created and failed so often.
func made(pid uint32, created, failed uint64) tracer.Row {
	r := tracer.Row{ID: tracer.RowID{Process: id(pid), Cgroup: 5}}
	r.Tally.Created[tracer.CensusProcess], r.Tally.Failed[tracer.CensusEAGAIN] = created, failed
	return r
}

// snapshot has the rows, and a total that is their sum.
func snapshot(at uint64, processes []tracer.Lineage, rows ...tracer.Row) *tracer.Snapshot {
	s := &tracer.Snapshot{At: at, Processes: processes, Rows: rows, Cgroups: map[uint64]tracer.Tally{}}
	s.Total = s.Sum()
	return s
}

type paths map[uint64]string

func (p paths) Path(id uint64) (string, bool)            { path, ok := p[id]; return path, ok }
func (p paths) Learn(id uint64, _ uint32) (string, bool) { return p.Path(id) }

func names(line []*Process) (n []string) {
	for _, p := range line {
		n = append(n, p.Title())
	}
	return n
}

func TestMeter(t *testing.T) {
	m := NewMeter(paths{5: "/system.slice/a.service"})
	family := []tracer.Lineage{process(1, 0, "init"), process(2, 1, "main"), process(3, 2, "worker")}
	if s := m.Add(snapshot(second, family, made(2, 10, 0))); s != nil {
		t.Fatalf("the first snapshot is a sample: %+v", s)
	}
	last := snapshot(3*second, family, made(2, 10, 0), made(3, 40, 6))
	last.Other.Created[tracer.CensusThread] = 2
	last.Total = last.Sum()
	s := m.Add(last)
	if s.Length != 2*time.Second || s.Rate(s.Total.Forks()) != 21 || s.Attempts() != 48 || len(s.Rows) != 2 {
		t.Errorf("the sample is %+v", s)
	}
	groups := m.Groups(s, ByProcess)
	if len(groups) != 2 || groups[0].Label != "worker" || groups[1].Key != otherKey || groups[0].Delta.Failures() != 6 {
		t.Errorf("by process: %+v", groups)
	}
	for by, want := range map[By]string{ByCommand: "worker", ByCgroup: "/system.slice/a.service", ByUnit: "a.service", ByContainer: "-", ByUser: "4000000000", ByAncestor: "main"} {
		if g := m.Groups(s, by); g[0].Label != want {
			t.Errorf("by %s: %s", by, g[0].Label)
		}
	}
}

// TestPidReuse: the same number with another start is another process.
func TestPidReuse(t *testing.T) {
	m := NewMeter(nil)
	old, young := process(9, 1, "old"), process(9, 1, "young")
	young.ID.Start++
	m.Add(snapshot(second, nil))
	a, b := made(9, 5, 0), made(9, 7, 0)
	b.ID.Process = young.ID
	s := m.Add(snapshot(2*second, []tracer.Lineage{process(1, 0, "init"), old, young}, a, b))
	if g := m.Groups(s, ByProcess); len(g) != 2 || g[0].Label != "young" || g[1].Label != "old" {
		t.Errorf("%+v", g)
	}
}

// TestDeepTree: the root of a tree that grows by itself is told after the generations
// between have long gone, and what is remembered stays bounded.
func TestDeepTree(t *testing.T) {
	m := NewMeter(nil)
	at := second
	m.Add(snapshot(at, []tracer.Lineage{process(1, 0, "init"), process(10, 1, "bomb")}))
	for pid := uint32(11); pid < 4000; pid++ {
		at += second
		parent := process(pid-1, pid-2, "bomb")
		if pid == 11 {
			parent = process(10, 1, "bomb")
		} else {
			parent.Ended = at
		}
		m.Add(snapshot(at, []tracer.Lineage{process(1, 0, "init"), parent, process(pid, pid-1, "bomb")}))
	}
	line := names(m.Lineage(id(3999)))
	if len(line) != 3 || line[0] != "bomb(3999)" || line[1] != "bomb(10)" || line[2] != "init(1)" {
		t.Errorf("the lineage is %v", line)
	}
	if n := len(m.known); n > 1000 {
		t.Errorf("%d processes are remembered", n)
	}
}

func TestMerge(t *testing.T) {
	m := NewMeter(nil)
	family := []tracer.Lineage{process(2, 1, "main")}
	m.Add(snapshot(second, family, made(2, 10, 0)))
	a := m.Add(snapshot(2*second, family, made(2, 15, 1)))
	b := m.Add(snapshot(4*second, family, made(2, 35, 1), made(3, 1, 0)))
	all := m.Merge(a, b)
	if all.Length != 3*time.Second || len(all.Rows) != 2 || all.Rows[0].Delta.Forks() != 25 || all.Total.Forks() != 26 || all.Total.Failures() != 1 {
		t.Errorf("%+v", all)
	}
	if m.Merge() != nil {
		t.Error("something is made of nothing")
	}
}

func TestFrame(t *testing.T) {
	m := NewMeter(nil)
	family := []tracer.Lineage{process(1, 0, "init"), process(2, 1, "main"), process(3, 2, "worker"), process(4, 2, "worker")}
	m.Add(snapshot(second, family))
	worker := made(3, 6, 2)
	worker.Tally.Took, worker.Tally.TookMost = 600, 300
	s := m.Add(snapshot(2*second, family, made(2, 2, 0), worker))
	f := m.Frame(s, time.Unix(0, 0), host.Machine{PidMax: 1000, LastPid: 200}, nil)
	if f.WrapIn != 100 || f.Created["process"] != 8 || f.Failed["EAGAIN"] != 2 {
		t.Errorf("the frame is %+v", f)
	}
	e := f.Groups[ByProcess]
	if e[0].Name != "worker" || e[0].Share != 0.8 || e[0].Reason != "EAGAIN" || e[0].CopyMean != 100 || e[0].CopyMost != 300 {
		t.Errorf("the first is %+v", e[0])
	}
	if c := e[1].Children; len(c) != 1 || c[0].Name != "worker" || c[0].Alive != 2 || c[0].Rate != 6 || c[0].Failing != 2 {
		t.Errorf("the children of main are %+v", c)
	}
}

func TestLifetimes(t *testing.T) {
	var tally tracer.Tally
	if _, _, ok := MedianLifetime(&tally); ok {
		t.Error("nobody has lived")
	}
	tally.Lifetimes[3], tally.Lifetimes[10] = 5, 4
	if d, atLeast, ok := MedianLifetime(&tally); !ok || atLeast || d != 16*time.Microsecond {
		t.Errorf("the median is below %v", d)
	}
	tally.Created[tracer.CensusVfork], tally.Execs = 4, 3
	if r, ok := ExecRatio(&tally); !ok || r != 0.75 {
		t.Errorf("%v of them execute", r)
	}
}

func TestNearest(t *testing.T) {
	limit := func(name string, used, most uint64) host.Limit {
		return host.Limit{Name: name, Used: &used, Max: &most}
	}
	got := Nearest([]host.Limit{limit("a", 1, 10), limit("b", 9, 10), limit("b", 9, 10), {Name: "none"}, limit("zero", 1, 0)}, 5)
	if len(got) != 2 || got[0].Name != "b" || got[1].Name != "a" {
		t.Errorf("%+v", got)
	}
}

// TestCause: of the limits that a group meets the fullest is told, and none that it does not meet.
func TestCause(t *testing.T) {
	limit := func(name, where string, used, most uint64) host.Limit {
		return host.Limit{Name: name, Where: where, Used: &used, Max: &most}
	}
	e := &Entry{Cgroup: "/ci/job", User: "build"}
	for name, c := range map[string]struct {
		limits []host.Limit
		want   string // Where of the cause
	}{
		"nothing full":   {[]host.Limit{limit(LimitPids, "/ci/job", 8, 10)}, ""},
		"own":            {[]host.Limit{limit(LimitPids, "/ci/job", 10, 10), limit(LimitPids, "/ci", 95, 100)}, "/ci/job"},
		"above":          {[]host.Limit{limit(LimitPids, "/ci/job", 1, 10), limit(LimitPids, "/ci", 95, 100)}, "/ci"},
		"beside":         {[]host.Limit{limit(LimitPids, "/ci/jobs", 10, 10), limit(LimitPids, "/c", 10, 10)}, ""},
		"user":           {[]host.Limit{limit(LimitNproc, userPlace+"build", 64, 64), limit(LimitNproc, userPlace+"other", 9, 9)}, userPlace + "build"},
		"machine":        {[]host.Limit{limit(LimitThreadsMax, "the machine", 99, 100)}, "the machine"},
		"namespace":      {[]host.Limit{limit(LimitPidMax, pidnsPlace+"7", 399, 399), limit(LimitPidMax, pidnsPlace+"8", 399, 399)}, pidnsPlace + "7"},
		"memory":         {[]host.Limit{limit("memory.max", "/ci", 10, 10)}, ""},
		"without number": {[]host.Limit{{Name: LimitPids, Where: "/ci"}}, ""},
	} {
		got := causeOf(e, "pid:[7]", c.limits)
		if got == nil && c.want != "" || got != nil && (got.Where != c.want || got.Short == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
