// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"cmp"
	"slices"
	"time"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/host"
)

// Headroom is a limit with how fast it fills.
type Headroom struct {
	host.Limit
	Peak    uint64   `json:"peak"`                     // the most that was seen in use
	Growth  *float64 `json:"growth_per_s,omitempty"`   // nil: not known yet
	In      float64  `json:"exhausted_in_s,omitempty"` // 0: not at this growth
	Reached bool     `json:"reached"`                  // at its peak nothing was left
	steady  bool
}

// nearFill is the used part of a limit from which on it matters who uses it.
const nearFill = 0.5

// near says whether it is about to be reached, or has been.
func (h *Headroom) near() bool {
	return h.Reached || float64(h.Peak) >= nearFill*float64(*h.Max) || h.In > 0 && h.In <= DefaultThresholds.Within
}

// soon says whether it is worth telling when it is reached.
func (h *Headroom) soon() bool { return h.In > 0 && h.In <= 3600 }

// window is over how many measurements growth is taken.
const window = 5

// Tracker follows the use of limits.
type Tracker struct{ tracks map[string]*track }

type track struct {
	used []uint64 // oldest first
	at   []time.Time
	peak uint64
}

// Measure takes the use of limits at a moment and returns them with what is known of their
// growth: those that were reached first, then the near ones, then the fullest.
// Limits that are not told any more are forgotten.
func (t *Tracker) Measure(at time.Time, limits []host.Limit) []Headroom {
	tracks := map[string]*track{}
	all := make([]Headroom, 0, len(limits))
	for _, l := range limits {
		key := l.Name + " " + l.Where
		tr := t.tracks[key]
		if tr == nil {
			tr = &track{}
		}
		tracks[key] = tr
		tr.add(at, *l.Used)
		all = append(all, tr.headroom(l))
	}
	t.tracks = tracks
	slices.SortStableFunc(all, func(a, b Headroom) int {
		return cmp.Or(-compareBool(a.Reached, b.Reached), -compareBool(a.near(), b.near()), -compareBool(a.soon(), b.soon()),
			cmp.Compare(activity.Fill(b.Limit), activity.Fill(a.Limit)))
	})
	return all
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (t *track) add(at time.Time, used uint64) {
	t.used, t.at = append(t.used, used), append(t.at, at)
	t.used, t.at = t.used[max(0, len(t.used)-window):], t.at[max(0, len(t.at)-window):]
	t.peak = max(t.peak, used)
}

// headroom is what is known of a limit by now.
func (t *track) headroom(l host.Limit) Headroom {
	h := Headroom{Limit: l, Peak: t.peak, Reached: t.peak >= *l.Max}
	last := len(t.used) - 1
	seconds := t.at[last].Sub(t.at[0]).Seconds()
	if seconds <= 0 {
		return h
	}
	growth := (float64(t.used[last]) - float64(t.used[0])) / seconds
	h.Growth = &growth
	h.steady = last >= 2
	for i := range last {
		h.steady = h.steady && t.used[i+1] > t.used[i]
	}
	// below one a second a count that moves up and down says nothing
	if growth >= h.least() && *l.Max > *l.Used {
		h.In = float64(*l.Max-*l.Used) / growth
	}
	return h
}

// least is the growth a second from which on it is told when a limit is reached.
func (h *Headroom) least() float64 {
	if h.Unit == host.UnitBytes {
		return 1 << 20
	}
	return 1
}

// Nearest is the seconds until the first limit is reached, of those that grow steadily or
// are half full: a load that begins is no exhaustion. 0: none is.
func Nearest(all []Headroom) (in float64) {
	for i := range all {
		h := &all[i]
		if h.In > 0 && (h.steady || activity.Fill(h.Limit) >= nearFill) && (in == 0 || h.In < in) {
			in = h.In
		}
	}
	return in
}
