// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
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

// startThreads makes the runtime have that many threads.
func startThreads() {
	var started, ended sync.WaitGroup
	release := make(chan struct{})
	for range spareThreads {
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
