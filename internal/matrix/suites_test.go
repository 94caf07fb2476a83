// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestTestJobs(t *testing.T) {
	suites := []suite{{name: "tracer"}, {name: "cmd/forktrace"}}
	o := options{plans: []string{"auto", "kprobe"}, test: "It's", timeout: 10 * time.Minute, quick: true}
	jobs := o.testJobs(suites)
	var names []string
	for _, j := range jobs {
		names = append(names, j.name)
	}
	if got := strings.Join(names, " "); got != "000-auto-tracer 001-auto-cmd-forktrace 002-kprobe-tracer 003-kprobe-cmd-forktrace" {
		t.Errorf("jobs: %s", got)
	}
	for _, want := range []string{"cd '/suite/cmd/forktrace'", "FORKTRACE_PLAN='kprobe'", "./'forktrace.test'", `-test.run='It'\''s'`, "-test.timeout=9m40s", "FORKTRACE_QUICK=1"} {
		if !strings.Contains(jobs[3].script, want) {
			t.Errorf("no %q in script:\n%s", want, jobs[3].script)
		}
	}
}

func TestQuote(t *testing.T) {
	const text = "a 'b' $HOME `id` \\ \"c\"\n*"
	out, err := exec.Command("sh", "-c", "printf %s "+quote(text)).Output()
	if err != nil || string(out) != text {
		t.Errorf("sh reads %q as %q (%v)", text, out, err)
	}
}
