// SPDX-License-Identifier: Apache-2.0

package tracer_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
	"github.com/forktrace/forktrace/tracer"
)

// plan is the one that the kernel matrix asks for.
func plan() tracer.Plan { return tracer.Plan(os.Getenv("FORKTRACE_PLAN")) }

type counting struct{ creations, lost uint64 }

func (c *counting) Creation(*decode.Record) error { c.creations++; return nil }
func (c *counting) Lost(_ uint32, n uint64) error { c.lost += n; return nil }
func (c *counting) Idle() (more bool, err error)  { return true, nil }
func (c *counting) matches(t *tracer.Totals) bool { return c.creations+c.lost == t.Matched.Sum() }

// TestAttachDetachUnderLoad attaches and detaches 20 times while tasks are created, and
// each time all that was counted must have arrived and agree with the kernel's own count.
func TestAttachDetachUnderLoad(t *testing.T) {
	testkit.NeedRoot(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	load := exec.CommandContext(ctx, testkit.Creations(t), "load", "2", "2000000")
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = load.Wait() }() // it is ended in the middle

	agreed := 0
	const rounds = 20
	for range rounds {
		if attachOnce(t) {
			agreed++
		}
	}
	// under a load that never pauses a call can be in flight at every reading
	t.Logf("in %d of %d rounds the kernel counted exactly as many", agreed, rounds)
	if agreed < rounds/2 {
		t.Errorf("in %d of %d rounds only the kernel counted as many", agreed, rounds)
	}
}

// attachOnce traces for a moment and says whether the kernel counted as many creations.
func attachOnce(t *testing.T) bool {
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
	forks, err := tr.KernelForks()
	if err != nil {
		t.Logf("no comparison: %v", err)
		return false
	}
	return forks == totals.Seen.Created
}
