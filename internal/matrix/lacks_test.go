// SPDX-License-Identifier: Apache-2.0

package main

import "testing"

func TestLacksTable(t *testing.T) {
	lacks, err := parseLacks(lacksTable)
	if err != nil || len(lacks) == 0 {
		t.Fatalf("%d rows, %v", len(lacks), err)
	}
	if _, err := parseLacks("6.1\tamd64\tkprobe\n"); err == nil {
		t.Error("a row of three fields is taken")
	}
}

func TestJudgeSkips(t *testing.T) {
	lacks := []lack{{"6.1", "*", "kprobe", "fentry"}}
	for name, c := range map[string]struct {
		kernel, plan, needs string
		want                string
	}{
		"allowed":          {"6.1", "kprobe", "fentry", skipped},
		"another kernel":   {"6.12", "kprobe", "fentry", failed},
		"another plan":     {"6.1", "auto", "fentry", failed},
		"another need":     {"6.1", "kprobe", "kprobes", failed},
		"without a reason": {"6.1", "kprobe", "", skipped},
	} {
		r := kernelReport{Kernel: c.kernel, Arch: "amd64", Suites: []suiteReport{{
			Plan: c.plan, Tests: []testResult{{Name: "TestX", Outcome: skipped, Needs: c.needs}},
		}}}
		r.judgeSkips(lacks)
		if got := r.Suites[0].Tests[0].Outcome; got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
