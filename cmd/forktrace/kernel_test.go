// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"syscall"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestKernelCreations makes the kernel create tasks of its own: an io worker, a user-mode
// helper and a kernel thread, none of them by a system call of the four.
func TestKernelCreations(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.Start(t)
	want := testkit.Expectations(t, testkit.Output(t, exec.Command(testkit.Creations(t), "kernel")))
	r.Stop(t)
	s := r.Events(t)
	for i := range want {
		w := &want[i]
		t.Run(w.Case, func(t *testing.T) { wantKernelTask(t, w, s.Creations) })
	}
	for i := range s.Creations {
		checkAbsent(t, &s.Creations[i])
	}
}

func wantKernelTask(t *testing.T, w *testkit.Expectation, events []testkit.Event) {
	for i := range events {
		e := &events[i]
		if e.Entry != w.Entry || w.Tid != 0 && e.Creator.Tid != w.Tid {
			continue
		}
		w.Result = e.Result // the program cannot know the task that the kernel made
		differences := compare(w, e)
		if len(differences) == 0 {
			return
		}
		if name := e.Request["function"]; e.TookNS != nil && (name == nil || name == "kthread") {
			function := w.Function
			w.Function = ""
			if len(compare(w, e)) == 0 {
				t.Skipf("needs: the function of kernel-made tasks: it is %v, not %s", name, function)
			}
			w.Function = function
		}
		t.Logf("not this one: %v\n\t%s", differences, describe(e))
	}
	// A key that is not there is what starts the helper.
	if err := syscall.Errno(w.Errno); err != 0 && err != syscall.ENOENT && err != syscall.ENOKEY {
		t.Skipf("needs: %s: the kernel does not make one here (%v)", w.Case, err)
	}
	t.Errorf("no %s was seen", w.Case)
}
