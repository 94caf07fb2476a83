// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/tracer"
)

// command is the traced command.
type command struct {
	name    string
	process *os.Process
	done    chan struct{} // closed when it has ended
	state   *os.ProcessState
	waitErr error
	told    sync.Once
}

// startCommand starts the command, with its tree traced from its first moment.
func startCommand(t *tracer.Tracer, argv []string) (*command, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, cannotStart(argv[0], err)
	}
	pid, err := t.Launch(func() (int, error) {
		// not os/exec: that creates a process of its own at its first use
		return syscall.ForkExec(path, argv, &syscall.ProcAttr{
			Env:   os.Environ(),
			Files: []uintptr{0, 1, 2},
		})
	})
	if err != nil {
		return nil, cannotStart(argv[0], err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil, fmt.Errorf("waiting for %s: %w", argv[0], err)
	}
	c := &command{name: argv[0], process: process, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.state, c.waitErr = process.Wait()
	}()
	return c, nil
}

func cannotStart(name string, err error) error {
	status := exitCannotExec
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		status = exitNotFound
	}
	var search *exec.Error
	if errors.As(err, &search) {
		err = search.Err
	}
	return &statusError{status, fmt.Errorf("starting %s: %w", name, err)}
}

// ended says whether the command itself, not its tree, has ended.
func (c *command) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// tellSurvivors says, once, why forktrace goes on.
func (c *command) tellSurvivors(diag io.Writer) {
	c.told.Do(func() {
		fmt.Fprintf(diag, "forktrace: %s has ended, processes that it left behind have not: tracing them until they do, or Ctrl-C\n", c.name)
	})
}

// status waits for the command and returns its exit status as an error.
func (c *command) status() error {
	<-c.done
	if c.waitErr != nil {
		return fmt.Errorf("waiting for %s: %w", c.name, c.waitErr)
	}
	code := c.state.ExitCode()
	if ws, ok := c.state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		code = exitSignalBase + int(ws.Signal())
	}
	if code == 0 {
		return nil
	}
	return &statusError{status: code}
}

// signals ends the trace when asked to. While a command runs, the terminal has told it
// too, and SIGTERM is passed on: its end is waited for, unless asked twice.
type signals struct {
	caught chan os.Signal
	quit   chan struct{}
	end    func()
}

// newSignals catches signals from now on; what comes before serve is kept for it.
func newSignals(end func()) *signals {
	s := &signals{caught: make(chan os.Signal, 8), quit: make(chan struct{}), end: end}
	signal.Notify(s.caught, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	return s
}

// serve acts on signals; child is the traced command, or nil.
func (s *signals) serve(child *command) {
	go func() {
		for asked := 0; ; {
			select {
			case <-s.quit:
				return
			case sig := <-s.caught:
				if asked++; child == nil || child.ended() || asked > 1 {
					s.end()
					continue
				}
				if sig != unix.SIGINT {
					_ = child.process.Signal(sig) // it may have ended just now
				}
			}
		}
	}()
}

func (s *signals) stop() {
	signal.Stop(s.caught)
	close(s.quit)
}
