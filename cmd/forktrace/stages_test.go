// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"regexp"
	"slices"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
	"github.com/forktrace/forktrace/internal/verify"
)

// stagesHooked is what -v says where functions inside copy_process are hooked.
var stagesHooked = regexp.MustCompile(`(?m)^forktrace: stages inside copy_process: by kprobe`)

// traceStages follows a load through the stages of its failures, or with option --stages of
// all; it skips the test where that cannot be done.
func traceStages(t *testing.T, options []string, load ...string) (*testkit.Stream[testkit.Event], []byte) {
	t.Helper()
	testkit.NeedRoot(t)
	r := testkit.New(t, slices.Concat([]string{"-v"}, options, []string{"--", testkit.Creations(t)}, load)...)
	r.Launch(t).WantStatus(t, 0)
	s := r.Events(t)
	if !stagesHooked.Match(r.Stderr.Bytes()) {
		for i := range s.Creations {
			if s.Creations[i].StageNS != nil || s.Creations[i].Stage != nil {
				t.Errorf("stages without a hook: %s", describe(&s.Creations[i]))
			}
		}
		t.Skip("needs: stages: functions inside copy_process cannot be hooked")
	}
	return s, r.Stdout.Bytes()
}

func stageNamed(t *testing.T, name string) decode.Stage {
	t.Helper()
	i := slices.IndexFunc(decode.StageTable[:], func(s decode.StageInfo) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no stage %q", name)
	}
	return decode.Stage(i)
}

// TestStagesOfReasons makes causes of refusals, and requires that each is found in a stage
// where the rules have it, and that a stage with one candidate makes the reason certain.
func TestStagesOfReasons(t *testing.T) {
	s, made := traceStages(t, nil, "reasons")
	certain := 0
	for i := range s.Creations {
		if e := &s.Creations[i]; e.Result >= 0 && e.StageNS != nil {
			t.Errorf("stages of a success, which were not asked for: %s", describe(e))
		}
	}
	for line := range bytes.Lines(made) {
		var c reasonCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for i := range s.Creations {
			e := &s.Creations[i]
			if !c.Prepared || c.Result != c.Want || e.Creator.Comm != c.Comm || e.Result != c.Want {
				continue
			}
			if *e.Layer != "copy_process" {
				if e.Stage != nil {
					t.Errorf("%s: refused by %s, in stage %+v", c.Reason, *e.Layer, e.Stage)
				}
				continue
			}
			checkStage(t, c.Reason, e)
			checkLabel(t, c.Reason, e)
			if e.Reason.Certainty == "certain" {
				certain++
			}
		}
	}
	if certain < 20 {
		t.Errorf("%d reasons certain", certain)
	}
}

func checkStage(t *testing.T, reason string, e *testkit.Event) {
	t.Helper()
	if e.Stage == nil {
		t.Errorf("%s: no stage", reason)
		return
	}
	first, last := stageNamed(t, e.Stage.First), stageNamed(t, e.Stage.Last)
	if !slices.ContainsFunc(decode.Rules, func(r decode.Rule) bool {
		return r.ID == reason && r.Layer == decode.LayerCopyProcess && first <= r.Stage && r.Stage <= last
	}) {
		t.Errorf("%s: failed in %+v", reason, *e.Stage)
	}
	if e.Reason.ID != reason && !slices.Contains(e.Reason.Candidates, reason) {
		t.Errorf("%s: reason %+v in stage %+v", reason, e.Reason, *e.Stage)
	}
	if len(e.Reason.Candidates) == 1 {
		t.Errorf("%s: one candidate and not certain: %+v", reason, e.Reason)
	}
}

// labels are those of stages that have several: by the first releases of the matrix's kernels
// that have it, "" for those before all.
var labels = map[string][]struct{ of, label string }{
	"fs-in-exec": {
		{"7.3.4", "bad_fork_cleanup_semundo"}, {"6.13.0", "bad_fork_cleanup_files"},
		{"6.12.115", "bad_fork_cleanup_semundo"}, {"", "bad_fork_cleanup_files"},
	},
	"pidfd-no-fd":     {{"", "bad_fork_free_pid"}},
	"pidfd-put-fault": {{"", "bad_fork_put_pidfd"}},

	"pidns-dying":  {{"6.12.0", "bad_fork_core_free"}, {"", "bad_fork_cancel_cgroup"}},
	"fatal-signal": {{"6.12.0", "bad_fork_core_free"}, {"", "bad_fork_cancel_cgroup"}},
}

