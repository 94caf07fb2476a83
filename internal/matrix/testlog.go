// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
)

// Outcomes of a test.
const (
	passed     = "pass"
	failed     = "fail"
	skipped    = "skip"
	unfinished = "unfinished" // started, and its program ended or the guest died before the result
)

// syn begins each line of the testing package's own under -test.v=test2json, so that what tests print cannot be taken
// for a result.
const syn = "\x16"

var (
	frameLine  = regexp.MustCompile(`^ *=== (?:RUN|NAME|CONT|PAUSE) +(.*)$`)
	resultLine = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (.*) \([0-9.]+s\)$`)
	needsLine  = regexp.MustCompile(`^ *[^ :]+\.go:[0-9]+: needs: ([^:]+)(?:: |$)(.*)$`)
	noteLine   = regexp.MustCompile(`^(?: *[^ :]+\.go:[0-9]+: )?(TRAIT|STAT) ([^ =]+)=(.*)$`)
)

var outcomes = map[string]string{"PASS": passed, "FAIL": failed, "SKIP": skipped}

// testResult is the outcome of one test or subtest.
type testResult struct {
	Name    string `json:"name"`
	Outcome string `json:"outcome"`
	// Needs is the capability for whose absence the test was skipped.
	Needs string `json:"needs,omitempty"`
}

// testLog reads the output of a Go test binary that runs with -test.v=test2json.
type testLog struct {
	tests  []*testResult
	byName map[string]*testResult
	traits map[string]string
	stats  map[string]string
	now    string // test that the output belongs to
}

func newTestLog() *testLog {
	return &testLog{byName: map[string]*testResult{}, traits: map[string]string{}, stats: map[string]string{}}
}

// line takes the next line of output, without its newline.
func (l *testLog) line(line string) {
	text, frame, framed := strings.Cut(strings.TrimRight(line, "\r"), syn)
	l.printed(text)
	if framed {
		l.framed(strings.ReplaceAll(frame, syn, ""))
	}
}

func (l *testLog) framed(line string) {
	if m := frameLine.FindStringSubmatch(line); m != nil {
		l.now = m[1]
		if l.now != "" {
			l.test(l.now)
		}
		return
	}
	if m := resultLine.FindStringSubmatch(line); m != nil {
		l.test(m[2]).Outcome = outcomes[m[1]]
		l.now = m[2]
		return
	}
	l.printed(line)
}

// printed looks for the lines by which tests speak to the matrix.
func (l *testLog) printed(line string) {
	if m := needsLine.FindStringSubmatch(line); m != nil && l.now != "" {
		l.test(l.now).Needs = m[1]
	}
	if m := noteLine.FindStringSubmatch(line); m != nil {
		notes := l.traits
		if m[1] == "STAT" {
			notes = l.stats
		}
		notes[m[2]] = strings.TrimSpace(m[3])
	}
}

func (l *testLog) test(name string) *testResult {
	t := l.byName[name]
	if t == nil {
		t = &testResult{Name: name, Outcome: unfinished}
		l.byName[name] = t
		l.tests = append(l.tests, t)
	}
	return t
}

// results returns every test in the order in which they began.
func (l *testLog) results() []testResult {
	results := make([]testResult, 0, len(l.tests))
	for _, t := range l.tests {
		r := *t
		if r.Outcome != skipped {
			r.Needs = ""
		}
		results = append(results, r)
	}
	return results
}
