// SPDX-License-Identifier: Apache-2.0

// Command bench measures what forktrace costs and prints each figure beside its bound.
// What is compared runs in turn: machines are noisy, ratios of one run are less so.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
)

// figure is one measured number.
type figure struct {
	name  string
	value float64
	unit  string
	bound float64 // 0: none, for comparison only
}

func (f *figure) ok() bool { return f.bound == 0 || f.value <= f.bound }

// bench holds what the measurements share.
type bench struct {
	forktrace string // binaries under test
	creations string
	rounds    int
	figures   []figure
}

func (b *bench) add(name string, value float64, unit string, bound float64) {
	b.figures = append(b.figures, figure{name, value, unit, bound})
	fmt.Fprintf(os.Stderr, "bench: %s: %.3g %s\n", name, value, unit)
}

func main() {
	b := &bench{}
	flag.StringVar(&b.forktrace, "forktrace", "", "`binary` to measure")
	flag.StringVar(&b.creations, "creations", "", "the load program, from internal/creations")
	flag.IntVar(&b.rounds, "rounds", 7, "`times` that each figure is measured, what is compared in turn")
	only := flag.String("only", "", "measure only what has this `text` in its name")
	flag.Parse()
	if b.forktrace == "" || b.creations == "" || b.rounds < 1 {
		flag.Usage()
		os.Exit(2)
	}
	for _, m := range []struct {
		name    string
		measure func() error
	}{
		{"kernel", b.kernelCost}, {"census", b.censusCost}, {"attach", b.attachTime}, {"reader", b.readerCost}, {"loss", b.loss},
		{"go", b.goBenchmarks}, {"slowdown", b.slowdowns}, {"syscalls", b.syscallCost},
	} {
		if !strings.Contains(m.name, *only) {
			continue
		}
		if err := m.measure(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: measuring %s: %v\n", m.name, err)
			os.Exit(1)
		}
	}
	os.Exit(b.print())
}

// print writes the table and returns the exit status: 1 if a bound is not kept.
func (b *bench) print() int {
	status := 0
	tw := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FIGURE\tVALUE\tUNIT\tBOUND\t")
	for i := range b.figures {
		f := &b.figures[i]
		bound, verdict := "-", ""
		if f.bound != 0 {
			bound = fmt.Sprintf("%.4g", f.bound)
		}
		if !f.ok() {
			verdict, status = "EXCEEDED", 1
		}
		fmt.Fprintf(tw, "%s\t%.4g\t%s\t%s\t%s\n", f.name, f.value, f.unit, bound, verdict)
	}
	tw.Flush()
	return status
}

// installed says whether a program to compare with is there.
func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
