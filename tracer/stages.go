// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
)

// What the cookie of a hook says beside a stage (bpf/stages.h).
const (
	cookieUnwind = 32 // a function on the way out of a failure
	cookieBegin  = 64 // copy_process itself
)

// stageHook is a function that tells of a stage.
type stageHook struct {
	symbol string
	cookie uint64
}

// stageHooks are copy_process and all functions of [decode.StageTable].
func stageHooks() []stageHook {
	all := []stageHook{{"copy_process", cookieBegin}}
	for s := range decode.StageMax {
		for _, symbol := range decode.StageTable[s].Markers {
			all = append(all, stageHook{symbol, uint64(s)})
		}
		for _, symbol := range decode.StageTable[s].Unwinds {
			all = append(all, stageHook{symbol, uint64(s) | cookieUnwind})
		}
	}
	return all
}

// stageLinks are the hooks that are there.
type stageLinks struct {
	closers
	markers, unwinds uint32 // stages that have one, bit by number
}

// errNothingHooked says that a kernel has all functions of the stages inlined, or none may be hooked.
var errNothingHooked = errors.New("no function inside copy_process can be hooked")

// add takes links in that hook these functions.
func (l *stageLinks) add(c io.Closer, hooks ...stageHook) {
	l.closers = append(l.closers, c)
	for _, h := range hooks {
		switch stage := h.cookie &^ cookieUnwind; {
		case h.cookie == cookieBegin:
		case h.cookie == stage:
			l.markers |= 1 << stage
		default:
			l.unwinds |= 1 << stage
		}
	}
}

// attachStagesAtOnce hooks the functions by their addresses: by names the kernel would
// search all that it has, for each.
func attachStagesAtOnce(p *ebpf.Program) (*stageLinks, error) {
	hooks := stageHooks()
	names := make([]string, len(hooks))
	for i := range hooks {
		names[i] = hooks[i].symbol
	}
	found, err := findSymbols(names)
	if err != nil {
		return nil, err
	}
	var o link.KprobeMultiOptions
	var there []stageHook
	for i, at := range found {
		if at == 0 { // inlined here, or of another version
			continue
		}
		there = append(there, hooks[i])
		o.Addresses, o.Cookies = append(o.Addresses, uintptr(at)), append(o.Cookies, hooks[i].cookie)
	}
	if !slices.ContainsFunc(there, func(h stageHook) bool { return h.cookie == cookieBegin }) {
		return nil, errNothingHooked
	}
	l, err := link.KprobeMulti(p, o)
	if err != nil {
		return nil, err
	}
	var all stageLinks
	all.add(l, there...)
	if all.markers == 0 {
		return nil, errors.Join(errNothingHooked, all.Close())
	}
	return &all, nil
}

// attachStagesEach hooks what it can of the functions one by one: many kernels have some of
// them inlined.
func attachStagesEach(p *ebpf.Program, one func(*ebpf.Program, stageHook) (link.Link, error)) (io.Closer, error) {
	var all stageLinks
	var errs []error
	for _, h := range stageHooks() {
		l, err := one(p, h)
		if err == nil {
			all.add(l, h)
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %w", h.symbol, err))
		if h.cookie == cookieBegin {
			break
		}
	}
	if all.markers == 0 {
		return nil, errors.Join(append(errs, all.Close())...)
	}
	return &all, nil
}

// The two ways to hook functions with cookies.
var (
	attachStagesMulti = attacher{first: mechanismMulti, prepare: forMulti, attach: func(p *ebpf.Program, _ string) (io.Closer, error) {
		if all, err := attachStagesAtOnce(p); err == nil {
			return all, nil
		}
		return attachStagesEach(p, func(p *ebpf.Program, h stageHook) (link.Link, error) {
			return link.KprobeMulti(p, link.KprobeMultiOptions{Symbols: []string{h.symbol}, Cookies: []uint64{h.cookie}})
		})
	}}

	attachStagesKprobe = attacher{first: mechanismKprobe, attach: func(p *ebpf.Program, _ string) (io.Closer, error) {
		return attachStagesEach(p, func(p *ebpf.Program, h stageHook) (link.Link, error) {
			return link.Kprobe(h.symbol, p, &link.KprobeOptions{Cookie: h.cookie})
		})
	}}
)

// StageCost is what the hooks of the stages took of the machine since they were attached,
// by the kernel's own measure: how often they ran, creations and other callers of the same
// functions together, and for how long. ok is false where there are none, or the kernel
// does not measure.
func (t *Tracer) StageCost() (runs uint64, took time.Duration, ok bool) {
	for i, a := range t.kernel.working() {
		if a.Need != NeedStages {
			continue
		}
		stats, err := t.kernel.programs[i].Stats()
		if err != nil || stats.RunCount == 0 {
			return 0, 0, false
		}
		return stats.RunCount, stats.Runtime, true
	}
	return 0, 0, false
}

// measureStages lets the kernel measure its programs, which costs each run two readings of
// the clock; a kernel that does not (before 5.8) leaves the cost unknown.
func (k *kernelSide) measureStages() {
	if stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME); err == nil {
		k.held = append(k.held, stats)
	}
}

// tellMarkers tells the programs which stages have hooks, if links of theirs are among these.
func (k *kernelSide) tellMarkers(links closers) error {
	for _, c := range links {
		l, ok := c.(*stageLinks)
		if !ok {
			continue
		}
		if err := errors.Join(k.variables["unwinds"].Set(l.unwinds), k.variables["markers"].Set(l.markers)); err != nil {
			return fmt.Errorf("setting the stages that have hooks: %w", err)
		}
	}
	return nil
}
