// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"
)

// contestant is a way to trace creations.
type contestant struct {
	name  string
	start func(b *bench) (*background, error)
	// settle is how long a tool needs until it traces, which others do not tell.
	settle time.Duration
	pairs  int  // in each round
	bound  bool // the bounds are forktrace's
}

func tool(argv ...string) func(*bench) (*background, error) {
	return func(*bench) (*background, error) { return startTool(os.DevNull, argv) }
}

// contestants is the table of tracers, each as its manual says to trace all creations.
func contestants() []contestant {
	all := []contestant{
		{name: "forktrace", start: func(b *bench) (*background, error) { return b.startForktrace(os.DevNull) }, pairs: 4, bound: true},
	}
	for _, c := range []contestant{
		{name: "bpftrace", settle: 3 * time.Second, pairs: 1, start: tool("bpftrace", "-e",
			`tracepoint:task:task_newtask { printf("%s %d\n", args->comm, args->pid); }`)},
		{name: "forkstat", settle: time.Second, pairs: 1, start: tool("forkstat", "-e", "fork,clone")},
		{name: "perf", settle: 2 * time.Second, pairs: 1, start: tool("perf", "trace", "-a", "-e", "clone,clone3,fork,vfork")},
	} {
		if installed(c.name) {
			all = append(all, c)
		}
	}
	return all
}

// slowdowns compares loops under each tracer with the same loops under none, right before or
// after: this sees more of what a tracer costs, and less of how fast a shared machine happens to
// be, than to compare times of minutes apart.
func (b *bench) slowdowns() error {
	for _, loop := range []struct {
		what   string
		rounds int
		bound  float64 // percent
	}{{"fork", 4000, 3}, {"thread", 12000, 5}} {
		if err := b.slowdown(loop.what, loop.rounds, loop.bound); err != nil {
			return err
		}
		if installed("strace") {
			if err := b.strace(loop.what, loop.rounds/10); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) slowdown(what string, rounds int, bound float64) error {
	var plain []float64
	slower, leftOut := map[string][]float64{}, map[string]bool{}
	all := contestants()
	for range b.rounds {
		for i := range all {
			c := &all[i]
			for n := 0; n < c.pairs && !leftOut[c.name]; n++ {
				without, with, err := b.pair(c, what, rounds, len(slower[c.name])%2 == 0)
				if errors.Is(err, errNotRunning) && !c.bound {
					fmt.Fprintln(os.Stderr, "bench: leaving out", err)
					leftOut[c.name] = true
					break
				}
				if err != nil {
					return err
				}
				plain = append(plain, without)
				slower[c.name] = append(slower[c.name], (with/without-1)*100)
			}
		}
	}
	b.add(what+" loop, a round under nothing", lowerQuartile(plain), "ns", 0)
	for i := range all {
		c := &all[i]
		if leftOut[c.name] {
			continue
		}
		most := 0.0
		if c.bound {
			most = bound
		}
		b.add(what+" loop slower under "+c.name, median(slower[c.name]), "%", most)
	}
	return nil
}

// pair runs a loop without and with a tracer, or the other way round.
func (b *bench) pair(c *contestant, what string, rounds int, withoutFirst bool) (without, with float64, err error) {
	if withoutFirst {
		if without, err = b.loop(what, rounds); err != nil {
			return 0, 0, err
		}
	}
	if with, err = b.under(c, what, rounds); err != nil {
		return 0, 0, err
	}
	time.Sleep(afterTracer)
	if !withoutFirst {
		without, err = b.loop(what, rounds)
	}
	return without, with, err
}

// afterTracer is how long the kernel may take to free what a tracer had attached, after it ended.
const afterTracer = 200 * time.Millisecond

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
	if !bg.running() {
		return 0, fmt.Errorf("%s: %w: %s", c.name, errNotRunning, bytes.TrimSpace(bg.stderr.Bytes()))
	}
	ns, err := b.loop(what, rounds)
	return ns, errors.Join(err, bg.stop())
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
