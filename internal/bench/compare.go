// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
)

// contestant is a way to trace creations. The first of the table is none at all.
type contestant struct {
	name  string
	start func(b *bench) (*background, error)
	// settle is how long a tool needs until it traces, which others do not tell.
	settle time.Duration
	bound  bool // the bounds are forktrace's
}

func tool(argv ...string) func(*bench) (*background, error) {
	return func(*bench) (*background, error) { return startTool(os.DevNull, argv) }
}

// contestants is the table of tracers, each as its manual says to trace all creations.
func contestants() []contestant {
	all := []contestant{
		{name: "nothing", start: func(*bench) (*background, error) { return nil, nil }},
		{name: "forktrace", start: func(b *bench) (*background, error) { return b.startForktrace(os.DevNull) }, bound: true},
	}
	for _, c := range []contestant{
		{name: "bpftrace", settle: 3 * time.Second, start: tool("bpftrace", "-e",
			`tracepoint:task:task_newtask { printf("%s %d\n", args->comm, args->pid); }`)},
		{name: "forkstat", settle: time.Second, start: tool("forkstat", "-e", "fork,clone")},
		{name: "perf", settle: 2 * time.Second, start: tool("perf", "trace", "-a", "-e", "clone,clone3,fork,vfork")},
	} {
		if installed(c.name) {
			all = append(all, c)
		}
	}
	return all
}

// slowdowns compares loops under each tracer with the same loops under none, in turn.
func (b *bench) slowdowns() error {
	for _, loop := range []struct {
		what   string
		rounds int
		bound  float64 // percent
	}{{"fork", 4000, 3}, {"thread", 12000, 5}} {
		times, leftOut := map[string][]float64{}, map[string]bool{}
		for range b.rounds {
			for _, c := range contestants() {
				if leftOut[c.name] {
					continue
				}
				ns, err := b.under(&c, loop.what, loop.rounds)
				if errors.Is(err, errNotRunning) && !c.bound {
					fmt.Fprintln(os.Stderr, "bench: leaving out", err)
					leftOut[c.name] = true
					continue
				}
				if err != nil {
					return err
				}
				times[c.name] = append(times[c.name], ns)
			}
		}
		plain := lowerQuartile(times["nothing"])
		b.add(loop.what+" loop, a round under nothing", plain, "ns", 0)
		for _, c := range contestants()[1:] {
			if leftOut[c.name] {
				continue
			}
			bound := 0.0
			if c.bound {
				bound = loop.bound
			}
			b.add(loop.what+" loop slower under "+c.name, (lowerQuartile(times[c.name])/plain-1)*100, "%", bound)
		}
		if installed("strace") {
			if err := b.strace(loop.what, loop.rounds/10); err != nil {
				return err
			}
		}
	}
	return nil
}

// errNotRunning is what a tracer that ended by itself makes of a comparison: it needs
// something that this machine refuses.
var errNotRunning = errors.New("it ended by itself")

// under runs a loop while a tracer runs.
func (b *bench) under(c *contestant, what string, rounds int) (float64, error) {
	bg, err := c.start(b)
	if err != nil {
		return 0, err
	}
	time.Sleep(c.settle)
	if bg != nil && !bg.running() {
		return 0, fmt.Errorf("%s: %w: %s", c.name, errNotRunning, bytes.TrimSpace(bg.stderr.Bytes()))
	}
	ns, err := b.loop(what, rounds)
	if bg != nil {
		if stopErr := bg.stop(); err == nil {
			err = stopErr
		}
	}
	return ns, err
}

// syscallCost measures what the hooks for failures cost every system call.
func (b *bench) syscallCost() error {
	const rounds = 2000000
	var with, without []float64
	for range b.rounds {
		for _, run := range []struct {
			into *[]float64
			args []string
		}{{&without, []string{"--no-failures"}}, {&with, nil}} {
			bg, err := b.startForktrace(os.DevNull, run.args...)
			if err != nil {
				return err
			}
			ns, err := b.loop("getppid", rounds)
			if err != nil {
				return err
			}
			if err := bg.stop(); err != nil {
				return err
			}
			*run.into = append(*run.into, ns)
		}
	}
	var diff []float64
	for i := range with {
		diff = append(diff, with[i]-without[i])
	}
	b.add("each system call, for seeing failures", median(diff), "ns", 0)
	return nil
}
