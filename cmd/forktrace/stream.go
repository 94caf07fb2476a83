// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/history"
	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/internal/output"
	"github.com/forktrace/forktrace/tracer"
)

// printer writes records in one of the formats.
type printer interface {
	Header() error
	Creation(*decode.Record) error
	Resumed(*decode.Resumed) error
	Livelock(*history.Livelock) error
	Lost(cpu uint32, n uint64) error
	Flush() error
}

// stream is between the tracer and the output: it filters what the kernel cannot,
// counts, and prints.
type stream struct {
	out, diag  io.Writer
	tracer     *tracer.Tracer
	printer    printer
	tally      *output.Tally
	cgroups    []*host.Cgroups
	symbols    host.Symbols
	child      *command
	kinds      []decode.Kind
	errnos     []decode.Errno
	filtered   bool
	failedOnly bool // restarts are no failures
	ofTree     bool // only a tree of processes is traced
	checks     bool
	system     *host.System
	broken     []decode.Violation // by the record that is being printed
	past       history.History
	meaning    history.Meaning // of the record that is being printed
	stages     *output.StageTimes
	violations uint64
	received   uint64
	shown      uint64
	unread     bool // nobody reads the output any more
}

func newStream(o *traceOptions, t *tracing, out, diag io.Writer) *stream {
	s := &stream{out: out, diag: diag, failedOnly: o.failedOnly, kinds: t.kinds, errnos: t.errnos}
	k := &t.kernel
	s.ofTree = k.Launch || k.Pids != nil
	s.past.NoSuccesses = k.FailedOnly
	s.filtered = k.Filtered()
	var check func(*decode.Record) []decode.Violation
	var traits decode.Traits
	if !o.summary && !o.noFailures || o.promises {
		traits = kernelTraits(diag)
	}
	s.system = host.NewSystem(traits)
	if o.promises {
		s.checks = true
		check = func(*decode.Record) []decode.Violation { return s.broken }
	}
	fallback := func() decode.Errno { return s.meaning.Fallback }
	if o.stages {
		s.stages = output.NewStageTimes()
	}
	var cgroups output.Cgroups
	for _, h := range []struct {
		path *func(uint64) (string, bool)
		open func() (*host.Cgroups, error)
	}{
		{&cgroups.V2, host.OpenCgroups},
		{&cgroups.Pids, func() (*host.Cgroups, error) {
			c, v1, err := host.OpenPidsCgroups()
			cgroups.PidsV2 = err == nil && !v1
			return c, err
		}},
		{&cgroups.Memory, func() (*host.Cgroups, error) { return host.OpenController("memory") }},
	} {
		if c, err := h.open(); err == nil { // else paths stay unknown
			s.cgroups, *h.path = append(s.cgroups, c), c.Path
		}
	}
	switch {
	case o.format == "json":
		j := output.NewJSON(out, cgroups, s.system.For)
		j.Symbol, j.Check, j.Fallback = s.symbols.Name, check, fallback
		s.printer = j
	case o.summary:
		s.tally = output.NewTally()
		s.printer = silent{}
	default:
		s.printer = output.NewText(out, diag, output.TextOptions{
			Times: output.TimeStyle(o.times), Verbose: o.verbose, Stages: o.stages, Color: useColor(o.color, out),
			LineWidth: lineWidth(out), PidMax: pidMax(), Cgroups: cgroups, Symbol: s.symbols.Name, System: s.system.For, Check: check, Fallback: fallback,
		})
	}
	return s
}

func (s *stream) close() {
	for _, c := range s.cgroups {
		_ = c.Close() // it was only read
	}
}

// silent prints nothing: the table at the end is all that was asked for.
type silent struct{}

func (silent) Header() error                    { return nil }
func (silent) Creation(*decode.Record) error    { return nil }
func (silent) Resumed(*decode.Resumed) error    { return nil }
func (silent) Livelock(*history.Livelock) error { return nil }
func (silent) Lost(uint32, uint64) error        { return nil }
func (silent) Flush() error                     { return nil }

// Creation implements [tracer.Handler].
func (s *stream) Creation(r *decode.Record) error {
	s.received++
	if s.kinds != nil && !slices.Contains(s.kinds, r.Kind()) {
		return nil
	}
	s.meaning = s.past.Add(r)
	if s.meaning.Ended != nil {
		if err := s.livelock(s.meaning.Ended); err != nil {
			return err
		}
	}
	if s.failedOnly && r.Restarted() && s.errnos == nil {
		return nil
	}
	if s.errnos != nil && !slices.Contains(s.errnos, r.Errno()) {
		return nil
	}
	if !s.unread {
		s.shown++
	}
	if s.stages != nil {
		s.stages.Add(r)
	}
	if s.checks {
		s.broken = decode.CheckRecord(r, s.system.For(r))
		s.violations += uint64(len(s.broken))
	}
	if s.tally != nil {
		s.tally.Add(r)
	}
	if s.meaning.Folded {
		return nil
	}
	return s.heard(s.printer.Creation(r))
}

// Resumed implements [tracer.Handler]. Of what --kind leaves out nothing more is told.
func (s *stream) Resumed(r *decode.Resumed) error {
	if s.kinds != nil && !slices.Contains(s.kinds, decode.KindVfork) || s.errnos != nil {
		return nil
	}
	return s.heard(s.printer.Resumed(r))
}

// livelock tells of one, unless only other errors are wanted.
func (s *stream) livelock(l *history.Livelock) error {
	if s.errnos != nil && !slices.ContainsFunc(s.errnos, decode.Errno.IsRestart) {
		return nil
	}
	return s.heard(s.printer.Livelock(l))
}

// Lost implements [tracer.Handler].
func (s *stream) Lost(cpu uint32, n uint64) error { return s.heard(s.printer.Lost(cpu, n)) }

// Idle implements [tracer.Handler]: it flushes, and ends with the last traced process.
func (s *stream) Idle() (bool, error) {
	if err := s.past.Due(output.BootNow(), s.livelock); err != nil {
		return false, err
	}
	if err := s.heard(s.printer.Flush()); err != nil {
		return false, err
	}
	if s.unread && s.child == nil {
		return false, nil
	}
	if !s.ofTree || s.child != nil && !s.child.ended() {
		return true, nil
	}
	empty, err := s.tracer.TreeEmpty()
	if err == nil && !empty && s.child != nil {
		s.child.tellSurvivors(s.diag)
	}
	return !empty, err
}

// heard forgives that nobody reads any more. What is in the buffer is still counted, and a
// command still runs to its end, whose status is wanted.
func (s *stream) heard(err error) error {
	if errors.Is(err, unix.EPIPE) {
		s.printer, s.unread = silent{}, true
		return nil
	}
	return err
}

// useColor decides about colour: https://no-color.org.
func useColor(when string, out io.Writer) bool {
	switch when {
	case "always":
		return true
	case "never":
		return false
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(out)
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// lineWidth is the width of the terminal, 0 if out is none.
func lineWidth(out io.Writer) int {
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return w
}

// pidMax is the largest pid of the machine; where it cannot be read, the largest there is.
func pidMax() int {
	const limit = 1 << 22 // PID_MAX_LIMIT, include/linux/threads.h
	b, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return limit
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return limit
	}
	return n
}
