// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/storm"
	"github.com/forktrace/forktrace/tracer"
)

// stormOptions are the options of storm, as they were given.
type stormOptions struct {
	storm.Thresholds
	now      bool
	watch    bool
	duration string
	rows     int
	format   string
	plan     string
	protect  bool
}

func newStorm() *cobra.Command {
	o := &stormOptions{Thresholds: storm.DefaultThresholds}
	c := &cobra.Command{
		Use:   "storm [options]",
		Short: "Wait for a storm of creations and explain it",
		Long: `Waits until creations are far above what is usual, until creations are refused, or until
a limit is about to be reached; then says where it comes from, which shape it has, which
limit gives out when, who suffers, and which command would contain it. It runs no command.

Exit status: 1 error; 2 usage; 4 missing privilege; 5 the kernel cannot be traced; or 0.`,
		Example: `  forktrace storm                    wait for the next one
  forktrace storm --now -d 5         explain the next five seconds
  forktrace storm --watch --format json`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runStorm(c, o) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&o.now, "now", false, "explain what happens now, storm or not")
	f.StringVarP(&o.duration, "duration", "d", "", "with --now, for this `TIME` (2 s); else give up after it")
	f.BoolVar(&o.watch, "watch", false, "go on after a storm")
	f.Float64Var(&o.Rate, "rate", o.Rate, "creations a `SECOND` below which nothing is a storm")
	f.Float64Var(&o.Factor, "factor", o.Factor, "`TIMES` the usual rate that is a storm")
	f.Float64Var(&o.Refusals, "refusals", o.Refusals, "refusals (EAGAIN, ENOMEM) a `SECOND` that are a storm")
	f.Float64Var(&o.Restarts, "restarts", o.Restarts, "creations a `SECOND` that signals interrupt and that are made again, that are a storm")
	f.Float64Var(&o.Within, "within", o.Within, "a limit that is reached in so many `SECONDS` is a storm")
	f.IntVar(&o.rows, "rows", tracer.DefaultCensusRows, "`NUMBER` of creating processes that are counted apart; the others are counted by cgroup")
	f.StringVar(&o.format, "format", "text", "write `FORMAT`: text or json")
	f.StringVar(&o.plan, "plan", string(tracer.PlanAuto), "which hooks to use: auto (the best), trampoline, kprobe or tracepoint")
	f.BoolVar(&o.protect, "protect", false, "lock forktrace's memory and raise its priority, for machines that are hardly alive")
	return c
}

// stormRun is a running storm command.
type stormRun struct {
	*stormOptions
	*activity.Sampler
	storm.Detector
	storm.Tracker
	out      io.Writer
	diag     io.Writer
	since    time.Time // of the storm under way; zero if none is
	headroom []storm.Headroom
}

// shortestNow is how long must be counted to tell anything.
const shortestNow = 100 * time.Millisecond

// check says what is wrong with the options.
func (o *stormOptions) check() error {
	if o.now && o.watch {
		return usagef("--now explains the present once: it excludes --watch")
	}
	for _, t := range []struct {
		name  string
		value float64
	}{{"rate", o.Rate}, {"factor", o.Factor}, {"refusals", o.Refusals}, {"restarts", o.Restarts}, {"within", o.Within}} {
		if !(t.value > 0) || math.IsInf(t.value, 0) {
			return usagef("--%s %v: must be a number above 0", t.name, t.value)
		}
	}
	return nil
}

// quietIntervals end a storm.
const quietIntervals = 3

func runStorm(c *cobra.Command, o *stormOptions) error {
	if err := checkWatch(o.rows, o.format, o.plan); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	length := time.Duration(0)
	if o.duration != "" {
		var err error
		if length, err = parseDuration(o.duration); err != nil {
			return usagef("--duration: %w", err)
		}
		if o.now && length < shortestNow {
			return usagef("--duration %s: with --now must be at least %v", o.duration, shortestNow)
		}
	}
	if err := startThreadsOrSay(c.ErrOrStderr()); err != nil {
		return err
	}
	if o.protect {
		if err := protect(); err != nil {
			return err
		}
	}
	sampler, err := activity.OpenSampler(tracer.CensusOptions{Rows: o.rows, Plan: tracer.Plan(o.plan)})
	if err != nil {
		return startError(err)
	}
	if blind := sampler.Blind(); blind != nil {
		fmt.Fprintf(c.ErrOrStderr(), "forktrace: not seen on this kernel: %s\n", strings.Join(blind, "; "))
	}
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	signals := newSignals(cancel)
	defer signals.stop()
	signals.serve(nil)
	r := &stormRun{stormOptions: o, Sampler: sampler, Detector: storm.Detector{Thresholds: o.Thresholds}, out: c.OutOrStdout(), diag: c.ErrOrStderr()}
	if o.now {
		err = r.explainNow(ctx, length)
	} else {
		err = r.wait(ctx, length)
	}
	return errors.Join(err, sampler.Close())
}

