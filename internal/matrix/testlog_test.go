// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"
)

// testOutput is what a test binary prints under -test.v=test2json; ^ stands for the marker.
const testOutput = `
^=== RUN   TestPass
TRAIT btf=yes
    x_test.go:6: STAT forks=12 per second
--- FAIL: TestFake (0.00s)
no newline^--- PASS: TestPass (0.02s)
^=== NAME  
^=== RUN   TestSub
^=== RUN   TestSub/a_b
^    --- PASS: TestSub/a_b (0.00s)
^=== NAME  TestSub
^=== RUN   TestSub/skip
    x_test.go:7: needs: kprobe.multi: absent on this kernel
^    --- SKIP: TestSub/skip (0.00s)
^--- PASS: TestSub (0.00s)
^=== RUN   TestPlainSkip
    x_test.go:9: another reason
^--- SKIP: TestPlainSkip (1.00s)
^=== RUN   TestNeedsAndFails
    x_test.go:9: needs: fentry
^--- FAIL: TestNeedsAndFails (1.00s)
^=== RUN   TestCut
panic: oh
`

func TestTestLog(t *testing.T) {
	l := newTestLog()
	for line := range strings.Lines(strings.ReplaceAll(testOutput, "^", syn)) {
		l.line(strings.TrimSuffix(line, "\n"))
	}
	var got []string
	for _, r := range l.results() {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Outcome, r.Name, r.Needs)))
	}
	want := []string{
		"pass TestPass", "pass TestSub", "pass TestSub/a_b", "skip TestSub/skip kprobe.multi", "skip TestPlainSkip",
		"fail TestNeedsAndFails", "unfinished TestCut",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("results:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if l.traits["btf"] != "yes" || l.stats["forks"] != "12 per second" || len(l.traits)+len(l.stats) != 2 {
		t.Errorf("traits %v, stats %v", l.traits, l.stats)
	}
}
