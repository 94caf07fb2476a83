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
	"strings"
	"testing"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/internal/testkit"
)

// reasonCase is a line of "creations reasons".
type reasonCase struct {
	Reason   string `json:"reason"`
	Prepared bool   `json:"prepared"`
	Result   int64  `json:"result"`
	Want     int64  `json:"want"`
	Needs    string `json:"needs"` // what a kernel may lack
	Comm     string `json:"comm"`  // of the creator
}

// stableReasons are decided by what nobody else can change: they must be certain where the
// kernel's own copy of the request was seen.
var stableReasons = []string{
	"newns-with-fs", "newuser-with-fs", "thread-without-sighand", "sighand-without-vm", "thread-with-newuser-newpid",
	"pidfd-with-detached", "thread-foreign-pidns",
}

// ambiguousReasons share their error with another that nothing read at the failure tells
// from them.
var ambiguousReasons = []string{"into-cgroup-gone", "into-cgroup-invalid-domain", "into-cgroup-cross-domain", "mm-nomem"}

// TestReasons makes causes of refusals and requires that each is named.
func TestReasons(t *testing.T) {
	testkit.NeedRoot(t)
	checkReasons(t, "reasons")
}

// TestMachineReasons makes causes that take limits of the whole machine.
func TestMachineReasons(t *testing.T) {
	testkit.NeedRoot(t)
	testkit.NeedGuest(t)
	checkReasons(t, "machine-reasons")
}

// TestPidExhausted makes one in a pid namespace of its own.
func TestPidExhausted(t *testing.T) {
	testkit.NeedRoot(t)
	var d report
	if err := json.Unmarshal(testkit.Output(t, exec.Command(testkit.Forktrace(t), "doctor", "--format", "json")), &d); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(d.Traits, func(r reportTrait) bool { return r.Name == "pid_namespace.pid_max" && r.Present }) {
		t.Skip("needs: a pid_max of each pid namespace: this kernel has one for the machine")
	}
	checkReasons(t, "pid-exhausted")
}

// checkReasons runs one of the load program's sets of causes.
func checkReasons(t *testing.T, set string) {
	r := testkit.New(t, "--", testkit.Creations(t), set)
	r.Launch(t).WantStatus(t, 0)
	s := r.Events(t)
	for line := range bytes.Lines(r.Stdout.Bytes()) {
		var c reasonCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		t.Run(c.Reason, func(t *testing.T) { checkReason(t, &c, s.Creations) })
	}
}

func checkReason(t *testing.T, c *reasonCase, events []testkit.Event) {
	if !c.Prepared {
		t.Skipf("needs: %s: the cause of %s cannot be made here", c.Needs, c.Reason)
	}
	if c.Result != c.Want {
		t.Skipf("needs: %s: this kernel answers %d, not %d", c.Needs, c.Result, c.Want)
	}
	for i := range events {
		e := &events[i]
		if e.Creator.Comm != c.Comm || e.Result != c.Want {
			continue
		}
		switch {
		case e.Reason == nil:
			t.Error("no reason")
		case e.Reason.Certainty == "unknown" && slices.Contains(e.Reason.Candidates, c.Reason):
			if slices.Contains(ambiguousReasons, c.Reason) {
				return
			}
			t.Errorf("not told from others: %v", e.Reason.Candidates)
		case e.Reason.ID != c.Reason:
			t.Errorf("reason %+v", *e.Reason)
		case e.Reason.Text == "" || e.Reason.Fix == "":
			t.Errorf("without a sentence or without advice: %+v", *e.Reason)
		case slices.Contains(stableReasons, c.Reason) && e.Reason.Certainty != "certain":
			t.Errorf("%s, not certain", e.Reason.Certainty)
		}
		return
	}
	t.Errorf("the attempt was not seen: %+v", c)
}

// newPidsCgroup makes a cgroup that counts tasks, in whichever hierarchy that is possible,
// and one below it; both are removed after the test. It returns the directory and the path
// in the hierarchy.
func newPidsCgroup(t *testing.T) (dir, path string) {
	t.Helper()
	h, err := host.OpenController("pids")
	if err != nil {
		t.Skipf("needs: the pids controller: %v", err)
	}
	defer h.Close()
	path = fmt.Sprintf("/forktrace-pids-%d", os.Getpid())
	dir = filepath.Join(h.Root(), path)
	inner := filepath.Join(dir, "inner")
	// version 2 hands controllers down level by level; version 1 has no such file
	for _, d := range []string{h.Root(), dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Skipf("needs: the pids controller: %v", err)
		}
		_ = os.WriteFile(filepath.Join(d, "cgroup.subtree_control"), []byte("+pids"), 0)
	}
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(inner, "pids.max")); err != nil {
		t.Skipf("needs: the pids controller: %v", err)
	}
	t.Cleanup(func() {
		for _, d := range []string{inner, dir} {
			testkit.Eventually(t, "an empty cgroup", func() error { return os.Remove(d) })
		}
	})
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

func limitPids(t *testing.T, dir, limit string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "pids.max"), []byte(limit), 0); err != nil {
		t.Fatal(err)
	}
}

// TestTwoLimits: where two limits are reached at once neither is claimed.
func TestTwoLimits(t *testing.T) {
	testkit.NeedRoot(t)
	dir, _ := newPidsCgroup(t)
	inner := filepath.Join(dir, "inner")
	limitPids(t, inner, "1")
	for _, e := range refusedIn(t, inner, "exec "+testkit.Creations(t)+" limited-user") {
		if e.Reason == nil || e.Reason.Certainty != "unknown" ||
			!slices.Contains(e.Reason.Candidates, "nproc-limit") || !slices.Contains(e.Reason.Candidates, "pids-limit") {
			t.Errorf("reason %+v", e.Reason)
		}
	}
}
