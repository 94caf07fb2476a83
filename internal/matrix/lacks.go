// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed lacks.tsv
var lacksTable string

// lack is one line of lacks.tsv: something that a kernel is known not to have.
type lack struct{ kernel, arch, plan, capability string }

// parseLacks reads the table of what may be missing where.
func parseLacks(table string) ([]lack, error) {
	var lacks []lack
	n := 0
	for line := range strings.Lines(table) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 4 {
			return nil, fmt.Errorf("parsing the table of lacks, line %d: %d fields, not 4", n, len(f))
		}
		lacks = append(lacks, lack{f[0], f[1], f[2], f[3]})
	}
	return lacks, nil
}

var knownLacks = func() []lack {
	lacks, err := parseLacks(lacksTable)
	if err != nil {
		panic(err) // it is part of the program, and tested
	}
	return lacks
}()

func (l *lack) excuses(kernel, arch, plan, capability string) bool {
	is := func(pattern, s string) bool { return pattern == "*" || pattern == s }
	return is(l.kernel, kernel) && is(l.arch, arch) && is(l.plan, plan) && l.capability == capability
}

// judgeSkips makes failures of the tests that were skipped for want of something that the
// kernel is not known to lack.
func (r *kernelReport) judgeSkips(lacks []lack) {
	for i := range r.Suites {
		s := &r.Suites[i]
		for k := range s.Tests {
			t := &s.Tests[k]
			if t.Outcome != skipped || t.Needs == "" {
				continue
			}
			excused := false
			for j := range lacks {
				excused = excused || lacks[j].excuses(r.Kernel, r.Arch, s.Plan, t.Needs)
			}
			if !excused {
				t.Outcome = failed
				t.Name += " (skipped: needs " + t.Needs + ", which lacks.tsv does not allow here)"
			}
		}
	}
}
