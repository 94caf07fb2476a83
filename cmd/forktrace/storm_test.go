// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/storm"
	"github.com/forktrace/forktrace/internal/testkit"
)

// generator is a storm of the creations program, and what must be said of it.
type generator struct {
	storm    string // what the program calls it
	shape    string
	attempts int
	seconds  int
	pidsMax  int
	reached  bool // the limit is, and refuses the innocent too
	growing  bool // the limit will be
	deaf     bool // refusals do not stop it
	pidMax   int  // of its pid namespace; 0: as it is
}

// stormName is the name of the process from which storms come.
const stormName = "culprit"

var generators = []generator{
	{storm: "tree", shape: "fork bomb", attempts: 200_000, seconds: 60, pidsMax: 150, reached: true}, // killed when it has been told
	{storm: "respawn", shape: "respawn loop", attempts: 20_000, seconds: 8, pidsMax: 100},
	{storm: "retry", shape: "retry loop", attempts: 60_000, seconds: 8, pidsMax: 100, reached: true, deaf: true},
	{storm: "threads", shape: "thread leak", attempts: 2000, seconds: 8, pidsMax: 3000, growing: true},
	{storm: "io-workers", shape: "io-worker explosion", attempts: 2000, seconds: 8, pidsMax: 3000, growing: true},
	{storm: "fanout", shape: "job fan-out", attempts: 40_000, seconds: 8, pidsMax: 200},
	{storm: "churn", shape: "exec churn", attempts: 40_000, seconds: 8, pidsMax: 200},
	{storm: "livelock", shape: "livelocked fork", attempts: 400_000, seconds: 8, pidsMax: 100, deaf: true},
}

// start starts it under a name, in a cgroup.
func (g *generator) start(t *testing.T, cgroup, name string) *testkit.Paused {
	t.Helper()
	program := testkit.Named(t, name)
	for _, other := range []string{"cc", "cc1", "as", "ld", "service", "grep", "cut"} {
		if err := os.Symlink(testkit.Creations(t), filepath.Join(filepath.Dir(program), other)); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"storm", g.storm, strconv.Itoa(g.attempts), strconv.Itoa(g.seconds)}
	if g.pidMax > 0 {
		args = append(args, strconv.Itoa(g.pidMax))
	}
	p := testkit.Pause(t, program, args...)
	testkit.Join(t, cgroup, p.Start(t))
	p.Release(t)
	return p
}

// diagnose runs storm --now, and returns also what it wrote.
func diagnose(t *testing.T) (*storm.Diagnosis, []byte) {
	t.Helper()
	args := append([]string{"storm", "--now", "-d", "2", "--format", "json"}, testkit.PlanArgs()...)
	out := testkit.Output(t, exec.Command(testkit.Forktrace(t), args...))
	return diagnoses(t, out)[0], out
}

// diagnoses reads lines that storm wrote, and requires that they are as the schema says.
func diagnoses(t *testing.T, out []byte) (all []*storm.Diagnosis) {
	t.Helper()
	schema := testkit.ActivitySchema(t)
	for line := range bytes.Lines(out) {
		testkit.ValidateLine(t, schema, line)
		d := &storm.Diagnosis{}
		if err := json.Unmarshal(line, d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, d)
	}
	return all
}

// threeTimes tries what others who use the machine can disturb.
func threeTimes(t *testing.T, try func() error) {
	t.Helper()
	for n := 1; ; n++ {
		err := try()
		if err == nil {
			return
		}
		if n == 3 {
			t.Fatal(err)
		}
		t.Logf("try %d: %v", n, err)
	}
}

// TestStormDiagnosis: each storm's origin, shape, limit, culprit and victim are named.
func TestStormDiagnosis(t *testing.T) {
	testkit.NeedRoot(t)
	for _, g := range generators {
		t.Run(g.storm, func(t *testing.T) {
			threeTimes(t, func() error { return g.check(t) })
		})
	}
}

func (g *generator) check(t *testing.T) error {
	dir, path := testkit.PidsCgroup(t, g.pidsMax)
	innocent := (&generator{storm: "modest", attempts: 10_000, seconds: g.seconds}).start(t, dir, "innocent")
	time.Sleep(100 * time.Millisecond) // it must come into being before there is no room
	p := g.start(t, dir, stormName)
	time.Sleep(300 * time.Millisecond) // and this to what it leads to
	own := append(descendants(p.Cmd.Process.Pid), p.Cmd.Process.Pid)
	d, out := diagnose(t)
	for _, p := range []*testkit.Paused{p, innocent} {
		_ = p.Cmd.Process.Kill()
		if err := p.Cmd.Wait(); testkit.ExitStatus(t, err) == 3 {
			t.Skipf("needs: %s: %s", g.storm, &p.Stderr)
		}
	}
	if err := g.compare(d, path, own); err != nil {
		return fmt.Errorf("%s: %w\n%s", g.storm, err, out)
	}
	return nil
}

