// SPDX-License-Identifier: Apache-2.0

package history

import (
	"errors"
	"testing"
	"time"

	"github.com/forktrace/forktrace/decode"
)

const ms = uint64(time.Millisecond)

func attempt(tid uint32, at uint64, entry decode.Entry, result int32) *decode.Record {
	return &decode.Record{Time: at, Tid: tid, Pid: tid, Entry: entry, Result: result}
}

const restart = -int32(decode.ERESTARTNOINTR)

func TestFallback(t *testing.T) {
	for name, c := range map[string]struct {
		records []*decode.Record
		want    decode.Errno
	}{
		"at once":        {[]*decode.Record{attempt(7, ms, decode.EntryClone3, -38), attempt(7, 2*ms, decode.EntryClone, 8)}, decode.ENOSYS},
		"refused EPERM":  {[]*decode.Record{attempt(7, ms, decode.EntryClone3, -1), attempt(7, 2*ms, decode.EntryClone, -11)}, decode.EPERM},
		"another error":  {[]*decode.Record{attempt(7, ms, decode.EntryClone3, -22), attempt(7, 2*ms, decode.EntryClone, 8)}, 0},
		"another thread": {[]*decode.Record{attempt(7, ms, decode.EntryClone3, -38), attempt(6, 2*ms, decode.EntryClone, 8)}, 0},
		"much later":     {[]*decode.Record{attempt(7, ms, decode.EntryClone3, -38), attempt(7, 200*ms, decode.EntryClone, 8)}, 0},
		"clone3 again":   {[]*decode.Record{attempt(7, ms, decode.EntryClone3, -38), attempt(7, 2*ms, decode.EntryClone3, 8)}, 0},
		"only once": {[]*decode.Record{
			attempt(7, ms, decode.EntryClone3, -38), attempt(7, 2*ms, decode.EntryClone, 8), attempt(7, 3*ms, decode.EntryClone, 9),
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var h History
			var m Meaning
			for _, r := range c.records {
				m = h.Add(r)
			}
			if m.Fallback != c.want {
				t.Errorf("fallback from %v, want %v", m.Fallback, c.want)
			}
		})
	}
}

func TestLivelock(t *testing.T) {
	var h History
	for i := range uint64(5) {
		r := attempt(7, (10+i)*ms, decode.EntryClone, restart)
		r.Evidence = decode.Evidence{Known: decode.KnownSignals, Pending: 1<<i | 1<<20, Blocked: 1 << 20}
		if m := h.Add(r); m.Folded != (i > 0) || m.Ended != nil {
			t.Errorf("restart %d: %+v", i, m)
		}
	}
	m := h.Add(attempt(7, 20*ms, decode.EntryClone, 99))
	if l := m.Ended; l == nil || l.Count != 5 || l.First != 10*ms || l.Last.Time != 14*ms || l.Signals != 0x1f || !l.Ended || l.Result != 99 {
		t.Fatalf("ended %+v", m.Ended)
	}
	if m := h.Add(attempt(7, 21*ms, decode.EntryClone, 100)); m.Ended != nil || len(h.threads) != 0 || h.locks != 0 {
		t.Errorf("after the end: %+v, %d threads, %d livelocks", m, len(h.threads), h.locks)
	}
}

// TestOneRestart is no livelock, and neither is one before another call.
func TestOneRestart(t *testing.T) {
	var h History
	h.Add(attempt(7, ms, decode.EntryClone, restart))
	if m := h.Add(attempt(7, 2*ms, decode.EntryVfork, restart)); m.Folded || m.Ended != nil {
		t.Errorf("another call: %+v", m)
	}
	if m := h.Add(attempt(7, 3*ms, decode.EntryVfork, 8)); m.Ended != nil {
		t.Errorf("one restart ended a livelock: %+v", m.Ended)
	}
}

func TestDue(t *testing.T) {
	var h History
	second := uint64(time.Second)
	tell := func(now uint64) (told []Livelock) {
		if err := h.Due(now, func(l *Livelock) error { told = append(told, *l); return nil }); err != nil {
			t.Fatal(err)
		}
		return told
	}
	h.Add(attempt(7, second, decode.EntryClone, restart))
	if told := tell(3 * second); told != nil {
		t.Errorf("one restart: %v", told)
	}
	h.Add(attempt(7, 3*second, decode.EntryClone, restart))
	if told := tell(3*second + ms); len(told) != 1 || told[0].Count != 2 || told[0].Ended {
		t.Errorf("going on: %+v", told)
	}
	if told := tell(5 * second); told != nil {
		t.Errorf("nothing new: %v", told)
	}
	stop := errors.New("stop")
	h.Add(attempt(7, 5*second, decode.EntryClone, restart))
	if err := h.Due(6*second, func(*Livelock) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	tell(30 * second)
	if len(h.threads) != 0 || h.locks != 0 {
		t.Errorf("at rest: %d threads, %d livelocks", len(h.threads), h.locks)
	}
}

// TestEndUnseen: where only failures are traced a livelock is not said to go on.
func TestEndUnseen(t *testing.T) {
	h := History{NoSuccesses: true}
	h.Add(attempt(7, uint64(time.Second), decode.EntryClone, restart))
	h.Add(attempt(7, uint64(2*time.Second), decode.EntryClone, restart))
	told := 0
	err := h.Due(uint64(3*time.Second), func(l *Livelock) error {
		if told++; !l.EndUnseen || l.Ended {
			t.Errorf("%+v", l)
		}
		return nil
	})
	if err != nil || told != 1 {
		t.Errorf("told %d times, %v", told, err)
	}
	// an end that is seen is told all the same
	m := h.Add(attempt(7, uint64(4*time.Second), decode.EntryClone, -int32(decode.EAGAIN)))
	if m.Ended == nil || !m.Ended.Ended || m.Ended.EndUnseen {
		t.Errorf("ended by a failure: %+v", m.Ended)
	}
}

// TestBounded: threads that begin something and never end it do not add up.
func TestBounded(t *testing.T) {
	var h History
	for tid := range uint32(3 * maxThreads) {
		h.Add(attempt(tid, ms, decode.EntryClone, restart))
		h.Add(attempt(tid|1<<30, ms, decode.EntryClone3, -38))
	}
	if len(h.threads) > maxThreads || h.locks > len(h.threads) {
		t.Errorf("%d threads, %d livelocks", len(h.threads), h.locks)
	}
}

func TestOrdinaryAllocatesNothing(t *testing.T) {
	var h History
	r := attempt(7, ms, decode.EntryClone, 8)
	if n := testing.AllocsPerRun(100, func() { h.Add(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