// sample counts for a while; nil when ctx ends.
func (r *stormRun) sample(ctx context.Context, length time.Duration) (*activity.Sample, error) {
	select {
	case <-ctx.Done():
		return nil, nil
	case <-time.After(length):
		return r.Next()
	}
}

// nowParts is of how many samples --now is made: in between, limits are read.
const nowParts = 4

func (r *stormRun) explainNow(ctx context.Context, length time.Duration) error {
	if length == 0 {
		length = 2 * time.Second
	}
	begin := time.Now()
	var parts []*activity.Sample
	for range nowParts {
		s, err := r.sample(ctx, length/nowParts)
		if err != nil {
			return err
		}
		if s == nil { // interrupted: what there is by now
			break
		}
		parts = append(parts, s)
		r.measure(r.Merge(parts...)) // who has ended meets its limits no more, but did
	}
	all := r.Merge(parts...)
	if all == nil {
		return nil
	}
	return r.tell("now", r.Detector.ExceededNow(r.interval(all)), begin, all)
}

// interval is what the detector looks at.
func (r *stormRun) interval(s *activity.Sample) storm.Interval {
	return storm.Interval{
		Rate: s.Rate(s.Total.Forks()), Refusals: s.Rate(activity.Refusals(&s.Total)),
		Restarts: s.Rate(s.Total.Failed[tracer.CensusRestarted]), Nearest: storm.Nearest(r.headroom),
	}
}

// wait samples each second until a storm, or for good.
func (r *stormRun) wait(ctx context.Context, length time.Duration) error {
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	var last *activity.Sample
	var because string
	for quiet := 0; ; {
		s, err := r.sample(ctx, time.Second)
		if s == nil {
			if err == nil && r.watch && !r.since.IsZero() { // each start has an end
				return r.tell("end", because, r.since, last)
			}
			if err == nil && length > 0 && r.since.IsZero() && !r.watch {
				fmt.Fprintf(r.diag, "forktrace: no storm in %v\n", length)
			}
			return err
		}
		r.measure(s)
		last, because = s, r.Detector.Add(r.interval(s))
		event := ""
		switch {
		case because != "" && r.since.IsZero():
			r.since, quiet, event = time.Now().Add(-s.Length), 0, "start"
		case because != "":
			quiet, event = 0, "update"
		case !r.since.IsZero():
			if quiet++; quiet == quietIntervals {
				event = "end"
			}
		}
		if event == "" {
			continue
		}
		if err := r.tell(event, because, r.since, s); err != nil || !r.watch {
			return err
		}
		if event == "end" {
			r.since = time.Time{}
		}
	}
}

// maxLimits is how many limits are followed and told.
const maxLimits = 12

// measure reads the limits that the sample's creators meet.
func (r *stormRun) measure(s *activity.Sample) {
	limits := append(activity.MachineLimits(), r.Limits(s)...)
	r.headroom = r.Measure(time.Now(), activity.Nearest(limits, maxLimits))
}

func (r *stormRun) tell(event, because string, since time.Time, s *activity.Sample) error {
	known := &storm.Known{
		Headroom: r.headroom,
		Holders: func(h *storm.Headroom, ancestor *activity.Process) []activity.Holder {
			return r.Holders(&h.Limit, ancestor)
		},
	}
	if r.Cgroups != nil {
		known.Place.Dir = r.Cgroups.Dir
	}
	d := storm.Diagnose(r.Meter, s, known)
	d.Event, d.Because, d.Since, d.Usual, d.Storm = event, because, since.Format(time.RFC3339), r.Usual(), because != ""
	var err error
	if r.format == "json" {
		err = json.NewEncoder(r.out).Encode(d)
	} else {
		err = d.WriteText(r.out)
	}
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}
