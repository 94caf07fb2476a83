// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/internal/output"
	"github.com/forktrace/forktrace/tracer"
)

func newTrace() *cobra.Command {
	o := &traceOptions{}
	c := &cobra.Command{
		Use:                   "trace [options] [-- COMMAND [ARG...]]",
		Short:                 "Show every creation, as it happens (the default)",
		DisableFlagsInUseLine: true,
		Long: `Shows one line for every process and thread that is created, and for every attempt
that fails, on the whole machine; or, with a command, in the tree of that command,
children that outlive it included, until the last of them has ended.

Events go to standard output, everything else to standard error; -o FILE keeps events
apart from what a traced command prints. Ctrl-C and SIGTERM write out what is there,
print the summary, and end with status 0.

Exit status: 1 error; 2 usage; 3 records were lost and --strict was given; 4 missing
privilege; 5 the kernel cannot be traced; 6 --check found a broken promise; else that of the command, if there is one (128
plus the signal that ended it, 126 and 127 if it could not be started), or 0.`,
		Example: `  forktrace                          everything, until Ctrl-C
  forktrace -x                       what fails, and what the error means
  forktrace -f -p 1234               process 1234 and all its descendants
  forktrace --kind thread -d 10 -S   who made threads in ten seconds
  forktrace trace -- make -j8        the tree of one command
  forktrace --format json | jq .     for programs`,
		Args: func(c *cobra.Command, args []string) error {
			switch dash := c.ArgsLenAtDash(); {
			case len(args) == 0 && dash == 0:
				return usagef("no command after --")
			case len(args) > 0 && dash != 0 && isCommand(c.Root(), args[0]):
				return usagef("options come behind the command: forktrace %s [options]", args[0])
			case len(args) > 0 && dash != 0:
				return usagef("unexpected argument %q: a command to trace comes after --", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.command = args
			}
			return runTrace(c, o)
		},
	}
	o.register(c)
	o.completions(c)
	return c
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q", args[0])
	}
	return nil
}

func runTrace(c *cobra.Command, o *traceOptions) error {
	if err := checkEmpty(c); err != nil {
		return err
	}
	t, err := o.check()
	if err != nil {
		return err
	}
	if o.command != nil {
		if _, err := exec.LookPath(o.command[0]); err != nil {
			return cannotStart(o.command[0], err)
		}
	}
	// Caught, not ignored: an ignored signal would stay so in the traced command.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, unix.SIGPIPE)
	defer signal.Stop(pipes)

	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	signals := newSignals(cancel)
	defer signals.stop()
	out, err := o.openOutput(c.OutOrStdout())
	if err != nil {
		return err
	}
	if err := o.clearReadyFile(); err != nil {
		return errors.Join(err, out.Close())
	}
	attached := boundMemory()
	startThreads()
	wait := openTracer(t.kernel)
	s := newStream(o, t, out.Writer, c.ErrOrStderr())
	defer s.close()

	tr, err := wait()
	if err != nil {
		return errors.Join(err, out.Close())
	}
	s.tracer = tr
	// after newStream, whose probes are creations that are no part of what is traced
	if err = tr.Attach(); err == nil {
		attached()
		err = out.empty()
	}
	if err == nil {
		err = s.run(ctx, signals, o, t)
	}
	return errors.Join(err, tr.Close(), out.Close(), o.clearReadyFile())
}

// openTracer opens a tracer beside what its caller does. wait, which must be called, returns it.
func openTracer(o tracer.Options) (wait func() (*tracer.Tracer, error)) {
	var tr *tracer.Tracer
	var err error
	var opening sync.WaitGroup
	opening.Go(func() { tr, err = tracer.Open(o) })
	return func() (*tracer.Tracer, error) {
		opening.Wait()
		return tr, err
	}
}

