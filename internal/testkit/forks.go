// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Forks is a reading of the kernel's count of creations.
type Forks struct {
	Count uint64 // `processes` of /proc/stat
	// From and To are moments, in CLOCK_BOOTTIME, before and after the reading: what was
	// created earlier is counted, what was created later is not.
	From, To uint64
}

// QuietForks reads the count, if possible at a moment when nothing is being created.
func QuietForks(t testing.TB) (f Forks) {
	t.Helper()
	const margin = 20 * time.Millisecond // for calls in flight
	for range 10 {
		before := KernelForks(t)
		f.From = bootTime(t)
		time.Sleep(margin)
		f.Count = KernelForks(t)
		time.Sleep(margin)
		f.To = bootTime(t)
		if before == f.Count && KernelForks(t) == f.Count {
			break
		}
	}
	return f
}

func bootTime(t testing.TB) uint64 {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		t.Fatal(err)
	}
	return uint64(ts.Nano())
}

// KernelForks is how many tasks the kernel has created since it booted.
func KernelForks(t testing.TB) uint64 {
	t.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(stat) {
		if n, ok := bytes.CutPrefix(line, []byte("processes ")); ok {
			forks, err := strconv.ParseUint(string(bytes.TrimSpace(n)), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return forks
		}
	}
	t.Fatal("/proc/stat has no processes")
	return 0
}
