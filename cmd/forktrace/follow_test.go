// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

func itoa(n int) string { return strconv.Itoa(n) }

// treeArgs make a tree six generations deep in which most processes outlive their creators:
// 4 + 16 + … + 4096 of them.
func treeArgs() []string {
	if testkit.InGuest() {
		return []string{"tree", "4", "4"}
	}
	return []string{"tree", "6", "4"}
}

// TestFollow follows the descendants of a process, none of which may be missed.
func TestFollow(t *testing.T) {
	testkit.NeedRoot(t)
	p := testkit.Pause(t, testkit.Creations(t), treeArgs()...)
	r := testkit.Start(t, "-f", "-p", itoa(p.Start(t)))
	made := testkit.LoadResult(t, p.Go(t))
	r.WantStatus(t, exitOK)
	checkTree(t, r.Events(t), made)
}

// TestFollowCommand traces the tree of a command.
func TestFollowCommand(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t, append([]string{"--", testkit.Creations(t)}, treeArgs()...)...)
	r.Launch(t).WantStatus(t, exitOK)
	checkTree(t, r.Events(t), testkit.LoadResult(t, r.Stdout.Bytes()))
}

// checkTree requires that all of a tree was seen, each child's creation before what the
// child creates, as the stream is in order.
func checkTree(t *testing.T, s *testkit.Stream[testkit.Event], made testkit.Load) {
	t.Helper()
	if got := (testkit.Load{Created: int(s.Summary.Created), Failed: int(s.Summary.Failed)}); got != made {
		t.Errorf("the program made %+v, the summary has %+v", made, got)
	}
	checkTreeSummary(t, s)
	if s.Summary.TreeFull != 0 {
		t.Errorf("%d processes did not fit into the tree", s.Summary.TreeFull)
	}
	var root int64
	known := map[int64]bool{}
	for i := range s.Creations {
		e := &s.Creations[i]
		if root == 0 {
			root = e.Creator.Pid
			known[root] = true
		}
		if !known[e.Creator.Pid] {
			t.Fatalf("event %d comes before its creator's own: %s", i, describe(e))
		}
		if e.Child != nil {
			known[e.Child.Pid] = true
		}
	}
}

// TestFollowPresent adopts descendants that exist when the tracing begins.
func TestFollowPresent(t *testing.T) {
	testkit.NeedRoot(t)
	cmd := exec.Command("sh", "-c", `sh -c 'echo here; read -r go; exec "$0" cases raw' "$0"; exit $?`, testkit.Creations(t))
	in, err1 := cmd.StdinPipe()
	pipe, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	out := bufio.NewReader(pipe)
	if line, err := out.ReadString('\n'); line != "here\n" {
		t.Fatal(line, err)
	}
	r := testkit.Start(t, "-f", "-p", itoa(cmd.Process.Pid))
	in.Close()
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	r.WantStatus(t, exitOK)
	matchAll(t, testkit.Expectations(t, rest), r.Events(t).Creations)
}

// TestOutlivingChild keeps tracing until the last process that a command left has ended,
// and returns the command's own status.
func TestOutlivingChild(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t, "--", "sh", "-c", `(sleep 0.7; exec "$0" cases raw) & exit 7`, testkit.Creations(t))
	r.Launch(t).WantStatus(t, 7)
	late := r.Events(t).Creations
	for len(late) > 0 && late[0].Creator.Comm != "creations" {
		late = late[1:] // by the shell
	}
	matchAll(t, testkit.Expectations(t, r.Stdout.Bytes()), late)
	if !strings.Contains(r.Stderr.String(), "left behind") {
		t.Errorf("nothing says why it goes on: %q", &r.Stderr)
	}
}
