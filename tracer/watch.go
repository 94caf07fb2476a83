// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
)

// stageNeeds are what failures are explained by from inside copy_process.
var stageNeeds = []Need{NeedStages, NeedOver}

// failureWatch hooks the stages when creations fail, and takes the hooks, which every
// creation pays for, off when none has failed for a while. The reader must not wait for
// that: a goroutine does it.
type failureWatch struct {
	failed chan struct{} // room for one
	stop   chan struct{}
	ended  chan struct{}
}

// saw says that a creation has failed inside copy_process.
func (w *failureWatch) saw() {
	if w == nil {
		return
	}
	select {
	case w.failed <- struct{}{}:
	default:
	}
}

// end ends the watch, and with it the hooks.
func (w *failureWatch) end() {
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

// watchFailures begins to wait for failures.
func (k *kernelSide) watchFailures(o *Options) *failureWatch {
	w := &failureWatch{failed: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for w.next(nil) {
			hooks, err := k.hookStages(o)
			if err != nil { // most likely for good: to try again costs little where nothing can be hooked
				w.pause(o.quietTime())
				continue
			}
			for more := true; more; {
				timer := time.NewTimer(o.quietTime())
				more = w.next(timer.C)
				timer.Stop()
			}
			_ = k.unhookStages(hooks) // a hook that is left costs time and tells nothing
		}
	}()
	return w
}

// next waits for a failure; false says that the watch, or the time, ended before.
func (w *failureWatch) next(timeout <-chan time.Time) bool {
	select {
	case <-w.failed:
		return true
	case <-timeout:
	case <-w.stop:
	}
	return false
}

// pause lets time pass, or the watch end.
func (w *failureWatch) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.stop:
	}
}

// hookStages serves the needs of the stages beside a running trace.
func (k *kernelSide) hookStages(o *Options) (closers, error) {
	var all closers
	for _, need := range stageNeeds {
		s, err := k.serve(o, need)
		if err == nil && s.Hook == nil && need == NeedStages {
			err = fmt.Errorf("%s: %w", need, errNothingHooked)
		}
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		if s.Hook != nil {
			all = append(all, s.link, s.program)
		}
	}
	if err := errors.Join(k.forgetProgress(), k.tellMarkers(all)); err != nil {
		return nil, errors.Join(err, all.Close())
	}
	return all, nil
}

// unhookStages takes the hooks off. No program may take creations that are under way for
// ones that were seen from their beginning.
func (k *kernelSide) unhookStages(hooks closers) error {
	return errors.Join(k.variables["markers"].Set(uint32(0)), hooks.Close())
}

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
