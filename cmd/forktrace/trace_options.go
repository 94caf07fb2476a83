// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/internal/output"
	"github.com/forktrace/forktrace/tracer"
)

// traceOptions are the options of trace, as they were given.
type traceOptions struct {
	pids       []string
	ppids      []string
	follow     bool
	users      []string
	comms      []string
	cgroup     string
	kinds      []string
	errnos     []string
	flags      string
	failedOnly bool
	noFailures bool
	duration   string
	summary    bool
	outputFile string
	format     string
	color      string
	times      string
	readyFile  string
	bufferSize string
	immediate  bool
	plan       string
	strict     bool
	promises   bool // --check
	stages     bool
	verbose    bool
	command    []string
}

func (o *traceOptions) register(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.StringSliceVarP(&o.pids, "pid", "p", nil, "only what process `PID` creates (repeatable); ends with the last of them")
	f.StringSliceVarP(&o.ppids, "ppid", "P", nil, "only creators whose parent is process `PID` (repeatable)")
	f.BoolVarP(&o.follow, "follow", "f", false, "with --pid: also what its descendants create, present and future")
	f.StringArrayVarP(&o.users, "uid", "u", nil, "only creators of this `USER`, name or number (repeatable)")
	f.StringArrayVarP(&o.comms, "comm", "n", nil, "only creators of this task `NAME` (repeatable)")
	f.StringVarP(&o.cgroup, "cgroup", "c", "", "only creators in or below this v2 cgroup: a `PATH` below its root, or a directory")
	f.StringSliceVar(&o.kinds, "kind", nil, "only these `KINDS`: "+strings.Join(decode.KindNames(), ", "))
	f.StringSliceVar(&o.errnos, "errno", nil, "only failures with these `ERRNOS`, names or numbers")
	f.StringVar(&o.flags, "flags", "", "only requests with all of these `FLAGS`, as NEWUSER,NEWPID")
	f.BoolVarP(&o.failedOnly, "failed-only", "x", false, "only failures")
	f.BoolVar(&o.noFailures, "no-failures", false, "only successes; spares the machine the hooks on system calls")
	f.StringVarP(&o.duration, "duration", "d", "", "end after this `TIME`: seconds, or as 500ms, 2m")
	f.BoolVarP(&o.summary, "summary", "S", false, "print counts at the end instead of a line for each")
	f.StringVarP(&o.outputFile, "output", "o", "", "write to `FILE` instead of standard output")
	f.StringVar(&o.format, "format", "text", "write `FORMAT`: text or json (one object a line, docs/schema.json)")
	f.StringVar(&o.color, "color", "auto", "use colour `WHEN`: auto, always or never; NO_COLOR is honoured")
	f.StringVarP(&o.times, "timestamps", "t", string(output.TimeWall), "show times by `CLOCK`: wall, utc, boot, delta (seconds since the line before) or none")
	f.StringVar(&o.readyFile, "ready-file", "", "create `FILE` when everything is attached")
	f.StringVar(&o.bufferSize, "buffer-size", "4M", "`SIZE` of the buffer between kernel and forktrace: bytes, or as 512K, 16M")
	f.BoolVar(&o.immediate, "immediate", false, "show each record at once instead of within 100 ms; slows each creation by some 10 µs")
	f.StringVar(&o.plan, "plan", string(tracer.PlanAuto), "which hooks to use: auto (the best), trampoline, kprobe or tracepoint")
	f.BoolVar(&o.strict, "strict", false, "exit with status 3 if records were lost")
	f.BoolVar(&o.stages, "stages", false, "show how long creations take in each stage of copy_process, at some microseconds a creation; needs kprobes")
	f.BoolVar(&o.promises, "check", false, "compare each creation with what its flags promise, and each failure with the rules; exit with status 6 if the kernel broke any")
	f.BoolVarP(&o.verbose, "verbose", "v", false, "all flags, and a second line with details; tells what the plan cannot see")
}

// checkEmpty refuses an empty value, which a script passes whose variable is not set: it
// would mean everything.
func checkEmpty(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if v := f.Value.String(); err == nil && (v == "" || v == "[]") {
			err = usagef("--%s: the value is empty", f.Name)
		}
	})
	return err
}

