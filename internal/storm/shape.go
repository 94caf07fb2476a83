// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/tracer"
)

// Facts are what was measured of the origin of a storm in one interval.
type Facts struct {
	tracer.Tally
	Seconds  float64
	Creators int // processes that created
	Selfmade int // those of them that a process of the same name created
}

// MarshalJSON writes the numbers on which the shape rests.
func (f *Facts) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]uint64{
		"processes": f.processes(), "threads": f.Created[tracer.CensusThread], "io_workers": f.Created[tracer.CensusIOWorker],
		"refused": f.refusals(), "restarted": f.Failed[tracer.CensusRestarted], "exits": f.Exits, "exits_nonzero": f.Nonzero,
		"thread_exits": f.ThreadExits, "execs": f.Execs, "same_execs": f.SameExecs,
		"creators": uint64(f.Creators), "creators_selfmade": uint64(f.Selfmade),
	})
}

func (f *Facts) attempts() float64 { return float64(activity.Weight(&f.Tally)) }

func (f *Facts) refusals() uint64 { return activity.Refusals(&f.Tally) }

func (f *Facts) processes() uint64 {
	return f.Created[tracer.CensusProcess] + f.Created[tracer.CensusVfork]
}

// part is a of b, 0 where b is 0.
func part(a, b uint64) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// quiet is the number of attempts a second below which nothing has a shape.
const quiet = 20

// remedy says what keeps a shape from going on.
type remedy int

const (
	limited remedy = iota // tasks are more and more: a limit on their number
	stopped               // few tasks are replaced over and over: a stop, or a limit of none
	frozen                // attempts are refused or given up already: only a stop
)

// shapes is the table of shapes: the first whose predicate holds is the one.
var shapes = []struct {
	name   string
	remedy remedy
	holds  func(*Facts) bool
}{
	{"quiet", stopped, func(f *Facts) bool { return f.attempts() < quiet*max(f.Seconds, 1) }},
	{"livelocked fork", frozen, func(f *Facts) bool { return float64(f.Failed[tracer.CensusRestarted]) > f.attempts()/2 }},
	{"fork bomb", limited, func(f *Facts) bool {
		return f.Creators >= 10 && f.Selfmade*2 >= f.Creators && f.processes() > f.Forks()/2
	}},
	{"retry loop", frozen, func(f *Facts) bool { return float64(f.refusals()) >= f.attempts()/2 && f.refusals() >= 10 }},
	{"io-worker explosion", limited, func(f *Facts) bool { return part(f.Created[tracer.CensusIOWorker], f.Forks()) > 0.5 }},
	{"thread leak", limited, func(f *Facts) bool {
		threads := f.Created[tracer.CensusThread]
		return part(threads, f.Forks()) > 0.6 && f.ThreadExits < threads/2
	}},
	{"thread churn", stopped, func(f *Facts) bool { return part(f.Created[tracer.CensusThread], f.Forks()) > 0.6 }},
	{"respawn loop", stopped, func(f *Facts) bool {
		return f.Creators <= 3 && part(f.Execs, f.processes()) > 0.5 && part(f.Nonzero, f.Exits) > 0.5 && part(f.SameExecs, f.Execs) > 0.8
	}},
	{"process leak", limited, func(f *Facts) bool { return f.processes() > 0 && f.Exits < f.processes()/2 }},
	{"job fan-out", limited, func(f *Facts) bool { return f.Creators > 3 && part(f.Execs, f.processes()) > 0.3 }},
	{"exec churn", stopped, func(f *Facts) bool { return part(f.Execs, f.processes()) > 0.5 }},
	{"fork churn", stopped, func(f *Facts) bool { return f.processes() > 0 }},
	{"unknown", limited, func(*Facts) bool { return true }},
}

// Shape names the shape of what was measured, and says what keeps it from going on.
func Shape(f *Facts) (name string, r remedy) {
	for _, s := range shapes {
		if s.holds(f) {
			return s.name, s.remedy
		}
	}
	return "", stopped
}

// Numbers are the facts on which the shape rests; of what is not told there was none, or this kernel does not
// show it.
func (f *Facts) Numbers() string {
	var told []string
	for _, n := range []struct {
		n    uint64
		what string
	}{
		{f.processes(), "processes made"},
		{f.Created[tracer.CensusThread], "threads made"},
		{f.Created[tracer.CensusIOWorker], "io workers made"},
		{f.refusals(), "refused"},
		{f.Failed[tracer.CensusRestarted], "restarted"},
		{f.Exits, "processes ended"},
		{f.Nonzero, "of them with another status than 0"},
		{f.ThreadExits, "threads ended"},
		{f.Execs, "execs"},
		{f.SameExecs, "of them of the same name as the one before"},
		{uint64(f.Creators), "creators"},
		{uint64(f.Selfmade), "of them made by a process of the same name"},
	} {
		if n.n > 0 {
			told = append(told, fmt.Sprintf("%d %s", n.n, n.what))
		}
	}
	if told == nil {
		told = []string{"nothing"}
	}
	return fmt.Sprintf("%s, in %.1f s", strings.Join(told, ", "), f.Seconds)
}
