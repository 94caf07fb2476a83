// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loop runs one of the load program's timed loops and returns ns per round.
func (b *bench) loop(what string, n int) (float64, error) {
	out, err := exec.Command(b.creations, "bench-"+what, strconv.Itoa(n)).Output()
	if err != nil {
		return 0, fmt.Errorf("running bench-%s: %w", what, err)
	}
	return strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
}

// background is a tracer that runs beside a load.
type background struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan error // what Wait said, once
}

// startForktrace starts forktrace and waits until it is attached.
func (b *bench) startForktrace(stdout string, args ...string) (*background, error) {
	dir, err := os.MkdirTemp("", "forktrace-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	ready := filepath.Join(dir, "ready")
	bg, err := startTool(stdout, append([]string{b.forktrace, "--ready-file", ready}, args...))
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			return bg, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("forktrace was not ready within 10 s: %s", bg.stderr.String()), bg.stop())
}

// startTool starts any tracer with its output in a file.
func startTool(stdout string, argv []string) (*background, error) {
	out, err := os.Create(stdout)
	if err != nil {
		return nil, fmt.Errorf("opening the output: %w", err)
	}
	defer out.Close()
	bg := &background{cmd: exec.Command(argv[0], argv[1:]...), ended: make(chan error, 1)}
	bg.cmd.Stdout, bg.cmd.Stderr = out, &bg.stderr
	if err := bg.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", argv[0], err)
	}
	go func() { bg.ended <- bg.cmd.Wait() }()
	return bg, nil
}

// running says whether the tracer has not ended by itself; asked once, before stop.
func (bg *background) running() bool { return len(bg.ended) == 0 }

// stop ends the tracer as Ctrl-C does and keeps what it used.
func (bg *background) stop() error {
	if err := bg.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("stopping %s: %w", bg.cmd.Path, err)
	}
	err := <-bg.ended
	var exit *exec.ExitError
	if errors.As(err, &exit) { // perf and strace end with the signal's status
		return nil
	}
	return err
}

// median of some values.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// lowerQuartile of some values: for durations that other users of the machine lengthen.
func lowerQuartile(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/4]
}

// statusKB reads a line of /proc/PID/status, in kB.
func statusKB(pid int, name string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the status of process %d: %w", pid, err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strconv.ParseFloat(strings.Fields(rest)[0], 64)
		}
	}
	return 0, fmt.Errorf("no %s for process %d", name, pid)
}
