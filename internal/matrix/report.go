// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// kernelReport is everything that became known about one row of the matrix. It is what results.json holds.
type kernelReport struct {
	Kernel  string `json:"kernel"`
	Arch    string `json:"arch"`
	Package string `json:"package,omitempty"`
	Version string `json:"version,omitempty"`
	Release string `json:"release,omitempty"`
	// Gap says why the kernel could not be had.
	Gap string `json:"gap,omitempty"`
	// Boots is 2 if the first attempt did not come as far as the tests.
	Boots       int     `json:"boots,omitempty"`
	BootSeconds float64 `json:"boot_seconds,omitempty"`
	// Death says why the guest did not come to its end.
	Death string `json:"death,omitempty"`
	// Console is the kernel's complaint, or the end of the console of a guest that died without one.
	Console []string `json:"console,omitempty"`
	// Complained tells the former from the latter.
	Complained bool          `json:"complained,omitempty"`
	Suites     []suiteReport `json:"suites,omitempty"`
	Logs       string        `json:"logs,omitempty"`

	results []byte
}

// suiteReport is one run of one suite under one plan.
type suiteReport struct {
	Suite   string            `json:"suite"`
	Plan    string            `json:"plan"`
	Log     string            `json:"log"`
	Status  string            `json:"status"` // of the process, empty if it did not end
	Seconds float64           `json:"seconds"`
	Tests   []testResult      `json:"tests"`
	Traits  map[string]string `json:"traits,omitempty"`
	Stats   map[string]string `json:"stats,omitempty"`

	started bool
}

// counts are numbers of tests and subtests.
type counts struct {
	passed, failed, skipped int
}

func (c counts) plus(other counts) counts {
	return counts{c.passed + other.passed, c.failed + other.failed, c.skipped + other.skipped}
}

// fill takes over what a guest has shown.
func (r *kernelReport) fill(b bootResult, jobs []job, sinks *jobSinks) {
	r.Release, r.BootSeconds, r.Death, r.results = b.release, b.bootTime.Seconds(), b.death, b.results
	r.Complained, r.Console = len(b.trouble) > 0, b.trouble
	if r.Death != "" && !r.Complained {
		r.Console = b.tail
	}
	for _, j := range jobs {
		s := suiteReport{Suite: j.suite, Plan: j.plan, Log: j.name + ".log"}
		if timing := b.jobs[j.name]; timing != nil {
			s.started, s.Status, s.Seconds = true, timing.status, timing.took.Seconds()
		}
		if sink := sinks.byJob[j.name]; sink != nil {
			s.Tests, s.Traits, s.Stats = sink.tests.results(), sink.tests.traits, sink.tests.stats
		}
		r.Suites = append(r.Suites, s)
	}
	r.judgeSkips(knownLacks)
}

// counts adds the suites' tests. A guest that died or whose kernel complained is one failure more.
func (r kernelReport) counts() counts {
	var sum counts
	for _, s := range r.Suites {
		sum = sum.plus(s.counts())
	}
	if r.failedAsGuest() {
		sum.failed++
	}
	return sum
}

func (r kernelReport) failedAsGuest() bool { return r.Death != "" || r.Complained }

// guestProblem names what is wrong with a guest apart from its tests.
func (r kernelReport) guestProblem() string {
	switch {
	case r.Death != "" && r.Complained && r.Death != kernelPanic:
		return r.Death + ", and the kernel complained"
	case r.Death == "" && r.Complained:
		return "the kernel complained"
	}
	return r.Death
}

// summary is the line that is printed when a guest has ended.
func (r kernelReport) summary() string {
	if r.Release == "" {
		return r.Death
	}
	c := r.counts()
	text := fmt.Sprintf("booted in %.1f s, %d passed, %d failed, %d skipped", r.BootSeconds, c.passed, c.failed, c.skipped)
	if r.failedAsGuest() {
		text += " (" + r.guestProblem() + ")"
	}
	return text
}

// counts counts the tests. A suite that failed without a failed test, or did not end, is one failure.
func (s suiteReport) counts() counts {
	var c counts
	for _, t := range s.Tests {
		switch t.Outcome {
		case passed:
			c.passed++
		case skipped:
			c.skipped++
		}
	}
	c.failed = len(s.failures())
	return c
}

// failures names the tests that failed, and what else went wrong with the suite.
func (s suiteReport) failures() []string {
	var names []string
	for _, t := range s.Tests {
		switch t.Outcome {
		case failed:
			names = append(names, t.Name)
		case unfinished:
			names = append(names, t.Name+" (did not finish)")
		}
	}
	if len(names) > 0 || !s.started || s.Status == "0" {
		return names
	}
	if s.Status == "" {
		return []string{"(suite did not finish)"}
	}
	return []string{"(exit status " + s.Status + ")"}
}

// lacks counts the skipped tests by the capability that they would have needed.
func (s suiteReport) lacks() map[string]int {
	lacks := map[string]int{}
	for _, t := range s.Tests {
		if t.Needs != "" {
			lacks[t.Needs]++
		}
	}
	return lacks
}

// writeJSON writes the reports for other programs.
func writeJSON(name string, reports []kernelReport) error {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(reports); err != nil {
		return fmt.Errorf("encoding results: %w", err)
	}
	if err := os.WriteFile(name, []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("writing results: %w", err)
	}
	return nil
}