// run traces until the end and returns the error that stands for the exit status.
func (s *stream) run(ctx context.Context, signals *signals, o *traceOptions, t *tracing) error {
	if t.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.duration)
		defer cancel()
	}
	s.tellPlan(o)
	if err := s.printer.Header(); err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("writing: %w", err)
	}
	if o.readyFile != "" {
		if err := os.WriteFile(o.readyFile, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
			return fmt.Errorf("creating the ready file: %w", err)
		}
	}
	var child *command
	if o.command != nil {
		var err error
		if child, err = startCommand(s.tracer, o.command); err != nil {
			return err
		}
	}
	signals.serve(child)

	s.child = child
	if err := s.tracer.Read(ctx, s); err != nil && !errors.Is(err, unix.EPIPE) {
		return fmt.Errorf("tracing: %w", err)
	}
	lost, err := s.finish(o)
	if err != nil && !errors.Is(err, unix.EPIPE) {
		return err
	}
	if lost > 0 && o.strict {
		return &statusError{exitLost, fmt.Errorf("%d records or processes were missed (--strict); a larger --buffer-size may help", lost)}
	}
	if s.violations > 0 {
		return &statusError{exitDiverges, fmt.Errorf("this kernel broke %d promises (--check)", s.violations)}
	}
	if child != nil {
		return child.status()
	}
	return nil
}

// tellPlan says what the hooks that could be had do not see: in one line, or with -v for
// each of them.
func (s *stream) tellPlan(o *traceOptions) {
	var blind []string
	for _, a := range s.tracer.Plan() {
		if text := a.Blind(); text != "" {
			blind = append(blind, text)
		}
		if !o.verbose {
			continue
		}
		by := "nothing"
		if a.Hook != nil {
			by = a.Hook.Name
		}
		fmt.Fprintf(s.diag, "forktrace: %s: by %s\n", a.Need, by)
		for _, tried := range a.Tried {
			fmt.Fprintf(s.diag, "forktrace:   not by %s: %v\n", tried.Hook.Name, tried.Err)
		}
	}
	if len(blind) > 0 {
		fmt.Fprintf(s.diag, "forktrace: not seen on this kernel: %s\n", strings.Join(blind, "; "))
	}
	if host, err := tracer.HostPidNamespace(); err == nil && !host {
		fmt.Fprintln(s.diag, "forktrace: this is a pid namespace of its own, as in a container: the ids shown are the host's")
	}
}

// summary collects the totals.
func (s *stream) summary(filtered bool) (*output.Summary, error) {
	totals, err := s.tracer.Totals()
	if err != nil {
		return nil, err
	}
	atLeast, atMost, forksErr := s.tracer.KernelForks()
	if s.stages != nil {
		s.stages.HookRuns, s.stages.HookTime, _ = s.tracer.StageCost()
		s.stages.Creations = totals.Seen.Created
	}
	return &output.Summary{
		Created: totals.Matched.Created, Failed: totals.Matched.Failed, Restarted: totals.Matched.Restarted,
		Received: s.received, Shown: s.shown, Lost: totals.Dropped.Sum(), Missed: totals.Missed, ResumedLost: totals.ResumedLost, TreeFull: totals.TreeFull,
		SeenCreated: totals.Seen.Created, KernelForks: [2]uint64{atLeast, atMost}, ForksErr: forksErr,
		Violations: s.violations, Checked: s.checks, Filtered: filtered, Elapsed: s.tracer.Elapsed(),
		Stages: s.stages,
	}, nil
}

// writeTables writes what was asked for instead of lines, and the times that creations
// spent in each stage, if they were followed.
func (s *stream) writeTables() error {
	if s.tally != nil {
		if err := s.tally.WriteText(s.out); err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
	}
	if s.stages == nil {
		return nil
	}
	if err := s.stages.WriteText(s.out); err != nil {
		return fmt.Errorf("writing the table of stages: %w", err)
	}
	return nil
}

// finish writes the summary and returns how many records, or processes of the tree, were
// missed.
func (s *stream) finish(o *traceOptions) (uint64, error) {
	sum, err := s.summary(s.filtered)
	if err != nil {
		return 0, err
	}
	missed := sum.Lost + sum.Missed + sum.ResumedLost + sum.TreeFull
	if o.format == "json" {
		err = sum.WriteJSON(s.out)
	} else {
		err = errors.Join(s.writeTables(), sum.WriteText(s.diag))
	}
	if err != nil {
		return missed, fmt.Errorf("writing the summary: %w", err)
	}
	return missed, nil
}
