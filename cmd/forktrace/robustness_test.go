// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestTwoAtOnce: two tracers of the whole machine see the same.
func TestTwoAtOnce(t *testing.T) {
	testkit.NeedRoot(t)
	const name = "ft-seen-twice"
	program := testkit.Named(t, name)
	runs := []*testkit.Run{testkit.Start(t, "-v"), testkit.Start(t, "-v")}
	want := testkit.Expectations(t, testkit.Output(t, exec.Command(program, "cases", "raw", "failures")))
	for _, r := range runs {
		r.Stop(t)
		all := r.Events(t).Creations
		matchAll(t, r.WithHook(t, want), slices.DeleteFunc(all, func(e testkit.Event) bool { return e.Creator.Comm != name }))
	}
}

// TestKilled: a tracer that is killed leaves nothing in the kernel.
func TestKilled(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.Start(t, "-f", "-p", itoa(os.Getpid()))
	kernel := testkit.BPFOf(t, r.Cmd.Process.Pid)
	for _, name := range []string{"task_newtask", "sched_process_exit"} {
		if !slices.Contains(kernel.ProgramNames, name) && os.Getenv("FORKTRACE_PLAN") == "" {
			t.Errorf("no program %s among %q", name, kernel.ProgramNames)
		}
	}
	// programs on classic tracepoints hang on perf events, which are no links
	linked := slices.ContainsFunc(kernel.ProgramNames, func(name string) bool {
		return !strings.HasSuffix(name, "_classic") && name != "syscalls_sys_exit"
	})
	if len(kernel.Maps) == 0 || len(kernel.Programs) == 0 || linked != (len(kernel.Links) > 0) {
		t.Fatalf("this tracer has %+v: nothing to look for", kernel)
	}
	if err := r.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.WantStatus(t, 128+9)
	testkit.Eventually(t, "the kernel to forget the tracer", func() error {
		if left := kernel.Left(); left != "" {
			return fmt.Errorf("still there: %s", left)
		}
		return nil
	})
}

// TestTextOrder reads the text of nested forks: no process creates on a line above that of
// its own creation.
func TestTextOrder(t *testing.T) {
	testkit.NeedRoot(t)
	args := append([]string{"trace", "-t", "none"}, testkit.PlanArgs()...)
	cmd := exec.Command(testkit.Forktrace(t), append(append(args, "-o", t.TempDir()+"/lines", "--", testkit.Creations(t)), treeArgs()...)...)
	made := testkit.LoadResult(t, testkit.Output(t, cmd))
	text, err := os.ReadFile(cmd.Args[slices.Index(cmd.Args, "-o")+1])
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if header := strings.Fields(lines[0]); !slices.Equal(header[:2], []string{"COMM", "PID"}) || header[6] != "RESULT" {
		t.Fatalf("header %q", lines[0])
	}
	if len(lines)-1 != made.Created+made.Failed {
		t.Errorf("%d lines for %+v", len(lines)-1, made)
	}
	known := map[string]bool{strings.Fields(lines[1])[1]: true}
	for _, line := range lines[1:] {
		f := strings.Fields(line)
		if !known[f[1]] {
			t.Fatalf("created by a process that is not created yet: %s", line)
		}
		known[f[6]] = true
	}
}

// TestAttachTime measures from the start to the ready file.
func TestAttachTime(t *testing.T) {
	testkit.NeedRoot(t)
	testkit.NeedQuietHost(t)
	const bound = 250 * time.Millisecond
	var took []time.Duration
	for range 5 {
		r := testkit.New(t) // builds it, if need be
		began := time.Now()
		r.Launch(t).AwaitReady(t)
		took = append(took, time.Since(began))
		r.Stop(t)
	}
	slices.Sort(took)
	t.Logf("attached within %v", took)
	if median := took[len(took)/2]; median > bound {
		t.Errorf("attached within %v (median), not %v", median, bound)
	}
}

// TestResident measures the largest resident memory while a load is traced.
func TestResident(t *testing.T) {
	testkit.NeedRoot(t)
	testkit.NeedQuietHost(t)
	const bound = 40 << 10 // KiB
	for _, options := range [][]string{nil, {"--format", "text"}, {"--format", "text", "-S"}} {
		t.Run(strings.Join(options, " "), func(t *testing.T) {
			r := testkit.Start(t, options...)
			runLoad(t, testkit.Scale(25_000, 5_000))
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.Cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
			kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("at most %d KiB", kib)
			if kib > bound {
				t.Errorf("%d KiB resident, more than %d", kib, bound)
			}
			r.Stop(t)
		})
	}
}
