// SPDX-License-Identifier: Apache-2.0

// Package history remembers what each thread attempted before, and tells what several
// attempts mean together: a library that falls back from clone3 to clone, and a fork that
// signals keep from ever getting through.
package history

import (
	"time"

	"github.com/forktrace/forktrace/decode"
)

const (
	// maxThreads bounds the threads that are remembered; when there are more, those that
	// are not in the middle of anything new are forgotten.
	maxThreads = 4096
	// fallbackWithin is how long after a refused clone3 the same thread's clone still
	// counts as its fallback: libraries call it at once.
	fallbackWithin = 100 * time.Millisecond
	// gap ends a series of restarts: the kernel makes the call again at once, but for the
	// handlers that run before.
	gap = 10 * time.Second
	// tellEvery is how often a livelock that goes on is told of.
	tellEvery = time.Second
	// MinRestarts is how many restarts in a row are a livelock: one signal is no news.
	MinRestarts = 2
)

// Livelock is a series of attempts of one thread, each given up for a signal and made
// again, of which its caller knows nothing (ERESTARTNOINTR; kernel/fork.c, copy_process).
type Livelock struct {
	Last    decode.Record // the attempt that was interrupted last
	First   uint64        // CLOCK_BOOTTIME of the first, ns
	Count   uint64        // attempts that were interrupted
	Signals uint64        // that were pending and not blocked at any of them, bit 0 is signal 1
	Ended   bool
	Result  int32 // of the attempt that ended it: a tid, or a negative errno
	// EndUnseen says that it may have ended: successes are not traced.
	EndUnseen bool
}

// Meaning is what an attempt means after those before it.
type Meaning struct {
	// Fallback is the error for which this thread's clone3 was refused just before it
	// called the older one; 0 if this is no fallback.
	Fallback decode.Errno
	// Folded says that the attempt is one more of a livelock, and need not be shown.
	Folded bool
	// Ended is the livelock that this attempt is the end of; nil if it is none.
	Ended *Livelock
}

type thread struct {
	refusedAt uint64 // when clone3 was refused; 0: it was not
	refused   decode.Errno
	lock      Livelock
	told      uint64 // when the livelock was told of
	toldCount uint64
}

// History is what is remembered. Its zero value is ready. Not safe for concurrent use.
type History struct {
	// NoSuccesses says that only failures are traced.
	NoSuccesses bool
	threads     map[uint32]*thread
	locks       int // threads in a livelock, or with one restart
}

// Add takes the next attempt in, in the order in which they were made.
func (h *History) Add(r *decode.Record) (m Meaning) {
	errno := r.Errno()
	refused := r.Entry == decode.EntryClone3 && (errno == decode.ENOSYS || errno == decode.EPERM)
	t := h.threads[r.Tid]
	if t == nil {
		if !refused && !r.Restarted() {
			return m
		}
		t = h.remember(r.Tid)
	}
	if t.refusedAt != 0 && r.Entry.IsSyscall() && r.Entry != decode.EntryClone3 && r.Time-t.refusedAt <= uint64(fallbackWithin) {
		m.Fallback = t.refused
	}
	t.refusedAt = 0
	if refused {
		t.refusedAt, t.refused = r.Time, errno
	}
	if r.Restarted() {
		m.Folded = h.restarted(t, r)
		return m
	}
	if t.lock.Count > 0 {
		if t.lock.Count >= MinRestarts && sameAttempt(&t.lock, r) {
			ended := t.lock
			ended.Ended, ended.EndUnseen, ended.Result = true, false, r.Result
			m.Ended = &ended
		}
		h.forgetLock(t)
	}
	if t.refusedAt == 0 {
		delete(h.threads, r.Tid)
	}
	return m
}

func (h *History) remember(tid uint32) *thread {
	if h.threads == nil {
		h.threads = map[uint32]*thread{}
	}
	if len(h.threads) >= maxThreads {
		clear(h.threads)
		h.locks = 0
	}
	t := &thread{}
	h.threads[tid] = t
	return t
}

// restarted adds one interrupted attempt, and says whether it is not the first.
func (h *History) restarted(t *thread, r *decode.Record) bool {
	l := &t.lock
	if l.Count > 0 && !sameAttempt(l, r) {
		h.forgetLock(t)
	}
	if l.Count == 0 {
		h.locks++
		l.First, t.told = r.Time, r.Time
	}
	l.Last = *r
	l.Count++
	if r.Evidence.Known&decode.KnownSignals != 0 {
		l.Signals |= r.Evidence.Pending &^ r.Evidence.Blocked
	}
	return l.Count > 1
}

func (h *History) forgetLock(t *thread) {
	t.lock = Livelock{}
	h.locks--
}

// sameAttempt says whether the call is the one that was interrupted, made again.
func sameAttempt(l *Livelock, r *decode.Record) bool {
	return l.Last.Pid == r.Pid && l.Last.Entry == r.Entry && l.Last.Flags == r.Flags && r.Time-l.Last.Time <= uint64(gap)
}

// Due calls f with each livelock that goes on and was not told of for a second. now is
// CLOCK_BOOTTIME, ns. Those that have come to rest without an end are forgotten.
func (h *History) Due(now uint64, f func(*Livelock) error) error {
	if h.locks == 0 {
		return nil
	}
	for tid, t := range h.threads {
		l := &t.lock
		if l.Count >= MinRestarts && l.Count > t.toldCount && now-min(t.told, now) >= uint64(tellEvery) {
			t.told, t.toldCount, l.EndUnseen = now, l.Count, h.NoSuccesses
			if err := f(l); err != nil {
				return err
			}
		}
		if l.Count > 0 && now-min(l.Last.Time, now) > uint64(gap) {
			h.forgetLock(t)
			delete(h.threads, tid)
		}
	}
	return nil
}
