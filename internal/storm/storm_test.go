// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"testing"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/tracer"
)

func TestShapes(t *testing.T) {
	counts := func(process, thread, io, eagain, restarted uint64) (t tracer.Tally) {
		t.Created[tracer.CensusProcess], t.Created[tracer.CensusThread], t.Created[tracer.CensusIOWorker] = process, thread, io
		t.Failed[tracer.CensusEAGAIN], t.Failed[tracer.CensusRestarted] = eagain, restarted
		return t
	}
	with := func(t tracer.Tally, exits, nonzero, execs, same uint64) tracer.Tally {
		t.Exits, t.Nonzero, t.Execs, t.SameExecs = exits, nonzero, execs, same
		return t
	}
	for want, f := range map[string]Facts{
		"livelocked fork":     {Tally: counts(1, 0, 0, 0, 100), Creators: 1},
		"fork bomb":           {Tally: counts(500, 0, 0, 900, 0), Creators: 200, Selfmade: 190},
		"retry loop":          {Tally: counts(1, 0, 0, 1000, 0), Creators: 1},
		"io-worker explosion": {Tally: counts(1, 2, 800, 0, 0), Creators: 1},
		"thread leak":         {Tally: counts(0, 500, 0, 0, 0), Creators: 1},
		"respawn loop":        {Tally: with(counts(100, 0, 0, 0, 0), 100, 99, 100, 99), Creators: 1},
		"process leak":        {Tally: with(counts(100, 0, 0, 0, 0), 3, 0, 0, 0), Creators: 1},
		"job fan-out":         {Tally: with(counts(300, 0, 0, 0, 0), 290, 2, 200, 20), Creators: 40, Selfmade: 3},
		"exec churn":          {Tally: with(counts(300, 0, 0, 0, 0), 300, 2, 290, 20), Creators: 2},
		"fork churn":          {Tally: with(counts(300, 0, 0, 0, 0), 300, 0, 0, 0), Creators: 2},
		"unknown":             {},
	} {
		if got := Shape(&f); got != want {
			t.Errorf("%s is called %s: %s", want, got, f.Numbers())
		}
	}
}

// TestDetector stays quiet where a build runs, and speaks when it must.
func TestDetector(t *testing.T) {
	d := Detector{Thresholds: DefaultThresholds}
	for i := range 100 {
		if why := d.Add(float64(300+400*(i%3)), 0, 0); why != "" {
			t.Fatalf("interval %d of a build: %s", i, why)
		}
	}
	if d.Add(9000, 0, 0) == "" || d.Add(500, 6, 0) == "" || d.Add(500, 0, 30) == "" {
		t.Error("a storm is not seen")
	}
	if why := (&Detector{Thresholds: DefaultThresholds}).Add(1000, 0, 0); why != "" {
		t.Error(why)
	}
	slow := Detector{Thresholds: DefaultThresholds}
	seen := false
	for rate := 100.0; rate < 20000 && !seen; rate *= 1.05 {
		seen = slow.Add(rate, 0, 0) != ""
	}
	if !seen {
		t.Error("a slow growth is not seen")
	}
}

func TestHeadroom(t *testing.T) {
	most, used := uint64(100), uint64(60)
	h := Headroom{Limit: host.Limit{Max: &most, Used: &used}}
	if h.Grow(40, 2); h.Growth != 10 || h.In != 4 {
		t.Errorf("%+v", h)
	}
	if h = (Headroom{Limit: h.Limit}); h.In != 0 {
		t.Errorf("%+v", h)
	}
}
