// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/top"
	"github.com/forktrace/forktrace/tracer"
)

// topOptions are the options of top, as they were given.
type topOptions struct {
	by       string
	interval string
	batch    int
	rows     int
	format   string
	color    string
	plan     string
	protect  bool
}

func newTop() *cobra.Command {
	o := &topOptions{}
	c := &cobra.Command{
		Use:   "top [options]",
		Short: "Show live who creates how much",
		Long: `Shows each second who creates processes and threads, how fast, what fails and why, how
long children live, and whose service or container it is. The numbers are counted in the
kernel, beside any stream: they are exact under any load.

Without a terminal, or with --batch, it prints one table after another instead.

Exit status: 1 error; 2 usage; 4 missing privilege; 5 the kernel cannot be traced; or 0.`,
		Example: `  forktrace top                      live; ? for the keys
  forktrace top --by container       by container
  forktrace top -b 1 -i 5            one table of the next five seconds
  forktrace top -b 3 --format json   three lines of JSON`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runTop(c, o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.by, "by", string(activity.ByProcess), "put together `WHAT`: process, command, cgroup, unit, container, user or ancestor")
	f.StringVarP(&o.interval, "interval", "i", "1", "count for this `TIME`: seconds, or as 500ms, 2m")
	f.IntVarP(&o.batch, "batch", "b", 0, "print `N` tables and end; without a terminal, and without this, until Ctrl-C")
	f.IntVar(&o.rows, "rows", tracer.DefaultCensusRows, "`NUMBER` of creating processes that are counted apart; the others are counted by cgroup")
	f.StringVar(&o.format, "format", "text", "with --batch, write `FORMAT`: text or json")
	f.StringVar(&o.color, "color", "auto", "use colour `WHEN`: auto, always or never; NO_COLOR is honoured")
	f.StringVar(&o.plan, "plan", string(tracer.PlanAuto), "which hooks to use: auto (the best), trampoline, kprobe or tracepoint")
	f.BoolVar(&o.protect, "protect", false, "lock forktrace's memory and raise its priority, for machines that are hardly alive")
	return c
}

// checkWatch checks the options that top and storm share.
func checkWatch(rows int, format, plan string) error {
	switch {
	case rows < 1 || rows > 1<<20:
		return usagef("--rows %d: must be 1 to %d", rows, 1<<20)
	case format != "text" && format != "json":
		return usagef("--format %s: must be text or json", format)
	case !slices.Contains(tracer.Plans, tracer.Plan(plan)):
		return usagef("--plan %s: must be one of %v", plan, tracer.Plans)
	}
	return nil
}

// topRun is a running top.
type topRun struct {
	*activity.Sampler
	every time.Duration
}

func runTop(c *cobra.Command, o *topOptions) error {
	every, err := parseDuration(o.interval)
	if err != nil || every < 100*time.Millisecond {
		return usagef("--interval %s: must be a time of at least 100ms", o.interval)
	}
	if c.Flags().Changed("batch") && o.batch < 1 {
		return usagef("--batch %d: must be at least 1", o.batch)
	}
	if !slices.Contains(activity.Ways, activity.By(o.by)) {
		return usagef("--by %s: must be one of %v", o.by, activity.Ways)
	}
	if !slices.Contains([]string{"auto", "always", "never"}, o.color) {
		return usagef("--color %s: must be auto, always or never", o.color)
	}
	if err := checkWatch(o.rows, o.format, o.plan); err != nil {
		return err
	}
	if err := startThreadsOrSay(c.ErrOrStderr()); err != nil {
		return err
	}
	if o.protect {
		if err := protect(); err != nil {
			return err
		}
	}
	s, err := activity.OpenSampler(tracer.CensusOptions{Rows: o.rows, Plan: tracer.Plan(o.plan)})
	if err != nil {
		return startError(err)
	}
	t := &topRun{s, every}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	if o.batch > 0 || o.format == "json" || !isTerminal(c.OutOrStdout()) {
		signals := newSignals(cancel)
		defer signals.stop()
		signals.serve(nil)
		err = t.batch(ctx, o, c.OutOrStdout(), c.ErrOrStderr())
	} else {
		err = t.screen(ctx, o, c.InOrStdin(), c.OutOrStdout())
	}
	return errors.Join(err, s.Close())
}

// next counts for one interval; nil when ctx ends.
func (t *topRun) next(ctx context.Context) (*activity.Frame, error) {
	select {
	case <-ctx.Done():
		return nil, nil
	case <-time.After(t.every):
	}
	sample, err := t.Next()
	if err != nil {
		return nil, err
	}
	return t.FrameOf(sample, time.Now()), nil
}

// batch prints one table after another.
func (t *topRun) batch(ctx context.Context, o *topOptions, out, diag io.Writer) error {
	if blind := t.Blind(); blind != nil {
		fmt.Fprintf(diag, "forktrace: not seen on this kernel: %s\n", strings.Join(blind, "; "))
	}
	width := lineWidth(out)
	if width == 0 {
		width = 160
	}
	var rates []float64
	for n := 0; o.batch == 0 || n < o.batch; n++ {
		f, err := t.next(ctx)
		if f == nil {
			return err
		}
		if o.format == "json" {
			err = json.NewEncoder(out).Encode(f)
		} else {
			rates = top.AddRate(rates, f)
			err = top.WriteText(out, f, rates, activity.By(o.by), width, 20)
		}
		if err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	return nil
}

// screen runs on the terminal.
func (t *topRun) screen(ctx context.Context, o *topOptions, in io.Reader, out io.Writer) error {
	m := top.Model{By: activity.By(o.by), Every: t.every, Color: useColor(o.color, out), Save: saveFrame, Notes: t.Blind()}
	m.Next = func() tea.Msg {
		f, err := t.next(ctx)
		if err != nil {
			return top.ErrMsg{Err: err}
		}
		return top.FrameMsg{Frame: f}
	}
	last, err := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out)).Run()
	if err != nil && !errors.Is(err, tea.ErrInterrupted) {
		return fmt.Errorf("running the screen: %w", err)
	}
	if m, ok := last.(top.Model); ok {
		return m.Err
	}
	return nil
}

// saveFrame writes what is shown to a new file in the current directory.
func saveFrame(f *activity.Frame) tea.Cmd {
	return func() tea.Msg {
		name := "forktrace-top-" + f.Time.Format("20060102-150405.000") + ".json"
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) { // the same frame, once more
			return top.SavedMsg{Text: "saved already, as " + name}
		}
		if err != nil {
			return top.SavedMsg{Text: "not saved: " + err.Error()}
		}
		err = errors.Join(json.NewEncoder(file).Encode(f), file.Close())
		if err != nil {
			return top.SavedMsg{Text: "not saved: " + err.Error()}
		}
		return top.SavedMsg{Text: "saved as " + name}
	}
}
