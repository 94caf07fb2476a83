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

// heapLimit is how far the heap may grow before the garbage collector works harder: reading
// the kernel's types makes some 20 MB of short-lived garbage, tracing hardly any.
const heapLimit = 20 << 20

// boundMemory keeps the heap near what tracing needs.
func boundMemory() {
	if os.Getenv("GOMEMLIMIT") == "" { // else who started us knows better
		debug.SetMemoryLimit(heapLimit)
	}
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