func (g *generator) compare(d *storm.Diagnosis, cgroup string, own []int) error {
	isCulprit := func(p storm.Part) bool { return p.Name == stormName }
	isInnocent := func(p storm.Part) bool { return p.Name == "innocent" }
	switch {
	case d.Shape != g.shape:
		return fmt.Errorf("the shape is %s, not %s", d.Shape, g.shape)
	case d.Owner == nil || d.Owner.Name != cgroup || d.Owner.Share < 0.7:
		return fmt.Errorf("the owner is %+v, not %s", d.Owner, cgroup)
	case d.Ancestor == nil || d.Ancestor.Name != stormName || !slices.Contains(own, int(d.Ancestor.Pid)):
		return fmt.Errorf("the ancestor is %+v, not one of %v", d.Ancestor, own)
	case !slices.ContainsFunc(d.Culprits, isCulprit) && g.storm != "fanout":
		return fmt.Errorf("the culprits are %+v", d.Culprits)
	case slices.ContainsFunc(d.Culprits, isInnocent):
		return fmt.Errorf("the innocent is among the culprits %+v", d.Culprits)
	case !g.contained(d.Next, cgroup):
		return fmt.Errorf("to contain it is proposed: %s", d.Next)
	case g.reached && !slices.ContainsFunc(d.Victims, func(p storm.Part) bool { return isInnocent(p) && !p.Culprit }):
		return fmt.Errorf("the victims are %+v", d.Victims)
	case !g.reached && len(d.Victims) > 0:
		return fmt.Errorf("there are victims: %+v", d.Victims)
	}
	if !g.reached && !g.growing {
		return nil
	}
	first := d.Headroom[0]
	if first.Name != activity.LimitPids || first.Where != cgroup || first.Reached != g.reached || !first.Reached && first.In == 0 {
		return fmt.Errorf("the nearest limit is %+v", first)
	}
	if !d.Storm {
		return fmt.Errorf("it is said to be no storm")
	}
	return nil
}

// contained says whether a command would contain it: refusals do not stop who is refused
// already.
func (g *generator) contained(next, cgroup string) bool {
	if g.deaf && !strings.Contains(next, "cgroup.freeze") {
		return strings.HasPrefix(next, "kill -STOP ")
	}
	return strings.Contains(next, cgroup)
}

// descendants lists the first thousand of a process.
func descendants(pid int) (all []int) {
	next := []int{pid}
	for len(next) > 0 && len(all) < 1000 {
		pid, next = next[0], next[1:]
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // CONFIG_PROC_CHILDREN
		for child := range strings.FieldsSeq(string(list)) {
			n, _ := strconv.Atoi(child)
			all, next = append(all, n), append(next, n)
		}
	}
	return all
}

// TestStormPidMax: the pid_max of a pid namespace that has given out all its numbers is the
// limit that is told, and those in it are who uses them.
func TestStormPidMax(t *testing.T) {
	testkit.NeedRoot(t)
	needOwnPidMax(t)
	threeTimes(t, func() error {
		dir, _ := testkit.PidsCgroup(t, 2000)
		g := &generator{storm: "retry", attempts: 60_000, seconds: 8, pidMax: 400}
		p := g.start(t, dir, stormName)
		time.Sleep(300 * time.Millisecond)
		d, out := diagnose(t)
		_ = p.Cmd.Process.Kill()
		_ = p.Cmd.Wait()
		first := d.Headroom[0]
		switch {
		case d.Shape != "retry loop" || !d.Storm:
			return fmt.Errorf("the shape is %s\n%s", d.Shape, out)
		case first.Name != activity.LimitPidMax || !strings.HasPrefix(first.Where, "pid namespace ") || !first.Reached || *first.Max != 399:
			return fmt.Errorf("the nearest limit is %+v\n%s", first, out)
		case !slices.ContainsFunc(d.Culprits, func(p storm.Part) bool { return p.Name == stormName && p.Tasks > 390 }):
			return fmt.Errorf("the culprits are %+v\n%s", d.Culprits, out)
		}
		return nil
	})
}

