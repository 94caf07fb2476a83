// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/forktrace/forktrace/internal/testkit"
)

// sameForks compares a summary's two counts of the machine's creations. They may differ by
// calls in flight at either end.
func sameForks(s *testkit.Summary) error {
	if s.KernelForks == nil {
		return fmt.Errorf("the summary has no kernel_forks")
	}
	if *s.KernelForks != s.Created || s.Created != s.SeenCreated {
		return fmt.Errorf("created %d, seen_created %d, kernel_forks %d", s.Created, s.SeenCreated, *s.KernelForks)
	}
	return nil
}

// sameGrowth compares our own two readings of /proc/stat with the creations between them:
// exactly, if nothing was being created at those moments.
func sameGrowth(events []testkit.Brief, before, after testkit.Forks) error {
	var least, most uint64
	for i := range events {
		e := &events[i]
		if e.Failed() {
			continue
		}
		if e.BootNS > before.To && e.BootNS <= after.From {
			least++
		}
		if e.BootNS > before.From && e.BootNS <= after.To {
			most++
		}
	}
	if grown := after.Count - before.Count; grown < least || grown > most {
		return fmt.Errorf("processes in /proc/stat grew by %d while %d to %d creations were seen", grown, least, most)
	}
	return nil
}
