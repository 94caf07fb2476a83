// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/internal/testkit"
	"github.com/forktrace/forktrace/internal/verify"
)

// TestReportFormats runs it in every format: 0 or, where a known bug is, 6.
func TestReportFormats(t *testing.T) {
	outputs := map[string][]byte{}
	for _, format := range verify.Formats {
		out, err := exec.Command(testkit.Forktrace(t), "verify", "--suite", "limits", "--format", format).Output()
		if status := testkit.ExitStatus(t, err); status != exitOK && status != exitDiverges {
			t.Fatalf("%s: status %d", format, status)
		}
		outputs[format] = out
	}
	var report verify.Report
	if err := json.Unmarshal(outputs["json"], &report); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(outputs["tap"], []byte("ok ")); n != len(report.Results) {
		t.Errorf("%d lines of TAP for %d results", n, len(report.Results))
	}
	var junit struct {
		Cases []struct{} `xml:"testcase"`
	}
	if err := xml.Unmarshal(outputs["junit"], &junit); err != nil || len(junit.Cases) != len(report.Results) {
		t.Errorf("%v, %d cases", err, len(junit.Cases))
	}

	file := filepath.Join(t.TempDir(), "before.json")
	if err := os.WriteFile(file, outputs["json"], 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(testkit.Forktrace(t), "verify", "--suite", "limits", "--baseline", file).Output()
	if testkit.ExitStatus(t, err) != exitOK || strings.Contains(string(out), "not in the baseline") {
		t.Errorf("against itself: %v\n%s", err, out)
	}
}

// TestVerifyAll runs all suites as a user would: this kernel may have known bugs, and
// otherwise does what the rules say.
func TestVerifyAll(t *testing.T) {
	out, err := exec.Command(testkit.Forktrace(t), "verify", "--format", "json").Output()
	if status := testkit.ExitStatus(t, err); status != exitOK && status != exitDiverges {
		t.Fatalf("status %d", status)
	}
	var report verify.Report
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		if r.Outcome == verify.Diverges {
			t.Errorf("%+v", r)
		}
	}
	if len(report.Results) < 500 {
		t.Errorf("%d results", len(report.Results))
	}
}

// TestCheckedVerify compares every child that verify makes with its promises.
func TestCheckedVerify(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t, "--check", "--", testkit.Forktrace(t), "verify")
	status := r.Launch(t).Wait(t)
	events := r.Events(t)
	if len(events.Creations) < 1000 || events.Summary.Violations == nil || *events.Summary.Violations != 0 || status != exitOK && status != exitDiverges {
		t.Errorf("%d creations, status %d, %+v", len(events.Creations), status, events.Summary)
	}
	inTarget := 0
	for _, e := range events.Creations {
		if e.Check != nil {
			t.Errorf("%v of %v: %+v", e.Entry, e.FlagNames, e.Check)
		}
		if e.Child != nil && e.Child.InTargetCgroup != nil && *e.Child.InTargetCgroup {
			inTarget++
		}
	}
	if inTarget == 0 { // verify makes a cgroup wherever a version 2 hierarchy is mounted
		t.Error("no child was seen in the cgroup that CLONE_INTO_CGROUP named")
	}
}

// TestCheckedCreations compares the creations program's children with their promises.
func TestCheckedCreations(t *testing.T) {
	testkit.NeedRoot(t)
	_, events := testkit.TraceCreations(t, []string{"--check"}, "cases")
	if events.Summary.Violations == nil || *events.Summary.Violations != 0 {
		t.Errorf("%+v", events.Summary)
	}
}

// TestVerifyInterrupted: a signal ends it between two cases, and no cgroup is left.
func TestVerifyInterrupted(t *testing.T) {
	testkit.NeedRoot(t)
	testkit.NeedQuietHost(t) // it has to be at work after half a second
	cmd := exec.Command(testkit.Forktrace(t), "verify", "--no-trace", "--suite", "semantics,limits,bugs")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if err := cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := testkit.ExitStatus(t, cmd.Wait()); status != exitError || !strings.Contains(stderr.String(), "cases: interrupt") {
		t.Errorf("status %d: %s", status, stderr.String())
	}
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, _ os.DirEntry, _ error) error {
		if strings.HasSuffix(path, fmt.Sprintf("forktrace-verify-%d", cmd.Process.Pid)) {
			t.Errorf("%s is left", path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
