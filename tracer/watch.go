// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"
)

// stageNeeds are what failures are explained by from inside copy_process.
var stageNeeds = []Need{NeedStages, NeedOver}

// rateInterval is for how long creations are counted to know their rate.
const rateInterval = 2 * time.Second

// stageWatch takes the hooks of the stages, which every creation pays for, off while the
// machine makes many creations and none fails, and puts them on again. The reader must not
// wait for that: a goroutine does it.
type stageWatch struct {
	kernel *kernelSide
	busy   float64 // creations a second
	quiet  time.Duration

	on          bool
	lastFailure time.Time
	lastBusy    time.Time
	refused     time.Time // when the hooks could not be put on: not tried again before the quiet time has passed
	counted     uint64    // creations of the machine when the rate was known last
	countedAt   time.Time
	dropped     uint64 // failures of which no record came, until then

	failed chan struct{} // room for one
	stop   chan struct{}
	ended  chan struct{}
}

// saw says that a creation has failed inside copy_process.
func (w *stageWatch) saw() {
	if w == nil {
		return
	}
	select {
	case w.failed <- struct{}{}:
	default:
	}
}

// end ends the watch, and leaves the hooks as they are.
func (w *stageWatch) end() {
	if w == nil {
		return
	}
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	<-w.ended
}

// watchStages begins to watch the hooks, which are on.
func (k *kernelSide) watchStages(o *Options) *stageWatch {
	w := &stageWatch{
		kernel: k, busy: o.busyRate(), quiet: o.quietTime(), on: true, countedAt: time.Now(),
		failed: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	go w.run()
	return w
}

func (w *stageWatch) run() {
	defer close(w.ended)
	tick := time.NewTicker(min(rateInterval, w.quiet))
	defer tick.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-w.failed:
			w.lastFailure = time.Now()
			w.set(true)
		case <-tick.C:
			w.look()
		}
	}
}

// look compares the rate of creations. Failures that the reader got no record of count as well.
func (w *stageWatch) look() {
	totals, err := w.kernel.totals()
	if err != nil {
		return // the next time, then: all stays as it is
	}
	n, now := totals.Seen.Created, time.Now()
	if totals.Dropped.Failed != w.dropped {
		w.dropped, w.lastFailure = totals.Dropped.Failed, now
		w.set(true)
	}
	busy := float64(int64(n-w.counted)) > w.busy*now.Sub(w.countedAt).Seconds()
	w.counted, w.countedAt = n, now
	if busy {
		w.lastBusy = now
	}
	if now.Sub(w.lastFailure) > w.quiet && (busy || now.Sub(w.lastBusy) > w.quiet) {
		w.set(!busy)
	}
}

// set puts the hooks on or takes them off. While they cannot be put on failures tell no stage.
func (w *stageWatch) set(on bool) {
	if w.on == on || on && time.Since(w.refused) < w.quiet {
		return
	}
	w.on = on
	if on {
		if w.kernel.hookStages() == nil {
			return
		}
		w.on, w.refused = false, time.Now()
	}
	_ = w.kernel.unhookStages() // a hook that is left costs time and tells nothing
}

// hookStages attaches the programs of the stages again.
func (k *kernelSide) hookStages() error {
	for i, a := range k.working() {
		if !isStageNeed(a.Need) {
			continue
		}
		link, err := a.Hook.attach.attach(k.programs[i], a.Hook.Symbol)
		if err != nil && a.Need == NeedOver {
			continue // the stages can do without
		}
		if err != nil {
			return fmt.Errorf("attaching program %s again: %w", a.Hook.Program, plain(err))
		}
		k.links[i] = link
	}
	return errors.Join(k.forgetProgress(), k.tellMarkers(k.links))
}

// unhookStages detaches them. No program may take creations that are under way for ones
// that were seen from their beginning.
func (k *kernelSide) unhookStages() error {
	var hooks closers
	for i, a := range k.working() {
		if isStageNeed(a.Need) {
			hooks = append(hooks, k.links[i])
			k.links[i] = closers{}
		}
	}
	return errors.Join(k.variables["markers"].Set(uint32(0)), hooks.Close())
}

func isStageNeed(n Need) bool { return slices.Contains(stageNeeds, n) }

// forgetProgress removes what creations have left behind that were under way when hooks were
// taken off: of the next ones of these tasks it would tell what is not so.
func (k *kernelSide) forgetProgress() error {
	var task uint64
	var left []uint64
	for it := k.maps["progresses"].Iterate(); it.Next(&task, new(bpfProgress)); {
		left = append(left, task)
	}
	for _, task := range left {
		if err := k.maps["progresses"].Delete(task); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("removing what is known of the stages of earlier creations: %w", err)
		}
	}
	return nil
}
