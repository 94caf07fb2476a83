// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/tracer"
)

// Watch compares each child that cases make with what its flags promise, as package tracer
// observes it before it runs.
type Watch struct {
	watcher
	tracer *tracer.Tracer
	stop   context.CancelFunc
	ended  chan error
	spans  []span
}

// watcher takes what the tracer finds.
type watcher struct {
	system  decode.System
	checked int
	lost    uint64
	broken  []brokenPromise
}

// brokenPromise is a violation and when it happened.
type brokenPromise struct {
	at uint64
	decode.Violation
}

// span is the time of a case, in CLOCK_BOOTTIME.
type span struct{ from, to uint64 }

// NewWatch attaches the tracer to the verifier's executor. It fails where that is not
// possible: without the privilege, or on kernels that cannot be traced.
func NewWatch(v *Verifier) (*Watch, error) {
	tr, err := tracer.New(tracer.Options{Pids: []uint32{uint32(v.Executor.cmd.Process.Pid)}, Follow: true, Details: true})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{tracer: tr, stop: stop, ended: make(chan error, 1), watcher: watcher{system: decode.System{Traits: v.Traits}}}
	go func() { w.ended <- tr.Read(ctx, &w.watcher) }()
	return w, nil
}

// Creation compares a creation with its promises; it is for [tracer.Handler].
func (w *watcher) Creation(r *decode.Record) error {
	w.checked++
	for _, v := range decode.CheckRecord(r, &w.system) {
		w.broken = append(w.broken, brokenPromise{r.Time, v})
	}
	return nil
}

// Resumed is for [tracer.Handler].
func (w *watcher) Resumed(*decode.Resumed) error { return nil }

// Lost counts what could not be compared; it is for [tracer.Handler].
func (w *watcher) Lost(_ uint32, n uint64) error {
	w.lost += n
	return nil
}

// Idle is for [tracer.Handler].
func (w *watcher) Idle() (bool, error) { return true, nil }

// begin notes that a case begins, and returns what notes its end.
func (w *Watch) begin() (end func()) {
	if w == nil {
		return func() {}
	}
	from := bootTime()
	return func() { w.spans = append(w.spans, span{from, bootTime()}) }
}

func bootTime() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // cannot fail
	return uint64(ts.Nano())
}

// abort detaches without a result.
func (w *Watch) abort() error {
	if w == nil {
		return nil
	}
	_, err := w.End(nil)
	return err
}

// End detaches, and adds the promises that were broken to the results of the cases, which
// are in the order in which they were run. It returns what there is to say of all.
func (w *Watch) End(results []Result) (*Checked, error) {
	w.stop()
	if err := <-w.ended; err != nil {
		return nil, fmt.Errorf("comparing children with their promises: %w", errors.Join(err, w.tracer.Close()))
	}
	if w.checked == 0 && len(w.spans) > 0 { // ids are those of the initial pid namespace
		return &Checked{Reason: "no creation was seen: the tracer cannot find processes of a pid namespace by their ids"}, w.tracer.Close()
	}
	attribute(w.broken, w.spans, results)
	return &Checked{Creations: w.checked, Lost: w.lost, Broken: len(w.broken)}, w.tracer.Close()
}

// attribute tells the results of cases what happened during them.
func attribute(broken []brokenPromise, spans []span, results []Result) {
	for _, b := range broken {
		for i, s := range spans {
			if s.from <= b.at && b.at <= s.to && i < len(results) {
				results[i].breaks(&b.Violation)
			}
		}
	}
}

// Checked is what comparing children with their promises comes to.
type Checked struct {
	Creations int    `json:"creations"`        // attempts that were compared
	Lost      uint64 `json:"lost"`             // that could not be
	Broken    int    `json:"broken"`           // promises and rules
	Reason    string `json:"reason,omitempty"` // why there was no comparison
}

// breaks notes that the child of a case contradicts what its flags promise.
func (r *Result) breaks(v *decode.Violation) {
	if v.Bug != "" && r.Outcome != Diverges {
		r.Outcome, r.Bug = Affected, v.Bug
	} else {
		r.Outcome = Diverges
	}
	if r.Reason != "" {
		r.Reason += "; "
	}
	r.Reason += fmt.Sprintf("check %s: promised: %s; seen: %s (%s)", v.ID, v.Promised, v.Seen, v.Source)
}
