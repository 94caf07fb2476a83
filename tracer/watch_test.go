// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// stageSeeker ends the reading at a failure of ours that tells its stage.
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

// TestStagesWhileFailing: the stages are hooked when a creation has failed, unhooked when
// none has failed for a while, and hooked again.
func TestStagesWhileFailing(t *testing.T) {
	testkit.NeedRoot(t)
	side, err := openKernelSide(&Options{Plan: Plan(os.Getenv("FORKTRACE_PLAN")), Stages: StagesOfFailures})
	if err != nil {
		t.Fatal(err)
	}
	s, err := side.serve(side.options, NeedStages)
	if err != nil {
		t.Fatal(err)
	}
	if s.Hook != nil {
		err = errors.Join(s.link.Close(), s.program.Close())
	}
	if err := errors.Join(err, side.close()); err != nil {
		t.Fatal(err)
	}
	if s.Hook == nil {
		t.Skip("needs: stages: functions inside copy_process cannot be hooked")
	}

	tr, err := New(Options{Plan: Plan(os.Getenv("FORKTRACE_PLAN")), Stages: StagesAfterFailure, quiet: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 2 {
		var h stageSeeker
		if err := tr.readLive(ctx, &h); err != nil {
			t.Fatal(err)
		}
		if h.without == 0 || h.with == 0 {
			t.Fatalf("%d failures without a stage and %d with one, want some of both", h.without, h.with)
		}
		testkit.Eventually(t, "the hooks to be taken off", func() error {
			var markers uint32
			if err := tr.kernel.variables["markers"].Get(&markers); err != nil {
				t.Fatal(err)
			}
			if markers != 0 {
				return errors.New("still hooked")
			}
			return nil
		})
	}
}
