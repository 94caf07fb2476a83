// SPDX-License-Identifier: Apache-2.0

package tracer_test

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
	"github.com/forktrace/forktrace/tracer"
)

// plan is the one that the kernel matrix asks for.
func plan() tracer.Plan { return tracer.Plan(os.Getenv("FORKTRACE_PLAN")) }

type counting struct{ creations, lost uint64 }

func (c *counting) Creation(*decode.Record) error { c.creations++; return nil }
func (c *counting) Resumed(*decode.Resumed) error { return nil }
func (c *counting) Lost(_ uint32, n uint64) error { c.lost += n; return nil }
func (c *counting) Idle() (more bool, err error)  { return true, nil }
func (c *counting) matches(t *tracer.Totals) bool { return c.creations+c.lost == t.Matched.Sum() }

// TestAttachDetachUnderLoad attaches and detaches 20 times while tasks are created, and
// each time all that was counted must have arrived and agree with the kernel's own count,
// but for what is in flight.
func TestAttachDetachUnderLoad(t *testing.T) {
	testkit.NeedRoot(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	load := exec.CommandContext(ctx, testkit.Creations(t), "load", "2", "2000000")
	load.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = load.Wait() }() // it is ended in the middle
	if testkit.InGuest() {
		// emulated, an attempt under full load takes a quarter of a minute: there the load gives way
		if err := unix.Setpriority(unix.PRIO_PGRP, load.Process.Pid, 10); err != nil {
			t.Fatal(err)
		}
	}

	compared := 0
	for range 20 {
		if attachOnce(t) {
			compared++
		}
	}
	if compared == 0 {
		t.Error("the load never paused: nothing was compared exactly with the kernel's count")
	}
}

// inFlight is how many calls can be between the kernel's count and ours at a reading: one
// for each process of the load, and some for the rest of the machine.
const inFlight = 4

// attachOnce traces for a moment. Under a load that never pauses the kernel may have counted
// a call that is in flight at either end, but no more than can be.
func attachOnce(t *testing.T) (compared bool) {
	t.Helper()
	tr, err := tracer.New(tracer.Options{Plan: plan(), Details: true, BufferSize: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	var c counting
	if err := tr.Read(ctx, &c); err != nil {
		t.Fatal(err)
	}
	totals, err := tr.Totals()
	if err != nil {
		t.Fatal(err)
	}
	if totals.Seen.Created == 0 || !c.matches(&totals) {
		t.Errorf("%d records and %d lost, counted %+v", c.creations, c.lost, totals)
	}
	atLeast, atMost, err := tr.KernelForks()
	if err != nil {
		t.Fatal(err)
	}
	seen := totals.Seen.Created
	if seen+inFlight < atLeast || seen > atMost+inFlight {
		t.Errorf("the kernel counted %d to %d, we saw %d: more apart than can be in flight", atLeast, atMost, seen)
	}
	return atLeast == atMost
}
