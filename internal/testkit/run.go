// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"
)

// patience is how long something may take that is expected to come at once.
const patience = 60 * time.Second

// Run is a forktrace that writes JSON to a file.
type Run struct {
	Cmd    *exec.Cmd
	File   string // of the events
	Stdout bytes.Buffer
	Stderr bytes.Buffer
	ready  string
	done   chan error
}

// New prepares "forktrace trace" with these arguments, under the plan that the
// environment asks for.
func New(t testing.TB, args ...string) *Run {
	t.Helper()
	dir := t.TempDir()
	r := &Run{File: filepath.Join(dir, "events"), ready: filepath.Join(dir, "ready")}
	// bounded in time, should the test be killed itself
	if InGuest() { // the reader is some ten times slower there, and the records are as large
		args = append([]string{"--buffer-size", "32M"}, args...)
	}
	all := []string{"trace", "--format", "json", "-o", r.File, "--ready-file", r.ready, "-d", "5m"}
	r.Cmd = exec.Command(Forktrace(t), append(append(all, PlanArgs()...), args...)...)
	r.Cmd.Stdout, r.Cmd.Stderr = &r.Stdout, &r.Stderr
	r.Cmd.WaitDelay = 5 * time.Second // processes that a command left behind may hold the pipes
	return r
}

// PlanArgs are the options for the plan that the environment asks for.
func PlanArgs() []string {
	if plan := os.Getenv("FORKTRACE_PLAN"); plan != "" {
		return []string{"--plan", plan}
	}
	return nil
}

// Launch starts it. It is killed when the test ends before it does.
func (r *Run) Launch(t testing.TB) *Run {
	t.Helper()
	if err := r.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.done = make(chan error, 1)
	go func() { r.done <- r.Cmd.Wait() }()
	t.Cleanup(func() { _ = r.Cmd.Process.Kill() })
	return r
}

// Start starts forktrace and waits until it is attached.
func Start(t testing.TB, args ...string) *Run {
	t.Helper()
	return New(t, args...).Launch(t).AwaitReady(t)
}

// AwaitReady waits until everything is attached.
func (r *Run) AwaitReady(t testing.TB) *Run {
	t.Helper()
	Eventually(t, "the ready file", func() error {
		select {
		case err := <-r.done:
			r.done <- err
			t.Fatalf("forktrace ended before it was ready: %v\n%s", err, &r.Stderr)
		default:
		}
		_, err := os.Stat(r.ready)
		return err
	})
	return r
}

// Wait waits for its end and returns the exit status.
func (r *Run) Wait(t testing.TB) int {
	t.Helper()
	select {
	case err := <-r.done:
		return ExitStatus(t, err)
	case <-time.After(patience):
		_ = r.Cmd.Process.Signal(syscall.SIGQUIT) // shows what it is doing
		<-r.done
		t.Fatalf("forktrace did not end\n%s", &r.Stderr)
		return -1
	}
}

// Stop asks it to end, as systemd would, and requires status 0.
func (r *Run) Stop(t testing.TB) {
	t.Helper()
	r.Terminate(t)
	r.WantStatus(t, 0)
}

// Terminate asks it to end.
func (r *Run) Terminate(t testing.TB) {
	t.Helper()
	if err := r.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// WantStatus waits for its end and requires a status.
func (r *Run) WantStatus(t testing.TB, want int) {
	t.Helper()
	if got := r.Wait(t); got != want {
		t.Fatalf("forktrace %q ended with status %d, want %d\n%s", r.Cmd.Args[1:], got, want, &r.Stderr)
	}
}

// Events reads what it wrote.
func (r *Run) Events(t testing.TB) *Stream[Event] {
	t.Helper()
	return ReadStream[Event](t, r.File)
}

// unhooked are the layers whose refusals nothing sees, by what -v says of the plan.
var unhooked = map[string]*regexp.Regexp{
	"syscall":      regexp.MustCompile(`(?m)^forktrace: refusals by clone3: by nothing$`),
	"kernel_clone": regexp.MustCompile(`(?m)^forktrace: refusals by kernel_clone: by nothing$`),
	"seccomp":      regexp.MustCompile(`(?m)^forktrace: refusals by seccomp: by nothing$`),
}

// TraceCreations traces the creations program and returns what it says must be seen and
// what was. What the plan cannot see on this kernel is left out of both.
func TraceCreations(t *testing.T, options []string, args ...string) ([]Expectation, *Stream[Event]) {
	t.Helper()
	r := New(t, append(append([]string{"-v"}, append(options, "--", Creations(t))...), args...)...)
	r.Launch(t).WantStatus(t, 0)
	return r.WithHook(t, Expectations(t, r.Stdout.Bytes())), r.Events(t)
}

// WithHook leaves out, and reports as skipped, refusals by a layer that the trace had no
// hook for, as the tracer said; it must have been started with -v.
func (r *Run) WithHook(t *testing.T, want []Expectation) []Expectation {
	t.Helper()
	for layer, nothing := range unhooked {
		if !nothing.Match(r.Stderr.Bytes()) {
			continue
		}
		n := len(want)
		want = slices.DeleteFunc(slices.Clone(want), func(e Expectation) bool { return e.Layer == layer })
		if n > len(want) {
			t.Run("refused by "+layer, func(t *testing.T) {
				t.Skipf("needs: a hook on refusals by %s: %d are not seen by this plan", layer, n-len(want))
			})
		}
	}
	return want
}

// Output runs a program to its end and returns what it printed.
func Output(t testing.TB, cmd *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	return out
}

// ExitStatus is the status with which a program ended, 128 plus the signal if one did it.
func ExitStatus(t testing.TB, err error) int {
	t.Helper()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		t.Fatal(err)
	}
	if ws := exit.Sys().(syscall.WaitStatus); ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return exit.ExitCode()
}

// Eventually waits until a condition holds: until check returns nil.
func Eventually(t testing.TB, what string, check func() error) {
	t.Helper()
	const often, seldom = 2 * time.Millisecond, 50 * time.Millisecond
	pause := often // longer and longer: on one emulated processor asking slows what is waited for
	for end := time.Now().Add(patience); ; time.Sleep(pause) {
		pause = min(pause+pause/4, seldom)
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(fmt.Errorf("waiting for %s: %w", what, err))
		}
	}
}
