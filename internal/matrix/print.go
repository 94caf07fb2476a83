// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

type reportOptions struct {
	verbose bool
	noGaps  bool
}

// printReports prints the table, the details of what failed, and the sum as the last line. It tells whether all is well.
func printReports(w io.Writer, reports []kernelReport, o reportOptions) bool {
	printTable(w, reports)
	if o.verbose {
		printNotes(w, reports)
	}
	printVerified(w, reports)
	printFailures(w, reports)
	var sum counts
	gaps := 0
	for _, r := range reports {
		sum = sum.plus(r.counts())
		if r.Gap != "" {
			gaps++
		}
	}
	ok := sum.failed == 0
	fmt.Fprintln(w)
	if gaps > 0 && o.noGaps {
		fmt.Fprintf(w, "%d gaps, and none are allowed\n", gaps)
		ok = false
	}
	if sum == (counts{}) {
		fmt.Fprintln(w, "no test ran") // a mistyped pattern must not pass as success
		ok = false
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped)
	return ok
}

func printTable(w io.Writer, reports []kernelReport) {
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "KERNEL\tARCH\tRELEASE\tPLAN\tSUITE\tPASS\tFAIL\tSKIP\tBOOT\tRUN\tNOTE")
	for _, r := range reports {
		note := ""
		if r.Boots > 1 {
			note = "second boot"
		}
		switch {
		case r.Gap != "":
			fmt.Fprintf(table, "%s\t%s\t-\t-\t-\t-\t-\t-\t-\t-\tgap: %s\n", r.Kernel, r.Arch, firstLine(r.Gap))
			continue
		case r.failedAsGuest():
			note = joinNotes(note, r.guestProblem())
		}
		if len(r.Suites) == 0 {
			fmt.Fprintf(table, "%s\t%s\t-\t-\t-\t-\t-\t-\t-\t-\t%s\n", r.Kernel, r.Arch, note)
		}
		for _, s := range r.Suites {
			c, run := s.counts(), "not run"
			if s.Status != "" {
				run = fmt.Sprintf("%.1fs", s.Seconds)
			} else if s.started {
				run = "cut off"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%.1fs\t%s\t%s\n", r.Kernel, r.Arch, orDash(r.Release),
				s.Plan, s.Suite, c.passed, c.failed, c.skipped, r.BootSeconds, run, note)
		}
	}
	table.Flush()
}

func printNotes(w io.Writer, reports []kernelReport) {
	for _, r := range reports {
		for _, s := range r.Suites {
			lacks := s.lacks()
			if len(s.Traits)+len(s.Stats)+len(lacks) == 0 {
				continue
			}
			fmt.Fprintf(w, "\n%s %s, plan %s, suite %s:\n", r.Kernel, r.Arch, s.Plan, s.Suite)
			for _, key := range slices.Sorted(maps.Keys(s.Traits)) {
				fmt.Fprintf(w, "  trait %s=%s\n", key, s.Traits[key])
			}
			for _, key := range slices.Sorted(maps.Keys(s.Stats)) {
				fmt.Fprintf(w, "  stat %s=%s\n", key, s.Stats[key])
			}
			for _, key := range slices.Sorted(maps.Keys(lacks)) {
				fmt.Fprintf(w, "  lacks %s (%d skipped)\n", key, lacks[key])
			}
		}
	}
}

func printFailures(w io.Writer, reports []kernelReport) {
	for _, r := range reports {
		if r.counts().failed == 0 {
			continue
		}
		fmt.Fprintf(w, "\nFAILED on %s %s (logs in %s):\n", r.Kernel, r.Arch, r.Logs)
		for _, s := range r.Suites {
			names := s.failures()
			for _, name := range names {
				fmt.Fprintf(w, "  plan %s, suite %s: %s\n", s.Plan, s.Suite, name)
			}
			if len(names) > 0 {
				fmt.Fprintf(w, "    log: %s\n", filepath.Join(r.Logs, s.Log))
			}
		}
		if r.failedAsGuest() {
			fmt.Fprintf(w, "  guest: %s\n", r.guestProblem())
			printConsole(w, r)
		}
	}
}

func printConsole(w io.Writer, r kernelReport) {
	for _, line := range r.Console {
		fmt.Fprintf(w, "    | %s\n", line)
	}
}

func joinNotes(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
