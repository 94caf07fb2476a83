// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"sync"
)

// spareThreads is how many threads are made before anything is attached. The Go runtime
// makes one whenever all others are inside system calls, keeps them, and ends the program
// when it is refused one: which must not be when limits are reached that we are there to
// explain. Beside the runtime's own, tracing has not been seen to need more than ten.
const spareThreads = 16

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
