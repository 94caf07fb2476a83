// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"time"

	"github.com/forktrace/forktrace/tracer"
)

// MedianLifetime is the bucket in which half of the children that ended had ended: its
// upper bound or, of the last one, which has none, its lower. ok is false if none ended.
func MedianLifetime(t *tracer.Tally) (bound time.Duration, atLeast, ok bool) {
	var all, n uint64
	for _, c := range t.Lifetimes {
		all += c
	}
	if all == 0 {
		return 0, false, false
	}
	for i, c := range t.Lifetimes {
		if n += c; n*2 >= all {
			if i == tracer.CensusLifetimes-1 {
				return time.Microsecond << i, true, true
			}
			return time.Microsecond << (i + 1), false, true
		}
	}
	return 0, false, false
}

// MainError is the most frequent reason of failures and how often it was.
func MainError(t *tracer.Tally) (name string, n uint64) {
	for i, c := range t.Failed[:tracer.CensusRestarted] {
		if c > n {
			name, n = tracer.CensusErrorNames[i], c
		}
	}
	return name, n
}

// Processes is how many processes, not threads or kernel tasks, were created.
func Processes(t *tracer.Tally) uint64 {
	return t.Created[tracer.CensusProcess] + t.Created[tracer.CensusVfork]
}

// ExecRatio is how many of the created processes executed a program, and whether any was
// created.
func ExecRatio(t *tracer.Tally) (float64, bool) {
	n := Processes(t)
	if n == 0 {
		return 0, false
	}
	return min(float64(t.Execs)/float64(n), 1), true
}