// completions are the values that shells offer for options.
func (o *traceOptions) completions(c *cobra.Command) {
	for option, values := range map[string][]string{
		"kind": decode.KindNames(), "errno": decode.ErrnoNames(), "format": {"text", "json"},
		"color": {"auto", "always", "never"}, "timestamps": {"wall", "utc", "boot", "delta", "none"},
		"plan": {"auto", "trampoline", "kprobe", "tracepoint"},
	} {
		if err := c.RegisterFlagCompletionFunc(option, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // an option that is not there: the tests see it
		}
	}
}

// tracing is what the options come to.
type tracing struct {
	kernel   tracer.Options
	duration time.Duration
	kinds    []decode.Kind
	errnos   []decode.Errno
}

// check turns the options into what they mean, or says what is wrong with them.
func (o *traceOptions) check() (*tracing, error) {
	t := &tracing{kernel: tracer.Options{
		Follow: o.follow, FailedOnly: o.failedOnly || o.errnos != nil, NoFailures: o.noFailures,
		Immediate: o.immediate, Plan: tracer.Plan(o.plan), Launch: o.command != nil, Details: o.format == "json" || o.verbose || o.promises, Stages: o.stagesOf(),
	}}
	for _, step := range []func(*tracing) error{
		o.checkChoices, o.checkConflicts, o.checkNames, o.checkNumbers, o.checkCreators,
	} {
		if err := step(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// stagesOf says for which creations functions inside copy_process are hooked, and how long:
// always where failures are what is looked for, or one command's; of the machine not while it
// makes many and none fails, as every creation pays for it.
func (o *traceOptions) stagesOf() tracer.StagesOf {
	switch {
	case o.stages:
		return tracer.StagesOfAll
	case o.noFailures || o.summary:
		return tracer.StagesOfNone
	case o.failedOnly || o.errnos != nil || o.command != nil:
		return tracer.StagesOfFailures
	}
	return tracer.StagesSparing
}

func (o *traceOptions) checkChoices(*tracing) error {
	for _, c := range []struct {
		option, given string
		choices       []string
	}{
		{"--format", o.format, []string{"text", "json"}},
		{"--color", o.color, []string{"auto", "always", "never"}},
		{"--plan", o.plan, []string{"auto", "trampoline", "kprobe", "tracepoint"}},
	} {
		if !slices.Contains(c.choices, c.given) {
			return usagef("%s %s: must be %s", c.option, c.given, strings.Join(c.choices, " or "))
		}
	}
	if _, err := output.ParseTimeStyle(o.times); err != nil {
		return usageError{err}
	}
	return nil
}

func (o *traceOptions) checkConflicts(*tracing) error {
	for _, c := range []struct {
		conflict bool
		message  string
	}{
		{o.follow && o.pids == nil && o.command == nil, "--follow goes with --pid; without it everything is traced anyway"},
		{o.pids != nil && o.command != nil, "--pid and a command exclude each other: the command's tree is traced"},
		{o.noFailures && o.failedOnly, "--no-failures and --failed-only leave nothing to show"},
		{o.noFailures && o.errnos != nil, "--no-failures and --errno leave nothing to show"},
		{o.summary && o.format == "json", "--summary is a text table; JSON ends with a summary object anyway"},
	} {
		if c.conflict {
			return usagef("%s", c.message)
		}
	}
	return nil
}

// maxErrno is the largest error number that a system call can return (include/linux/err.h).
const maxErrno = 4095

func (o *traceOptions) checkNames(t *tracing) error {
	for _, name := range o.kinds {
		k, err := decode.ParseKind(name)
		if err != nil {
			return err
		}
		t.kinds = append(t.kinds, k)
	}
	for _, name := range o.errnos {
		e, err := decode.ParseErrno(name)
		if err != nil {
			return usageError{err}
		}
		if e > maxErrno {
			return usagef("--errno %s: the largest error number is %d", name, maxErrno)
		}
		t.errnos = append(t.errnos, e)
	}
	if o.flags == "" {
		return nil
	}
	flags, signal, err := decode.ParseFlags(o.flags)
	if err != nil {
		return err
	}
	if signal != 0 {
		return usagef("--flags %s: an exit signal is no flag", o.flags)
	}
	t.kernel.Flags = flags
	return nil
}

func (o *traceOptions) checkNumbers(t *tracing) error {
	if o.duration != "" {
		d, err := parseDuration(o.duration)
		if err != nil {
			return usagef("--duration: %w", err)
		}
		t.duration = d
	}
	n, err := parseSize(o.bufferSize)
	if err != nil {
		return usagef("--buffer-size: %w", err)
	}
	if n < tracer.MinBufferSize || n > tracer.MaxBufferSize {
		return usagef("--buffer-size %s: must be between %d and %d bytes", o.bufferSize, tracer.MinBufferSize, tracer.MaxBufferSize)
	}
	t.kernel.BufferSize = n
	return nil
}

// parseDuration reads seconds, or what time.ParseDuration reads.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		seconds, err := strconv.ParseFloat(s, 64)
		if err != nil || seconds > 1e9 || !(seconds > 0) {
			return 0, fmt.Errorf("%q is no time: give seconds, or a unit as in 500ms, 10s, 2m", s)
		}
		return time.Duration(seconds * float64(time.Second)), nil
	}
	if d <= 0 {
		return 0, fmt.Errorf("%q is not positive", s)
	}
	return d, nil
}

// parseSize reads bytes, with K, M or G for powers of 1024.
func parseSize(s string) (int, error) {
	digits, shift := s, 0
	for i, unit := range []string{"K", "M", "G"} {
		if rest, ok := strings.CutSuffix(strings.ToUpper(s), unit); ok {
			digits, shift = rest, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n<<shift > tracer.MaxBufferSize {
		return 0, fmt.Errorf("%q is no size up to 1G: give bytes, or a unit as in 512K, 16M", s)
	}
	return int(n << shift), nil
}

func (o *traceOptions) checkCreators(t *tracing) error {
	for _, name := range o.users {
		uid, err := host.UserID(name)
		if err != nil {
			return err
		}
		t.kernel.UIDs = append(t.kernel.UIDs, uid)
	}
	for _, name := range o.comms {
		if name == "" {
			return usagef("--comm: the name is empty")
		}
		if cut := tracer.CommKey(name); len(name) >= len(cut) {
			return usagef("--comm %s: the kernel keeps %d bytes of a task's name: give %q", name, len(cut)-1, cut[:len(cut)-1])
		}
		t.kernel.Comms = append(t.kernel.Comms, name)
	}
	if o.cgroup != "" {
		dir, err := host.FindCgroup(o.cgroup)
		if errors.Is(err, host.ErrNoCgroup2) {
			return usagef("--cgroup: %w", err)
		}
		if err != nil {
			return err
		}
		t.kernel.CgroupDir = dir
	}
	var err error
	if t.kernel.Pids, err = readPids("--pid", o.pids); err == nil {
		t.kernel.PPids, err = readPids("--ppid", o.ppids)
	}
	return err
}

// readPids reads the numbers of processes that there are; nil for none.
func readPids(option string, given []string) (pids []uint32, err error) {
	for _, s := range given {
		pid, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return nil, usagef("%s %s: must be the number of a process", option, s)
		}
		if host, err := tracer.HostPidNamespace(); err == nil && !host {
			return nil, usagef("%s: this is a pid namespace of its own, whose numbers the kernel side does not know: run forktrace in the host's, as with --pid=host", option)
		}
		if err := checkPid(int(pid)); err != nil {
			return nil, usagef("%s: %w", option, err)
		}
		pids = append(pids, uint32(pid))
	}
	return pids, nil
}

// checkPid says what is wrong with a pid: only processes create, whichever thread it is.
func checkPid(pid int) error {
	p, err := procfs.NewProc(pid)
	if errors.Is(err, fs.ErrNotExist) || pid <= 0 {
		return fmt.Errorf("no process %d", pid)
	}
	if err != nil {
		return fmt.Errorf("looking for process %d: %w", pid, err)
	}
	status, err := p.NewStatus()
	if err != nil {
		return fmt.Errorf("no process %d", pid)
	}
	if status.TGID != pid {
		return fmt.Errorf("%d is a thread of process %d: give that", pid, status.TGID)
	}
	return nil
}
