// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// newPidsCgroup makes a cgroup that counts tasks, and one below it.
func newPidsCgroup(t *testing.T) (dir, path string) {
	t.Helper()
	dir, path = newCgroup(t, "pids")
	_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+pids"), 0)
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		testkit.Eventually(t, "an empty cgroup", func() error { return os.Remove(inner) })
	})
	if _, err := os.Stat(filepath.Join(inner, "pids.max")); err != nil {
		t.Skipf("needs: the pids controller: %v", err)
	}
	return dir, path
}

// refusedIn traces a command that moves itself into a cgroup, and returns what was refused.
func refusedIn(t *testing.T, cgroup, command string) []testkit.Event {
	t.Helper()
	r := testkit.New(t, "-x", "--", "sh", "-c", "echo $$ >"+filepath.Join(cgroup, "cgroup.procs")+"; "+command)
	r.Launch(t)
	r.Wait(t)
	events := r.Events(t).Creations
	if len(events) == 0 {
		t.Fatalf("nothing was refused\n%s%s", &r.Stdout, &r.Stderr)
	}
	return events
}

// TestPidsLimit: the cgroup that refused is named, whether the creator's or one above it.
func TestPidsLimit(t *testing.T) {
	testkit.NeedRoot(t)
	dir, path := newPidsCgroup(t)
	inner := filepath.Join(dir, "inner")
	for name, limited := range map[string]string{path: dir, path + "/inner": inner} {
		t.Run(strings.TrimPrefix(name, path)+" full", func(t *testing.T) {
			limitPids(t, limited, "2")
			defer limitPids(t, limited, "max")
			for _, e := range refusedIn(t, inner, "sleep 0.1 & sleep 0.1 & sleep 0.1 & wait") {
				if e.Reason == nil || e.Reason.ID != "pids-limit" || e.Reason.Certainty == "unknown" {
					t.Fatalf("reason %+v of %s, evidence %v", e.Reason, describe(&e), e.Evidence)
				}
				if !strings.HasPrefix(e.Reason.Text, "pids.max of "+name+" reached: 2 of 2") {
					t.Errorf("text %q", e.Reason.Text)
				}
				if e.Evidence["pids_cgroup"] != name {
					t.Errorf("evidence names %v", e.Evidence["pids_cgroup"])
				}
			}
		})
	}
}

// TestDeepPidsLimit: the cgroup that refused is named, however far above the creator's it is.
func TestDeepPidsLimit(t *testing.T) {
	testkit.NeedRoot(t)
	dir, path := newPidsCgroup(t)
	deepest := filepath.Join(dir, "inner")
	for level := range 10 {
		_ = os.WriteFile(filepath.Join(deepest, "cgroup.subtree_control"), []byte("+pids"), 0) // of version 2
		deepest = filepath.Join(deepest, strconv.Itoa(level))
		if err := os.Mkdir(deepest, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			testkit.Eventually(t, "an empty cgroup", func() error { return os.Remove(deepest) })
			deepest = filepath.Dir(deepest)
		})
	}
	limitPids(t, dir, "2")
	for _, e := range refusedIn(t, deepest, "sleep 0.1 & sleep 0.1 & sleep 0.1 & wait") {
		chain, _ := e.Evidence["pids"].([]any)
		if e.Reason == nil || len(chain) != decode.CgroupDepth {
			t.Fatalf("reason %+v of %s, evidence %v", e.Reason, describe(&e), e.Evidence)
		}
		if strings.HasPrefix(e.Reason.Text, "pids.max reached of a cgroup above those that were looked at, from "+path+"/inner/0/") {
			t.Skip("needs: deep limits: this kernel's BPF programs are verified as one piece")
		}
		if e.Reason.ID != "pids-limit" || e.Evidence["pids_up"] != 11.0 || !strings.HasPrefix(e.Reason.Text, "pids.max of "+path+" reached: 2 of 2") {
			t.Errorf("reason %+v, evidence %v", e.Reason, e.Evidence)
		}
	}
}

// TestExemptRoot: RLIMIT_NPROC does not concern root, whatever is full: it is neither refused
// by it nor is that among the causes of another refusal.
func TestExemptRoot(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t, "--", testkit.Creations(t), "limited-root")
	r.Launch(t).WantStatus(t, 1) // the limit was set, and it was not refused
	for _, e := range r.Events(t).Creations {
		if e.Result < 0 {
			t.Errorf("refused: %s", describe(&e))
		}
	}
	dir, _ := newPidsCgroup(t)
	inner := filepath.Join(dir, "inner")
	limitPids(t, inner, "1")
	for _, e := range refusedIn(t, inner, "exec "+testkit.Creations(t)+" limited-root") {
		if e.Reason == nil || e.Reason.ID != "pids-limit" {
			t.Errorf("reason %+v, evidence %v", e.Reason, e.Evidence)
		}
	}
}

func limitPids(t *testing.T, dir, limit string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte(limit), 0); err != nil {
		t.Fatal(err)
	}
}

// TestTwoLimits: where two limits are reached at once neither is claimed, unless hooks inside
// copy_process showed which one the kernel met.
func TestTwoLimits(t *testing.T) {
	testkit.NeedRoot(t)
	dir, _ := newPidsCgroup(t)
	inner := filepath.Join(dir, "inner")
	limitPids(t, inner, "1")
	for _, e := range refusedIn(t, inner, "exec "+testkit.Creations(t)+" limited-user") {
		if e.Stage != nil && e.Reason != nil && e.Reason.ID == "nproc-limit" && e.Reason.Certainty == "certain" {
			continue // it comes first
		}
		if e.Stage != nil || e.Reason == nil || e.Reason.Certainty != "unknown" ||
			!slices.Contains(e.Reason.Candidates, "nproc-limit") || !slices.Contains(e.Reason.Candidates, "pids-limit") {
			t.Errorf("reason %+v", e.Reason)
		}
	}
}

// TestResetOnFork: a creator under SCHED_DEADLINE whose children are ordinary is refused by
// the limit alone.
func TestResetOnFork(t *testing.T) {
	testkit.NeedRoot(t)
	dir, path := newPidsCgroup(t)
	inner := filepath.Join(dir, "inner")
	limitPids(t, inner, "1")
	r := testkit.New(t, "-x", "--", "sh", "-c", "echo $$ >"+filepath.Join(inner, "cgroup.procs")+"; exec "+testkit.Creations(t)+" reset-on-fork")
	r.Launch(t)
	if r.Wait(t) == 77 {
		t.Skip("needs: SCHED_DEADLINE: it cannot be had here")
	}
	events := r.Events(t).Creations
	if len(events) == 0 {
		t.Fatalf("nothing was refused\n%s%s", &r.Stdout, &r.Stderr)
	}
	for _, e := range events {
		if e.Reason == nil || e.Reason.ID != "pids-limit" {
			t.Errorf("reason %+v of %s, evidence %v", e.Reason, path, e.Evidence)
		}
	}
}
