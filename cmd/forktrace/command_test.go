// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestCommandStatus: forktrace ends as the command did, and as env(1) does where there is
// none to start.
func TestCommandStatus(t *testing.T) {
	testkit.NeedRoot(t)
	notExecutable := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notExecutable, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		argv   []string
		status int
	}{
		"success":        {[]string{"true"}, 0},
		"failure":        {[]string{"sh", "-c", "exit 3"}, 3},
		"like our own":   {[]string{"sh", "-c", "exit 5"}, 5},
		"signal":         {[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15},
		"not there":      {[]string{"no-such-program-here"}, exitNotFound},
		"no such path":   {[]string{"/no/such/program"}, exitNotFound},
		"not executable": {[]string{notExecutable}, exitCannotExec},
	} {
		t.Run(name, func(t *testing.T) {
			r := testkit.New(t, append([]string{"--"}, c.argv...)...).Launch(t)
			r.WantStatus(t, c.status)
			if diag := r.Stderr.String(); c.status >= exitCannotExec && c.status <= exitNotFound && !strings.Contains(diag, c.argv[0]) {
				t.Errorf("%q does not name what could not be started", diag)
			}
		})
	}
}

// TestCommandTerminated: who ends forktrace ends the command, which may take its time and
// whose status counts.
func TestCommandTerminated(t *testing.T) {
	testkit.NeedRoot(t)
	here := filepath.Join(t.TempDir(), "here")
	// bounded, should nobody tell it to end
	script := `trap 'echo bye; exit 9' TERM; : >"$0"; for i in $(seq 400); do sleep 0.05; done`
	r := testkit.New(t, "--", "sh", "-c", script, here).Launch(t)
	testkit.Eventually(t, "the command", func() error { _, err := os.Stat(here); return err })
	r.Terminate(t)
	r.WantStatus(t, 9)
	if out := r.Stdout.String(); out != "bye\n" {
		t.Errorf("the command printed %q", out)
	}
	if len(r.Events(t).Creations) == 0 {
		t.Error("nothing was seen")
	}
}

// TestCommandWithClosedStdout: nobody reads the events, but the command's status counts.
func TestCommandWithClosedStdout(t *testing.T) {
	testkit.NeedRoot(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	var diag bytes.Buffer
	argv := append(append([]string{"trace"}, testkit.PlanArgs()...), "--", "sh", "-c", `"$0" exit 0; exit 4`, testkit.Creations(t))
	cmd := exec.Command(testkit.Forktrace(t), argv...)
	cmd.Stdout, cmd.Stderr = write, &diag
	err = cmd.Run()
	write.Close()
	if status := testkit.ExitStatus(t, err); status != 4 {
		t.Errorf("status %d: %s", status, &diag)
	}
	if strings.Contains(diag.String(), syscall.EPIPE.Error()) {
		t.Errorf("diagnostics %q", &diag)
	}
}

// TestSummaryTable: -S counts instead of showing.
func TestSummaryTable(t *testing.T) {
	testkit.NeedRoot(t)
	table := filepath.Join(t.TempDir(), "table")
	argv := append(append([]string{"trace", "-S", "-o", table}, testkit.PlanArgs()...), "--", testkit.Creations(t), "cases", "failures")
	out := testkit.Output(t, exec.Command(testkit.Forktrace(t), argv...))
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	var want, got int
	for _, e := range testkit.Expectations(t, out) {
		if e.Result == -22 {
			want++
		}
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 4 && f[3] == "EINVAL" {
			n, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}
	if got != want || got == 0 {
		t.Errorf("%d EINVAL in the table, %d made:\n%s", got, want, text)
	}
}
