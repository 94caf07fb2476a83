// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestFewThreads runs storm where there is no room for its threads, and where there is for
// few: either way the limit is the first thing that is said.
func TestFewThreads(t *testing.T) {
	testkit.NeedRoot(t)
	for name, c := range map[string]struct {
		limit, status int
		want          string
	}{
		"none": {8, exitError, `^forktrace: first finding: pids.max of %s is nearly reached: [0-9]+ of 8, and forktrace needs room for 8 threads`},
		"few":  {16, exitOK, `^forktrace: first finding: pids.max of %s is nearly reached: [0-9]+ of 16\n`},
		"room": {100, exitOK, `^(forktrace: not seen|$)`},
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := testkit.PidsCgroup(t, c.limit)
			args := append([]string{"storm", "--now", "-d", "1"}, testkit.PlanArgs()...)
			p := testkit.Pause(t, testkit.Forktrace(t), args...)
			testkit.Join(t, dir, p.Start(t))
			p.Release(t)
			if got := testkit.ExitStatus(t, p.Cmd.Wait()); got != c.status {
				t.Errorf("the status is %d, not %d", got, c.status)
			}
			want := c.want
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, regexp.QuoteMeta(path))
			}
			if !regexp.MustCompile(want).Match(p.Stderr.Bytes()) {
				t.Errorf("it says %s", &p.Stderr)
			}
		})
	}
}

// TestProtect: memory is locked and the priority raised, and only if asked.
func TestProtect(t *testing.T) {
	testkit.NeedRoot(t)
	for _, on := range []bool{true, false} {
		args := append([]string{"storm", "-d", "30"}, testkit.PlanArgs()...)
		if on {
			args = append(args, "--protect")
		}
		cmd := exec.Command(testkit.Forktrace(t), args...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		testkit.Eventually(t, "it to count", func() error {
			if len(testkit.BPFOf(t, cmd.Process.Pid).Links) == 0 {
				return fmt.Errorf("nothing is attached")
			}
			return nil
		})
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		locked := !bytes.Contains(status, []byte("VmLck:\t       0 kB"))
		nice, err := unix.Getpriority(unix.PRIO_PROCESS, cmd.Process.Pid) // 20 less the nice value
		if err != nil {
			t.Fatal(err)
		}
		if locked != on || (20-nice == protectedPriority) != on {
			t.Errorf("with --protect=%v memory is locked: %v, nice %d", on, locked, 20-nice)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}
