// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/activity"
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
		"quiet":               {},
		"unknown":             {Tally: tracer.Tally{Created: [tracer.CensusKinds]uint64{tracer.CensusKernel: 100}}},
	} {
		if got, _ := Shape(&f); got != want {
			t.Errorf("%s is called %s: %s", want, got, f.Numbers())
		}
	}
}

// rate is an interval in which nothing fails.
func rate(r float64) Interval { return Interval{Rate: r} }

// TestDetector stays quiet where a build runs, and speaks when it must.
func TestDetector(t *testing.T) {
	d := Detector{Thresholds: DefaultThresholds}
	for i := range 100 {
		if why := d.Add(rate(float64(300 + 400*(i%3)))); why != "" {
			t.Fatalf("interval %d of a build: %s", i, why)
		}
	}
	for name, i := range map[string]Interval{
		"fast": rate(9000), "refused": {Rate: 500, Refusals: 6}, "restarted": {Rate: 1, Restarts: 200}, "exhausted soon": {Rate: 500, Nearest: 30},
	} {
		if d.Add(i) == "" {
			t.Errorf("%s: a storm is not seen", name)
		}
	}
	if why := (&Detector{Thresholds: DefaultThresholds}).Add(rate(1000)); why != "" {
		t.Error(why)
	}
	slow := Detector{Thresholds: DefaultThresholds}
	seen := false
	for r := 100.0; r < 20000 && !seen; r *= 1.05 {
		seen = slow.Add(rate(r)) != ""
	}
	if !seen {
		t.Error("a slow growth is not seen")
	}
}

// TestDetectorBegunLate: a storm that was there first is not taken for what is usual.
func TestDetectorBegunLate(t *testing.T) {
	d := Detector{Thresholds: DefaultThresholds}
	for range 5 {
		if d.Add(rate(8000)) == "" {
			t.Fatal("a storm is not seen")
		}
	}
	if d.Usual() != nil {
		t.Errorf("%.0f is usual", *d.Usual())
	}
}

func limit(name string, used, most uint64) host.Limit {
	return host.Limit{Name: name, Where: "/x", Used: &used, Max: &most}
}

func TestTracker(t *testing.T) {
	var tr Tracker
	at := time.Unix(1000, 0)
	var h []Headroom
	for i, used := range []uint64{10, 20, 30, 40} {
		h = tr.Measure(at.Add(time.Duration(i)*time.Second), []host.Limit{limit("idle", 7, 1000), limit("grows", used, 100), limit("full", 5-uint64(i), 5)})
		if i == 0 && (h[1].Growth != nil || Nearest(h) != 0) {
			t.Errorf("growth is known at once: %+v", h)
		}
	}
	if h[0].Name != "full" || !h[0].Reached || h[0].Peak != 5 || *h[0].Used != 2 {
		t.Errorf("first is %+v", h[0])
	}
	if h[1].Name != "grows" || *h[1].Growth != 10 || h[1].In != 6 || h[1].Reached {
		t.Errorf("second is %+v", h[1])
	}
	if in := Nearest(h); in != 6 {
		t.Errorf("the nearest is reached in %v s", in)
	}
	if h[2].In != 0 {
		t.Errorf("an idle limit is reached in %v s", h[2].In)
	}
}

// TestNearest: a load that begins is no exhaustion.
func TestNearest(t *testing.T) {
	var tr Tracker
	at := time.Unix(1000, 0)
	tr.Measure(at, []host.Limit{limit("x", 1, 10000)})
	if h := tr.Measure(at.Add(time.Second), []host.Limit{limit("x", 400, 10000)}); h[0].In == 0 || Nearest(h) != 0 {
		t.Errorf("%+v: %v", h, Nearest(h))
	}
}

func TestNext(t *testing.T) {
	root := t.TempDir()
	for file, dir := range map[string]string{"cgroup.freeze": "new", "pids.max": "it's old"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	origin := &activity.Process{Lineage: tracer.Lineage{ID: tracer.ProcessID{Pid: 9}}}
	w := Place{Dir: func(path string) string { return filepath.Join(root, path) }}
	for path, want := range map[string]string{
		"/system.slice/bad.service":                                 "systemctl set-property --runtime bad.service TasksMax=100",
		"/user.slice/user-7.slice/user@7.service/app.slice/b.scope": "systemctl --user --machine=7@ set-property --runtime b.scope TasksMax=100",
		"/docker/" + strings.Repeat("ab", 32):                       "docker pause " + strings.Repeat("ab", 32),
		"/new":                                                      "echo 1 > " + root + "/new/cgroup.freeze",
		"/it's old":                                                 "echo 0 > '" + root + `/it'\''s old/pids.max'`,
		"/":                                                         "kill -STOP 9 ",
	} {
		c := &activity.Cgroup{Path: path, Attribution: host.Attribute(path)}
		if got := w.next(c, origin, limited); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, not %s", path, got, want)
		}
	}
	for path, want := range map[string]string{
		"/system.slice/bad.service":                                 "systemctl kill --signal=STOP bad.service ",
		"/user.slice/user-7.slice/user@7.service/app.slice/b.scope": "systemctl --user --machine=7@ kill --signal=STOP b.scope ",
	} {
		if got := w.next(&activity.Cgroup{Path: path, Attribution: host.Attribute(path)}, origin, stopped); !strings.HasPrefix(got, want) {
			t.Errorf("%s of replaced tasks: %s, not %s", path, got, want)
		}
	}
	origin.Ended = 1
	if got := w.next(&activity.Cgroup{Path: "/"}, origin, limited); got != "" {
		t.Errorf("of who has ended: %s", got)
	}
}

// TestDetectorForgets: after a burst has been told there is no slow growth to tell.
func TestDetectorForgets(t *testing.T) {
	d := Detector{Thresholds: DefaultThresholds}
	for range 5 {
		if reason := d.Add(Interval{Rate: 10}); reason != "" {
			t.Fatalf("quiet: %s", reason)
		}
	}
	for range 60 {
		if d.Add(Interval{Rate: 35_000}) == "" {
			t.Fatal("a burst is no storm")
		}
	}
	for second := range 10 {
		if reason := d.Add(Interval{}); reason != "" {
			t.Fatalf("%d s after its end: %s", second, reason)
		}
	}
	// a growth that no interval shows by itself is told, and not for long after it has ended
	told := ""
	for rate := 50.0; rate < 6000 && told == ""; rate *= 1.05 {
		told = d.Add(Interval{Rate: rate})
	}
	if told == "" {
		t.Fatal("slow growth is not seen")
	}
	if reason := d.Add(Interval{Rate: 10}); reason != "" {
		t.Errorf("after its end: %s", reason)
	}
}