// TestStormNamesakes: who suffers and has the culprit's name, as shells do, is no culprit.
func TestStormNamesakes(t *testing.T) {
	testkit.NeedRoot(t)
	threeTimes(t, func() error {
		dir, _ := testkit.PidsCgroup(t, 60)
		innocent := (&generator{storm: "modest", attempts: 10_000, seconds: 8}).start(t, dir, "sh")
		time.Sleep(100 * time.Millisecond)
		p := (&generator{storm: "tree", attempts: 20_000, seconds: 8}).start(t, dir, "sh")
		time.Sleep(300 * time.Millisecond)
		own := append(descendants(innocent.Cmd.Process.Pid), innocent.Cmd.Process.Pid)
		d, out := diagnose(t)
		for _, p := range []*testkit.Paused{p, innocent} {
			_ = p.Cmd.Process.Kill()
			_ = p.Cmd.Wait()
		}
		if len(d.Victims) == 0 || d.Victims[0].Culprit || !slices.Contains(own, int(d.Victims[0].Pid)) {
			return fmt.Errorf("first of the victims should be one of %v: %+v\n%s", own, d.Victims, out)
		}
		return nil
	})
}

// TestStormQuiet: nothing is said of a quiet machine, nor of a build.
func TestStormQuiet(t *testing.T) {
	testkit.NeedRoot(t)
	for name, g := range map[string]*generator{
		"idle": {storm: "modest", attempts: 1000, seconds: 6}, "build": {storm: "fanout", attempts: 10_000, seconds: 6},
	} {
		t.Run(name, func(t *testing.T) {
			threeTimes(t, func() error {
				dir, _ := testkit.PidsCgroup(t, 100)
				p := g.start(t, dir, "make")
				defer p.Cmd.Process.Kill()
				args := append([]string{"storm", "-d", "4", "--format", "json"}, testkit.PlanArgs()...)
				if out := testkit.Output(t, exec.Command(testkit.Forktrace(t), args...)); len(out) > 0 {
					return fmt.Errorf("a storm is seen: %s", out)
				}
				return nil
			})
		})
	}
}

// TestStormWatch sees a storm begin and end.
func TestStormWatch(t *testing.T) {
	testkit.NeedRoot(t)
	threeTimes(t, func() error {
		dir, _ := testkit.PidsCgroup(t, 400)
		args := append([]string{"storm", "--watch", "-d", "13", "--format", "json"}, testkit.PlanArgs()...)
		cmd := exec.Command(testkit.Forktrace(t), args...)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // to learn what is usual
		g := &generator{storm: "tree", attempts: 20_000, seconds: 4}
		g.start(t, dir, stormName).Wait(t)
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		var events []string
		all := diagnoses(t, out.Bytes())
		for _, d := range all {
			events = append(events, d.Event)
		}
		told := strings.Join(events, " ")
		if len(all) < 3 || told != "start "+strings.Repeat("update ", len(all)-2)+"end" {
			return fmt.Errorf("what is told is: %s", told)
		}
		if d := all[1]; d.Shape != "fork bomb" || d.Usual == nil || d.Since != all[0].Since {
			return fmt.Errorf("told is %s, since %s and %s", d.Shape, d.Since, all[0].Since)
		}
		if d := all[len(all)-1]; d.Storm {
			return fmt.Errorf("the end is a storm: %s", d.Because)
		}
		return nil
	})
}

// TestStormWatchStopped: a storm that goes on when watching ends is told to the end, too.
func TestStormWatchStopped(t *testing.T) {
	testkit.NeedRoot(t)
	threeTimes(t, func() error {
		dir, _ := testkit.PidsCgroup(t, 60)
		cmd, lines := startJSON(t, "storm", "--watch", "--format", "json")
		g := &generator{storm: "tree", attempts: 200_000, seconds: 15}
		p := g.start(t, dir, stormName)
		defer func() { _ = p.Cmd.Process.Kill() }()
		var first, last storm.Diagnosis
		if err := lines.Decode(&first); err != nil {
			return err
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		for lines.Decode(&last) == nil {
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		if first.Event != "start" || last.Event != "end" || !last.Storm || last.Because == "" || last.Since != first.Since {
			return fmt.Errorf("first told was %s, last %s because %s", first.Event, last.Event, last.Because)
		}
		return nil
	})
}
