// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/prometheus/procfs"
)

// Classes of outcomes, counted apart (enum class in bpf/maps.h).
const (
	classCreated = iota
	classFailed
	classRestarted
)

// Counts is how often an outcome was met.
type Counts struct {
	Created   uint64
	Failed    uint64
	Restarted uint64 // interrupted by a signal before anything happened, and started again
}

// Sum over all outcomes.
func (c Counts) Sum() uint64 { return c.Created + c.Failed + c.Restarted }

// Totals is what the kernel side counted since it was attached; it loses nothing,
// whatever the ring buffer does.
type Totals struct {
	Seen    Counts // all attempts that the hooks met
	Matched Counts // those that passed the filters of the kernel side
	Dropped Counts // those of them for which the ring buffer had no room
	// Missed is how many failures, or details of requests, were not seen because the
	// kernel did not run a program although its hook was hit; complete after Read.
	Missed uint64
	// ResumedLost is how many ends of a suspension found no room; Dropped is without them.
	ResumedLost uint64
	// TreeFull is how many processes should have been followed and were not, because
	// the tree was full.
	TreeFull uint64
}

// Totals reads the counters.
func (t *Tracer) Totals() (Totals, error) {
	sum, err := t.kernel.totals()
	if t.settled {
		sum.Missed = t.missed
	}
	return sum, err
}

// totals reads the counters, Missed as far as the programs count it.
func (k *kernelSide) totals() (Totals, error) {
	var perCPU []bpfCpuCounters
	if err := k.maps["counters"].Lookup(uint32(0), &perCPU); err != nil {
		return Totals{}, fmt.Errorf("reading counters: %w", err)
	}
	var sum Totals
	for i := range perCPU {
		c := &perCPU[i]
		matched := [3]uint64{classCreated: c.Seq - c.Failed - c.Restarted, classFailed: c.Failed, classRestarted: c.Restarted}
		sum.Matched.add(&matched)
		sum.Seen.add(&matched)
		sum.Seen.add(&c.Rejected)
		sum.Dropped.add(&c.Dropped)
		sum.TreeFull += c.TreeFull
		sum.ResumedLost += c.ResumedLost
		sum.Missed += c.Missed
	}
	return sum, nil
}

func (c *Counts) add(n *[3]uint64) {
	c.Created += n[classCreated]
	c.Failed += n[classFailed]
	c.Restarted += n[classRestarted]
}

// forks reads how many creations the kernel itself has counted since boot: `processes`
// in /proc/stat, which is total_forks and counts threads and kernel tasks too.
func forks() (uint64, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, fmt.Errorf("opening /proc: %w", err)
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0, fmt.Errorf("reading /proc/stat: %w", err)
	}
	return stat.ProcessCreated, nil
}

// span is a number of which the bounds are known, both included.
type span struct{ least, most int64 }

func (s span) exact() bool { return s.least == s.most }

func (s span) holds(n int64) bool { return s.least <= n && n <= s.most }

// uncounted is what the kernel has counted and the hook has not. Creations that are in
// flight are counted already and have not fired yet, so the least of some readings is
// the truth; a reading is exact if nothing fired meanwhile. On a machine that never
// pauses that long, what fired meanwhile is the width of the span.
func (t *Tracer) uncounted() (span, error) {
	const wanted, most = 4, 24
	var all, exact span
	found := 0
	for i := 0; i < most && found < wanted; i++ {
		before, err := t.Totals()
		if err != nil {
			return span{}, err
		}
		n, err := forks()
		if err != nil {
			return span{}, err
		}
		after, err := t.Totals()
		if err != nil {
			return span{}, err
		}
		r := span{int64(n) - int64(after.Seen.Created), int64(n) - int64(before.Seen.Created)}
		all = least(all, r, i == 0)
		if r.exact() {
			exact = least(exact, r, found == 0)
			found++
		}
		time.Sleep(500 * time.Microsecond)
	}
	if found > 0 {
		return exact, nil
	}
	return all, nil
}

// least bounds the smaller of two numbers; the first one does not count at the beginning.
func least(a, b span, first bool) span {
	if first {
		return b
	}
	return span{min(a.least, b.least), min(a.most, b.most)}
}

// ErrNoKernelCount is returned where /proc/stat cannot be read.
var ErrNoKernelCount = errors.New("the kernel's own count of creations is not available")

// KernelForks is by how much `processes` in /proc/stat had grown between the attaching
// of the hooks and their end, at least and at most: one number, unless creations never
// paused while it was read. It equals Totals.Seen.Created but for calls that were in
// flight at either end (kernel-facts E): on a quiet machine, exactly. Read sets it; the
// error wraps [ErrNoKernelCount].
func (t *Tracer) KernelForks() (atLeast, atMost uint64, err error) {
	if t.forksErr != nil {
		return 0, 0, fmt.Errorf("%w: %w", ErrNoKernelCount, t.forksErr)
	}
	totals, err := t.Totals()
	if err != nil {
		return 0, 0, err
	}
	seen := int64(totals.Seen.Created)
	return uint64(max(0, seen+t.gap.least)), uint64(max(0, seen+t.gap.most)), nil
}

// compareForks says, while the hooks are still attached, how many creations the kernel has
// counted since the beginning that we have not. Detaching takes a moment, in which both
// go on alike.
func (t *Tracer) compareForks() (gap span, err error) {
	if t.baseErr != nil {
		return span{}, t.baseErr
	}
	for range 5 { // the gap closes as soon as nothing is in flight
		now, err := t.uncounted()
		if err != nil {
			return span{}, err
		}
		if gap = (span{now.least - t.base.most, now.most - t.base.least}); gap.holds(0) {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return gap, nil
}

func isExist(err error) bool { return errors.Is(err, ebpf.ErrKeyExist) }
