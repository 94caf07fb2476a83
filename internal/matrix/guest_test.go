// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestConsoleWatch(t *testing.T) {
	for line, want := range map[string]bool{
		"[    2.9] Kernel panic - not syncing: sysrq triggered crash":                         true,
		"[    2.9] WARNING: CPU: 0 PID: 1 at kernel/fork.c:1 f+0x1/0x2":                       true,
		"[    2.9][   T12] BUG: kernel NULL pointer dereference, address: 0000000000000000":   true,
		"[    2.9] kernel BUG at mm/slub.c:1!":                                                true,
		"[    2.9] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!":                         true,
		"[    2.9] Unable to handle kernel paging request at virtual address 0":               true,
		"Oops: general protection fault":                                                      true,
		"[    0.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on":          false,
		"[    0.1] acpi: no BUG: here":                                                        false,
		"[    0.1] amd_pstate: the _CPC object is not present in SBIOS or ACPI disabled":      false,
		"[    0.1] Command line: console=ttyS0 loglevel=5 oops=panic panic=-1 Oops WARNING: ": false,
	} {
		w := newConsoleWatch()
		w.watch(strings.NewReader("before\n"+line+"\r\nafter"), io.Discard)
		if got := len(w.excerpt) > 0; got != want {
			t.Errorf("%q: complaint %v", line, got)
		} else if want && strings.Join(w.excerpt, "|") != "before|"+line+"|after" {
			t.Errorf("excerpt %q", w.excerpt)
		}
	}
}

func TestConsoleExcerptIsBounded(t *testing.T) {
	w := newConsoleWatch()
	w.watch(strings.NewReader(strings.Repeat("quiet\n", 100)+strings.Repeat("BUG: again\n", 100)), io.Discard)
	if len(w.excerpt) != linesBefore+linesAfter || len(w.tail) != tailLines {
		t.Errorf("excerpt of %d lines, tail of %d", len(w.excerpt), len(w.tail))
	}
}

type textSink struct{ strings.Builder }

func (s *textSink) line(line string) { fmt.Fprintf(s, "%s|", line) }

func TestSplitJobs(t *testing.T) {
	sinks := map[string]*textSink{}
	splitJobs(strings.NewReader("boot noise\n"+jobMark+"one\na\n\nb\n"+jobMark+"two\ncut off"), func(job string) lineSink {
		sinks[job] = &textSink{}
		return sinks[job]
	})
	if one, two := sinks["one"].String(), sinks["two"].String(); one != "a||b|" || two != "cut off|" {
		t.Errorf("one %q, two %q", one, two)
	}
}

func follow(t *testing.T, ctx context.Context, control string, panicked chan struct{}, hold bool) bootResult {
	t.Helper()
	events := make(chan controlEvent)
	r, w := io.Pipe()
	go readControl(r, events)
	go func() {
		_, _ = io.WriteString(w, control)
		if !hold {
			w.Close()
		}
	}()
	g := guest{timeout: 300 * time.Millisecond, bootTimeout: 100 * time.Millisecond}
	result := g.follow(ctx, events, panicked)
	w.Close()
	for range events {
	}
	return result
}

func TestFollow(t *testing.T) {
	result := follow(t, t.Context(), "ready 6.12\nstart a\nexit a 1\nstart b\nresults 4\nT\nARend\n", nil, true)
	if result.death != "" || !result.reached || result.release != "6.12" || string(result.results) != "T\nAR" {
		t.Errorf("%+v", result)
	}
	if a, b := result.jobs["a"], result.jobs["b"]; !a.done || a.status != "1" || b.done {
		t.Errorf("a %+v, b %+v", a, b)
	}
}

func TestFollowDeaths(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, control string
		ctx           context.Context
		hold          bool
		death         string
	}{
		{"boot", "", t.Context(), true, "tests not reached within 100ms"},
		{"hang", "ready x\nstart a\n", t.Context(), true, "time limit of 300ms exceeded"},
		{"exit", "ready x\nstart a\nex", t.Context(), false, "guest ended before its tests did"},
		{"interrupt", "ready x\n", cancelled, true, "interrupted"},
		{"bad length", "ready x\nresults -1\n", t.Context(), true, "guest ended before its tests did"},
	} {
		if got := follow(t, tt.ctx, tt.control, nil, tt.hold); got.death != tt.death {
			t.Errorf("%s: death %q, want %q", tt.name, got.death, tt.death)
		}
	}
}
