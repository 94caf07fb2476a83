// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// options are what the command line asks for.
type options struct {
	root        string
	arches      []string
	kernels     []string
	short       bool
	quick       bool
	list        bool
	update      bool
	noGaps      bool
	verbose     bool
	test        string
	plans       []string
	shell       string
	binaries    []string
	extra       string
	jobs        int
	cpus        int
	timeout     time.Duration
	bootTimeout time.Duration
	keepLogs    string
	cache       string
}

const usageText = `usage: scripts/matrix [options]

Runs the privileged tests of forktrace on Debian kernels under QEMU. Nothing is installed or changed on this machine;
kernels are kept in the cache ($FORKTRACE_CACHE, else the user's cache folder).

`

// parseOptions reads the command line. flag.ErrHelp and every other error have been reported to stderr.
func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("matrix", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usageText)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.root, "root", ".", "`folder` of the checkout (set by scripts/matrix)")
	flags.Func("arch", "architectures, separated by commas: amd64, arm64 (default amd64)", listInto(&o.arches))
	flags.Func("kernel", "kernel `versions` of the table, separated by commas (default all)", listInto(&o.kernels))
	flags.BoolVar(&o.short, "short", false, "only the few kernels that differ most")
	flags.BoolVar(&o.quick, "quick", false, "loads of a quarter of their size")
	flags.BoolVar(&o.list, "list", false, "print the selected kernels and what the cache has, and run nothing")
	flags.BoolVar(&o.update, "update", false, "look for newer packages than the cached ones")
	flags.BoolVar(&o.noGaps, "no-gaps", false, "a kernel that cannot be had is a failure")
	flags.BoolVar(&o.verbose, "verbose", false, "show traits, statistics and missing capabilities; show consoles as they run")
	flags.StringVar(&o.test, "test", "", "run only the tests that match this `pattern` (as go test -run)")
	flags.Func("plans", "probe plans under which each suite runs, separated by commas (default auto)", listInto(&o.plans))
	flags.StringVar(&o.shell, "shell", "", "run this shell `command` in the guest instead of the tests and print its output")
	flags.Func("exec", "test `binary` to run instead of the packages; may be repeated, further arguments are binaries, too",
		func(s string) error { o.binaries = append(o.binaries, s); return nil })
	flags.StringVar(&o.extra, "extra", "", "carry everything below this `folder` along as /suite/extra")
	flags.IntVar(&o.jobs, "jobs", 1, "guests at the same time")
	flags.IntVar(&o.cpus, "cpus", 1, "processors of a guest")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "time limit of a guest")
	flags.DurationVar(&o.bootTimeout, "boot-timeout", 2*time.Minute, "time limit of a guest's way to the tests")
	flags.StringVar(&o.keepLogs, "keep-logs", "", "keep all logs and results.json in this `folder` (default: in the cache, after failures only)")
	flags.StringVar(&o.cache, "cache", "", "`folder` of the cache")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if len(o.binaries) > 0 {
		o.binaries = append(o.binaries, flags.Args()...)
	} else if flags.NArg() > 0 {
		return o, complain(stderr, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	if err := o.complete(); err != nil {
		return o, complain(stderr, err)
	}
	return o, nil
}

func complain(stderr io.Writer, err error) error {
	fmt.Fprintf(stderr, "matrix: %v\n", err)
	return err
}

// complete fills in what was left open and refuses what cannot be.
func (o *options) complete() error {
	if len(o.arches) == 0 {
		o.arches = []string{"amd64"}
	}
	for _, arch := range o.arches {
		if _, known := machines[arch]; !known {
			return fmt.Errorf("unknown architecture %q", arch)
		}
	}
	if len(o.plans) == 0 {
		o.plans = []string{"auto"}
	}
	for i, plan := range o.plans {
		if strings.ContainsAny(plan, "/ ") || slices.Contains(o.plans[:i], plan) {
			return fmt.Errorf("bad plan %q", plan)
		}
	}
	if _, err := regexp.Compile(o.test); err != nil {
		return fmt.Errorf("reading --test: %w", err)
	}
	if o.jobs < 1 || o.cpus < 1 || o.timeout <= 0 || o.bootTimeout <= 0 {
		return errors.New("--jobs, --cpus, --timeout and --boot-timeout must be positive")
	}
	if o.cache == "" {
		dir, err := cacheDir()
		if err != nil {
			return err
		}
		o.cache = dir
	}
	dir, err := filepath.Abs(o.cache) // apt and its working folder need it absolute
	if err != nil {
		return fmt.Errorf("locating the cache: %w", err)
	}
	o.cache = dir
	return nil
}

// listInto splits a value at commas.
func listInto(list *[]string) func(string) error {
	return func(value string) error {
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item == "" {
				return errors.New("empty item in list")
			}
			*list = append(*list, strings.TrimSpace(item))
		}
		return nil
	}
}

// testLimit is the time after which a test binary gives up by itself, early enough to be heard.
func (o *options) testLimit() time.Duration {
	return max(o.timeout-20*time.Second, o.timeout/2).Round(time.Second)
}
