// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/internal/verify"
)

// errDiverges ends verify with its status, after the report has said all.
var errDiverges = &statusError{status: exitDiverges}

type verifyOptions struct {
	suites     []string
	format     string
	exhaustive string
	seed       uint64
	baseline   string
	list       bool
	noTrace    bool
}

func newVerify() *cobra.Command {
	o := &verifyOptions{}
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check that this kernel keeps the promises of clone's flags",
		Long: `Makes clone and clone3 requests on the running kernel, each in processes of its own that
end at once, and compares what happens with the tables of rules and promises:

  rules      each rule alone, rules that precede others, every argument around its bounds
  flags      each flag and each pair of flags
  limits     limits of users, files, ids, namespaces and cgroups, reached and just not
  semantics  what flags mean afterwards: what is shared, who is signalled, who waits
  bugs       known bugs of kernels: affected or not

What rules moved between versions is found out first, by requests that create nothing. As
root, each child is also traced and compared with its promises before it runs. Nothing is
changed outside of these processes, their namespaces and a cgroup that is removed again.
Without root, what needs it is left out, and named.

--exhaustive issues every combination of the flags of clone(2) that is refused before
anything is copied, one combination of each class of the others, and a random sample of
them, and likewise the flags that only clone3 has. --exhaustive=all issues the others too,
which takes a quarter of an hour.

Exit status: 0 the kernel conforms, 6 it diverges; 1 error, 2 usage.`,
		Example: `  forktrace verify                                   in a few seconds
  forktrace verify --exhaustive                      all that is refused early
  forktrace verify --format json > 6.18.json         to compare with another kernel:
  forktrace verify --baseline 6.18.json              only what differs`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	f := c.Flags()
	f.SortFlags = false
	f.StringSliceVar(&o.suites, "suite", verify.Suites, "only these `SUITES`: "+strings.Join(verify.Suites, ", "))
	f.StringVar(&o.format, "format", "text", "write `FORMAT`: "+strings.Join(verify.Formats, ", "))
	f.StringVar(&o.exhaustive, "exhaustive", "", "issue all combinations of flags that are refused early, and a sample of the others; or, with =all, all `WHICH` there are")
	f.Lookup("exhaustive").NoOptDefVal = "early"
	f.Uint64Var(&o.seed, "seed", 1, "`NUMBER` that the random sample follows from")
	f.StringVar(&o.baseline, "baseline", "", "show only what differs from `FILE`, an earlier result in JSON")
	f.BoolVar(&o.noTrace, "no-trace", false, "do not trace the cases' children to compare them with what their flags promise")
	f.BoolVar(&o.list, "list", false, "list the cases, with their sources, and run none")
	return c
}

func (o *verifyOptions) check() error {
	if !slices.Contains(verify.Formats, o.format) {
		return usagef("--format %s: must be %s", o.format, strings.Join(verify.Formats, " or "))
	}
	for _, s := range o.suites {
		if !slices.Contains(verify.Suites, s) {
			return usagef("--suite %s: must be %s", s, strings.Join(verify.Suites, " or "))
		}
	}
	if !slices.Contains([]string{"", "early", "all"}, o.exhaustive) {
		return usagef("--exhaustive=%s: must be early or all", o.exhaustive)
	}
	return nil
}

func (o *verifyOptions) run(c *cobra.Command) error {
	if err := o.check(); err != nil {
		return err
	}
	cases := slices.DeleteFunc(verify.Cases(), func(c verify.Case) bool { return !slices.Contains(o.suites, c.Suite) })
	if o.list {
		for _, one := range cases {
			fmt.Fprintf(c.OutOrStdout(), "%s/%s\t%s\n", one.Suite, one.Name, one.Source)
		}
		return nil
	}
	baseline, err := o.readBaseline()
	if err != nil {
		return err
	}
	report, err := o.verify(c.Context(), cases, c.ErrOrStderr())
	if err != nil {
		return err
	}
	diverges := report.Diverges()
	if baseline != nil {
		report.Against(baseline)
		diverges = len(report.Results) > 0 || report.Exhaustive != nil && report.Exhaustive.Diverged > 0
	}
	if err := report.Write(c.OutOrStdout(), o.format); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if diverges {
		return errDiverges
	}
	return nil
}

func (o *verifyOptions) readBaseline() (*verify.Report, error) {
	if o.baseline == "" {
		return nil, nil
	}
	b, err := os.ReadFile(o.baseline)
	if err != nil {
		return nil, fmt.Errorf("reading the baseline: %w", err)
	}
	var r verify.Report
	if err := json.Unmarshal(b, &r); err != nil || r.Type != "verify" {
		return nil, fmt.Errorf("reading the baseline: %s is no result of verify --format json", o.baseline)
	}
	return &r, nil
}

func (o *verifyOptions) verify(ctx context.Context, cases []verify.Case, diag io.Writer) (report *verify.Report, err error) {
	e, err := verify.NewExecutor()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	v, err := verify.New(e)
	if err != nil {
		return nil, err
	}
	report = &verify.Report{Type: "verify", Schema: 1, Kernel: verify.Release(), Machine: runtime.GOARCH, Root: v.Root()}
	// a case that is interrupted would leave its cgroup behind
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	report.Results, report.Checked, err = v.RunAll(ctx, cases, !o.noTrace)
	stop()
	if err != nil {
		return nil, err
	}
	if o.exhaustive == "" {
		return report, nil
	}
	progress := newProgress(diag)
	report.Exhaustive, err = v.Exhaustive(verify.Exhaustive{All: o.exhaustive == "all", Sample: 10000, Seed: o.seed, Progress: progress.show})
	progress.end()
	return report, err
}

// progress draws a bar on a terminal, with the rate and what is left.
type progress struct {
	to    io.Writer // nil: no terminal
	of    int
	began time.Time
}

func newProgress(diag io.Writer) *progress {
	if !isTerminal(diag) {
		return &progress{}
	}
	return &progress{to: diag}
}

func (p *progress) show(done, of int) {
	const width = 30
	if p.to == nil {
		return
	}
	if of != p.of {
		p.of, p.began = of, time.Now()
	}
	rate := float64(done) / max(time.Since(p.began).Seconds(), 0.001)
	left := time.Duration(float64(of-done) / max(rate, 1) * float64(time.Second)).Round(time.Second)
	full := width * done / of
	fmt.Fprintf(p.to, "\r[%s%s] %3d %%  %.0f/s  %v left \x1b[K", strings.Repeat("#", full), strings.Repeat(".", width-full), 100*done/of, rate, left)
}

func (p *progress) end() {
	if p.to != nil {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
