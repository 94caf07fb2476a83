// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// TestFilters traces the same creations with each filter: what is shown is exactly what
// the filter says of the whole.
func TestFilters(t *testing.T) {
	testkit.NeedRoot(t)
	failed := func(e *testkit.Expectation) bool { return e.Result < 0 }
	for _, c := range []struct {
		options string
		keeps   func(*testkit.Expectation) bool
	}{
		{"-x", failed},
		{"--no-failures", func(e *testkit.Expectation) bool { return !failed(e) }},
		{"--errno EINVAL", func(e *testkit.Expectation) bool { return e.Result == -22 }},
		{"--errno EBADF,7", func(e *testkit.Expectation) bool { return e.Result == -9 || e.Result == -7 }},
		{"--flags SIGHAND", func(e *testkit.Expectation) bool { return flagsOf(e)&decode.CloneSighand != 0 }},
		{"--flags VM,THREAD -x", func(e *testkit.Expectation) bool {
			return failed(e) && flagsOf(e)&decode.CloneVM != 0 && flagsOf(e)&decode.CloneThread != 0
		}},
		{"--flags INTO_CGROUP", func(e *testkit.Expectation) bool { return flagsOf(e)&decode.CloneIntoCgroup != 0 }},
		{"--flags VFORK", func(e *testkit.Expectation) bool { return flagsOf(e)&decode.CloneVfork != 0 }},
		{"--kind vfork", func(e *testkit.Expectation) bool { return e.Kind == "vfork" }},
	} {
		t.Run(c.options, func(t *testing.T) {
			all, got := testkit.TraceCreations(t, strings.Fields(c.options), "cases", "raw", "failures")
			checkFiltered(t, all, c.keeps, got)
		})
	}
}

// TestPPid: of everyone's creations those are shown whose creator's parent is the one asked for.
func TestPPid(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.Start(t, "-P", itoa(os.Getpid()))
	made := testkit.LoadResult(t, testkit.Output(t, exec.Command(testkit.Creations(t), treeArgs()...)))
	r.Stop(t)
	s := r.Events(t)
	if len(s.Creations) == 0 || len(s.Creations) >= made.Created {
		t.Errorf("%d of %d creations are shown", len(s.Creations), made.Created)
	}
	for i := range s.Creations {
		if c := &s.Creations[i].Creator; c.PPid != int64(os.Getpid()) {
			t.Errorf("a creator of another parent is shown: %+v", c)
		}
	}
}

func flagsOf(e *testkit.Expectation) uint64 {
	if e.Flags == nil {
		return 0
	}
	flags, _, err := decode.ParseFlags(*e.Flags)
	if err != nil {
		panic(err)
	}
	return flags
}

func checkFiltered(t *testing.T, all []testkit.Expectation, keeps func(*testkit.Expectation) bool, got *testkit.Stream[testkit.Event]) {
	t.Helper()
	var want []testkit.Expectation
	for i := range all {
		if keeps(&all[i]) {
			want = append(want, all[i])
		}
	}
	if len(want) == 0 || len(want) == len(all) {
		t.Fatalf("the filter keeps %d of %d: that checks nothing", len(want), len(all))
	}
	matchAll(t, want, got.Creations)
	// --kind and --errno act on what was received
	sum := got.Summary
	if sum.Shown != uint64(len(want)) || sum.Received != sum.Matched() || sum.Received < sum.Shown || sum.Lost != 0 {
		t.Errorf("%d were shown; summary: %+v", len(want), sum)
	}
}

// TestPid traces one process by its number, and ends when it does.
func TestPid(t *testing.T) {
	testkit.NeedRoot(t)
	p := testkit.Pause(t, testkit.Creations(t), "cases", "raw")
	pid := p.Start(t)
	r := testkit.Start(t, "-p", itoa(pid))
	all := testkit.Expectations(t, p.Go(t))
	r.WantStatus(t, exitOK)
	checkFiltered(t, all, func(e *testkit.Expectation) bool { return e.Tid == int64(pid) }, r.Events(t))
}

// TestUser traces all that one user creates.
func TestUser(t *testing.T) {
	testkit.NeedRoot(t)
	const uid = 54322
	r := testkit.Start(t, "-u", itoa(uid))
	cmd := exec.Command(testkit.Creations(t), "cases", "raw")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	checkSelected(t, r, testkit.Output(t, cmd), func(e *testkit.Event) bool { return e.Creator.UID == uid })
}

// checkSelected ends a trace and requires that it saw a program's creations and no others.
func checkSelected(t *testing.T, r *testkit.Run, output []byte, selected func(*testkit.Event) bool) {
	t.Helper()
	r.Stop(t)
	s := r.Events(t)
	matchAll(t, testkit.Expectations(t, output), s.Creations)
	checkTreeSummary(t, s)
	for i := range s.Creations {
		if !selected(&s.Creations[i]) {
			t.Errorf("not selected: %s", describe(&s.Creations[i]))
		}
	}
}

// TestComm traces all that tasks of one name create.
func TestComm(t *testing.T) {
	testkit.NeedRoot(t)
	const name = "ft-named-task" // nobody else's
	program := testkit.Named(t, name)
	r := testkit.Start(t, "-n", "ft-other-task", "-n", name)
	out := testkit.Output(t, exec.Command(program, "cases", "raw"))
	checkSelected(t, r, out, func(e *testkit.Event) bool { return e.Creator.Comm == name })
}

// TestCgroup traces all that is created below a cgroup, and tells the cgroup's path.
func TestCgroup(t *testing.T) {
	testkit.NeedRoot(t)
	dir, path := testkit.NewCgroup(t)
	p := testkit.Pause(t, testkit.Creations(t), "cases", "raw")
	pid := p.Start(t)
	if err := os.WriteFile(filepath.Join(dir, "inner", "cgroup.procs"), []byte(itoa(pid)), 0o644); err != nil {
		t.Skipf("needs: cgroup v2: a process cannot enter: %v", err)
	}
	r := testkit.Start(t, "-c", path)
	checkSelected(t, r, p.Go(t), func(e *testkit.Event) bool {
		want := path + "/inner"
		return deref(e.Creator.Cgroup) == want && (e.Child == nil || deref(e.Child.Cgroup) == want)
	})
}