// checkLabel requires the label of this kernel.
func checkLabel(t *testing.T, reason string, e *testkit.Event) {
	t.Helper()
	for _, row := range labels[reason] {
		if row.of != "" && !kernelSince(t, row.of) {
			continue
		}
		if e.Stage == nil || e.Stage.Label != row.label {
			t.Errorf("%s: %+v, not left by %s", reason, e.Stage, row.label)
		}
		return
	}
}

func kernelSince(t *testing.T, release string) bool {
	t.Helper()
	since, _, err := decode.ParseRelease(release)
	if err != nil {
		t.Fatal(err)
	}
	running, _, err := decode.ParseRelease(verify.Release())
	if err != nil {
		t.Fatal(err)
	}
	return !running.Before(since)
}

// TestFatalSignal: creators that are killed in copy_process are told as such, though they
// never see the error.
func TestFatalSignal(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t, "-v", "--check", "--", testkit.Creations(t), "killed")
	r.Launch(t).WantStatus(t, 0)
	s := r.Events(t)
	hooked := stagesHooked.Match(r.Stderr.Bytes())
	killed := 0
	for i := range s.Creations {
		e := &s.Creations[i]
		if e.Errno == nil || *e.Errno != "EINTR" {
			continue
		}
		killed++
		if e.Creator.Comm != "victim" || e.Reason.ID != "fatal-signal" {
			t.Errorf("%s: reason %+v", describe(e), e.Reason)
		}
		if hooked {
			checkStage(t, "fatal-signal", e)
			checkLabel(t, "fatal-signal", e)
		}
	}
	if killed == 0 {
		t.Errorf("no creator was killed while it created, of %d creations", len(s.Creations))
	}
}

// TestStagesOfSuccesses: each creation passes the stages that every creation passes, and
// they take no longer than the whole.
func TestStagesOfSuccesses(t *testing.T) {
	s, _ := traceStages(t, []string{"--stages"}, "cases", "calls", "raw", "namespaces")
	n := uint64(0)
	for i := range s.Creations {
		e := &s.Creations[i]
		if e.Result < 0 {
			continue
		}
		n++
		var sum uint64
		for _, ns := range e.StageNS {
			sum += ns
		}
		if e.TookNS == nil || sum > *e.TookNS {
			t.Errorf("stages of %d ns in all, %s", sum, describe(e))
		}
		for _, stage := range []string{"task", "creds", "sched", "namespaces", "thread", "pid", "cgroup"} {
			if _, ok := e.StageNS[stage]; !ok {
				t.Errorf("stage %s was not passed: %v", stage, e.StageNS)
			}
		}
		if _, files := e.StageNS["files"]; files && slices.Contains(e.FlagNames, "CLONE_FILES") {
			t.Errorf("files were copied: %s", describe(e))
		}
	}
	pid := slices.IndexFunc(s.Summary.Stages, func(r testkit.StageTime) bool { return r.Stage == "pid" })
	if pid < 0 || s.Summary.Stages[pid].Count != n || s.Summary.Stages[pid].SumNS == 0 {
		t.Errorf("histogram %+v of %d successes", s.Summary.Stages, n)
	}
}

// TestStagesOfMachine: a trace of the whole machine tells the stage of every failure, from
// the first on, and of no success.
func TestStagesOfMachine(t *testing.T) {
	testkit.NeedRoot(t)
	traceStages(t, nil, "cases", "failures") // or skip
	r := testkit.Start(t)
	testkit.Output(t, exec.Command(testkit.Creations(t), "cases", "failures"))
	r.Stop(t)
	s := r.Events(t)
	failures := 0
	for i := range s.Creations {
		e := &s.Creations[i]
		if e.Result >= 0 && e.StageNS != nil {
			t.Errorf("stages of a success: %s", describe(e))
		}
		if e.Result >= 0 || e.Layer == nil || *e.Layer != "copy_process" {
			continue
		}
		failures++
		if e.Stage == nil {
			t.Errorf("failure %d tells no stage: %s", failures, describe(e))
		}
	}
	if failures == 0 {
		t.Errorf("no failure in copy_process among %d creations", len(s.Creations))
	}
}
