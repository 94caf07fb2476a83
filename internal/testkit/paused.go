// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"io"
	"os/exec"
	"testing"
)

// Paused is a program whose pid is known before it does anything.
type Paused struct {
	Cmd    *exec.Cmd
	Stdout bytes.Buffer
	Stderr bytes.Buffer
	gate   io.Closer
}

// Pause starts a shell that becomes the program when Go is called.
func Pause(t testing.TB, program string, args ...string) *Paused {
	t.Helper()
	p := &Paused{Cmd: exec.Command("sh", append([]string{"-c", `read -r go; exec "$@"`, "sh", program}, args...)...)}
	p.Cmd.Stdout, p.Cmd.Stderr = &p.Stdout, &p.Stderr
	gate, err := p.Cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.gate = gate
	return p
}

// Start starts the shell and returns its pid, which the program will have.
func (p *Paused) Start(t testing.TB) int {
	t.Helper()
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Cmd.Process.Kill() })
	return p.Cmd.Process.Pid
}

// Go lets the program run to its end and returns what it printed.
func (p *Paused) Go(t testing.TB) []byte {
	t.Helper()
	p.Release(t)
	return p.Wait(t)
}

// Release lets the program run.
func (p *Paused) Release(t testing.TB) {
	t.Helper()
	if err := p.gate.Close(); err != nil {
		t.Fatal(err)
	}
}

// Wait waits for its end and returns what it printed.
func (p *Paused) Wait(t testing.TB) []byte {
	t.Helper()
	if err := p.Cmd.Wait(); err != nil {
		t.Fatalf("%v: %v\n%s", p.Cmd, err, &p.Stderr)
	}
	return p.Stdout.Bytes()
}
