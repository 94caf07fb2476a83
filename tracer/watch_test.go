// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// stageSeeker counts failures of ours until one tells its stage.
type stageSeeker struct {
	without, with int
}

func (h *stageSeeker) Creation(r *decode.Record) error {
	if int(r.Pid) != os.Getpid() || !r.Failed() {
		return nil
	}
	if _, _, ok := r.FailedStages(); ok {
		h.with++
	} else {
		h.without++
	}
	return nil
}

func (h *stageSeeker) Resumed(*decode.Resumed) error { return nil }
func (h *stageSeeker) Lost(uint32, uint64) error     { return nil }

// Idle makes a failure: handlers that are shared without the memory are refused.
func (h *stageSeeker) Idle() (bool, error) {
	if h.with > 0 {
		return false, nil
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_CLONE, unix.CLONE_SIGHAND|uintptr(unix.SIGCHLD), 0, 0); errno != unix.EINVAL {
		return false, errors.New("CLONE_SIGHAND without CLONE_VM: " + errno.Error())
	}
	time.Sleep(50 * time.Millisecond)
	return true, nil
}

// hooked says whether the stages are hooked.
func hooked(t *testing.T, tr *Tracer) bool {
	t.Helper()
	var markers uint32
	if err := tr.kernel.variables["markers"].Get(&markers); err != nil {
		t.Fatal(err)
	}
	return markers != 0
}

// wantHooked waits until the stages are hooked, or are not; meanwhile it creates processes
// if the machine is to be busy.
func wantHooked(t *testing.T, tr *Tracer, want, busy bool) {
	t.Helper()
	testkit.Eventually(t, fmt.Sprintf("hooked to be %v", want), func() error {
		for i := 0; busy && i < 5; i++ {
			if err := exec.Command("/bin/true").Run(); err != nil {
				t.Fatal(err)
			}
		}
		if hooked(t, tr) != want {
			return fmt.Errorf("it is not")
		}
		return nil
	})
}

// TestStagesSparing: from the start failures tell their stage; while the machine makes many
// creations and none fails the hooks are off, and on again when one has failed, or when it
// is calm.
func TestStagesSparing(t *testing.T) {
	testkit.NeedRoot(t)
	tr, err := New(Options{
		Plan: Plan(os.Getenv("FORKTRACE_PLAN")), Stages: StagesSparing, busy: 2, quiet: 2 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}()
	if !tr.kernel.serves(NeedStages) {
		t.Skip("needs: stages: functions inside copy_process cannot be hooked")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	seek := func() (h stageSeeker) {
		t.Helper()
		if err := tr.readLive(ctx, &h); err != nil {
			t.Fatal(err)
		}
		if h.with == 0 {
			t.Fatalf("no failure with a stage: %+v", h)
		}
		return h
	}

	if h := seek(); h.without != 0 {
		t.Errorf("the first failures tell no stage: %+v", h)
	}
	wantHooked(t, tr, false, true)
	if h := seek(); h.without == 0 {
		t.Errorf("a failure tells its stage while nothing is hooked: %+v", h)
	}
	wantHooked(t, tr, false, true)
	wantHooked(t, tr, true, false)
	if h := seek(); h.without != 0 {
		t.Errorf("failures on a calm machine tell no stage: %+v", h)
	}
}
