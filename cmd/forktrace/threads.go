// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/forktrace/forktrace/internal/host"
)

// spareThreads is how many threads are made before anything is attached. The Go runtime
// makes one whenever all others are inside system calls, keeps them, and ends the program
// when it is refused one: which must not be when limits are reached that we are there to
// explain. Beside the runtime's own, tracing has not been seen to need more than ten.
const spareThreads = 16

// Bounds of what the Go runtime uses, in bytes. Until all is attached some 17 MB of heap are
// allocated, of which half is needed on: to collect them as they come, six times, was a quarter
// of the processor time until then. Tracing makes hardly any garbage.
const (
	startLimit = 28 << 20
	traceLimit = 20 << 20
)

// boundMemory bounds the runtime's memory, as far as who started us has not. The function that
// it returns must be called when all is attached.
func boundMemory() (attached func()) {
	ownLimit, ownPercent := os.Getenv("GOMEMLIMIT") == "", os.Getenv("GOGC") == ""
	bound := func(limit int64, percent int) {
		if ownPercent {
			debug.SetGCPercent(percent)
		}
		if ownLimit {
			debug.SetMemoryLimit(limit)
		}
	}
	const never, usual = -1, 100 // Go's own default
	bound(startLimit, never)
	return func() { bound(traceLimit, usual) }
}

// leastThreads is how few new threads top and storm have been seen to live with.
const leastThreads = 8

// startThreadsOrSay does it where threads may be refused already: with room for fewer it
// says so first and goes on; without any it returns an error, where the Go runtime would
// end the program with a dump.
func startThreadsOrSay(diag io.Writer) error {
	l, room, known := host.Tightest()
	if !known || room > spareThreads {
		startThreads()
		return nil
	}
	finding := fmt.Sprintf("first finding: %s of %s is nearly reached: %d of %d", l.Name, l.Where, *l.Used, *l.Max)
	if room < leastThreads {
		return fmt.Errorf("%s, and forktrace needs room for %d threads; start it elsewhere, or raise the limit", finding, leastThreads)
	}
	fmt.Fprintf(diag, "forktrace: %s\n", finding)
	makeThreads(int(room) - 2) // not the last ones
	return nil
}

// startThreads makes the runtime have threads to spare.
func startThreads() { makeThreads(spareThreads) }

// makeThreads makes the runtime have that many threads.
func makeThreads(n int) {
	var started, ended sync.WaitGroup
	release := make(chan struct{})
	for range n {
		started.Add(1)
		ended.Go(func() {
			runtime.LockOSThread() // each needs one of its own
			defer runtime.UnlockOSThread()
			started.Done()
			<-release
		})
	}
	started.Wait()
	close(release)
	ended.Wait()
}
