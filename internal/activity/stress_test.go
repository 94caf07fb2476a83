// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/testkit"
	"github.com/forktrace/forktrace/tracer"
)

// TestStress runs beside what stress-ng has for creations, for a minute: what is counted is
// what the kernel counts, and neither memory nor goroutines become more.
func TestStress(t *testing.T) {
	testkit.NeedRoot(t)
	testkit.NeedQuietHost(t)
	for _, tool := range []string{"stress-ng", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs: %s: it is not installed", tool)
		}
	}
	const length = time.Minute
	dir, path := testkit.PidsCgroup(t, 3000)
	s, err := OpenSampler(tracer.CensusOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// forkheavy takes all there is of the filesystem of /tmp, whatever its options say
	p := testkit.Pause(t, "unshare", "--mount", "--ipc", "--pid", "--fork", "--kill-child", "sh", "-c",
		`mount -t tmpfs -o size=64m tmpfs /tmp && cd /tmp && exec stress-ng --quiet --timeout 60s --fork 1 --vfork 1 --clone 1 \
			--pthread 1 --exec 1 --forkheavy 1 --clone-max 200 --pthread-max 200 --forkheavy-procs 100 --forkheavy-allocs 16`)
	first, before := quiet(t, s)
	testkit.Join(t, dir, p.Start(t))
	p.Release(t)

	var heap []uint64
	var goroutines []int
	seen, named := uint64(0), false
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(time.Second)
		sample, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		f := s.FrameOf(sample, time.Now())
		seen += sample.Total.Forks()
		for _, e := range f.Groups[ByCgroup] {
			named = named || e.Cgroup == path
		}
		heap, goroutines = append(heap, heapInUse()), append(goroutines, runtime.NumGoroutine())
	}
	p.Wait(t)
	last, grown, after := wantQuiet(t, s, first, before)
	if missed := s.Census.Missed(); missed > 0 {
		t.Errorf("%d missed", missed)
	}
	if grown.Forks() != after-before || last.Sum() != last.Total {
		t.Errorf("counted %d creations, the kernel %d; the rows have\n%+v, the total is\n%+v", grown.Forks(), after-before, last.Sum(), last.Total)
	}
	if !named || seen == 0 {
		t.Errorf("%d creations, the cgroup %s named: %t", seen, path, named)
	}
	third := len(heap) / 3
	// what there is to remember is bounded, and has been met in a third of the time
	if early, late := highest(heap[:third]), highest(heap[2*third:]); late > early+early/4+(2<<20) {
		t.Errorf("the heap has grown from %d to %d bytes: %v", early, late, heap)
	}
	if early, late := highest(goroutines[:third]), highest(goroutines[2*third:]); late > early {
		t.Errorf("goroutines have become more: %v", goroutines)
	}
	t.Logf("%d creations in %v, a heap of at most %d bytes", grown.Forks(), length, highest(heap))
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func highest[T int | uint64](list []T) (most T) {
	for _, n := range list {
		most = max(most, n)
	}
	return most
}

// wantQuiet waits for a moment at which nothing is in flight: calls that the kernel has
// counted and that have not reached our hook can be preempted for long on a busy machine.
func wantQuiet(t *testing.T, s *Sampler, first *tracer.Snapshot, before uint64) (last *tracer.Snapshot, grown tracer.Tally, after uint64) {
	t.Helper()
	for range 5 {
		last, after = quiet(t, s)
		grown = last.Total
		grown.Sub(&first.Total)
		if grown.Forks() == after-before {
			break
		}
		t.Logf("counted %d creations, the kernel %d", grown.Forks(), after-before)
		time.Sleep(time.Second)
	}
	return last, grown, after
}

// quiet reads at a moment when nothing is being created, and the kernel's own count then.
func quiet(t *testing.T, s *Sampler) (*tracer.Snapshot, uint64) {
	t.Helper()
	for range 500 {
		before := testkit.KernelForks(t)
		time.Sleep(20 * time.Millisecond) // for calls in flight
		snapshot, err := s.Census.Read()
		if err != nil {
			t.Fatal(err)
		}
		if testkit.KernelForks(t) == before && snapshot.Sum() == snapshot.Total {
			return snapshot, before
		}
	}
	t.Fatal("the machine was never quiet")
	return nil, 0
}
