// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
)

// cookieUnwind marks a function on the way out of a failure (bpf/stages.h).
const cookieUnwind = 32

// stageLinks are the hooks on the functions of [decode.StageTable].
type stageLinks struct {
	closers
	markers, unwinds uint32 // stages that have one, bit by number
}

// attachStages hooks what it can of the functions that mark stages, each with a cookie that
// tells which: many kernels have some of them inlined.
func attachStages(one func(p *ebpf.Program, symbol string, cookie uint64) (link.Link, error)) func(*ebpf.Program, string) (io.Closer, error) {
	return func(p *ebpf.Program, _ string) (io.Closer, error) {
		var all stageLinks
		var errs []error
		for s := range decode.StageMax {
			info := &decode.StageTable[s]
			for _, set := range []struct {
				symbols []string
				cookie  uint64
				has     *uint32
			}{{info.Markers, uint64(s), &all.markers}, {info.Unwinds, uint64(s) | cookieUnwind, &all.unwinds}} {
				for _, symbol := range set.symbols {
					l, err := one(p, symbol, set.cookie)
					if err != nil {
						errs = append(errs, fmt.Errorf("%s: %w", symbol, err))
						continue
					}
					all.closers = append(all.closers, l)
					*set.has |= 1 << s
				}
			}
		}
		if all.markers == 0 {
			return nil, errors.Join(append(errs, all.Close())...)
		}
		return &all, nil
	}
}

// The two ways to hook functions with cookies.
var (
	attachStagesMulti = attacher{first: "kprobe.multi", prepare: forMulti,
		attach: attachStages(func(p *ebpf.Program, symbol string, cookie uint64) (link.Link, error) {
			return link.KprobeMulti(p, link.KprobeMultiOptions{Symbols: []string{symbol}, Cookies: []uint64{cookie}})
		})}

	attachStagesEach = attacher{first: "kprobe",
		attach: attachStages(func(p *ebpf.Program, symbol string, cookie uint64) (link.Link, error) {
			return link.Kprobe(symbol, p, &link.KprobeOptions{Cookie: cookie})
		})}
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

// armStages tells the programs which stages have hooks.
func (k *kernelSide) armStages() error {
	for _, l := range k.links {
		s, ok := l.(*stageLinks)
		if !ok {
			continue
		}
		if err := errors.Join(k.variables["markers"].Set(s.markers), k.variables["unwinds"].Set(s.unwinds)); err != nil {
			return fmt.Errorf("setting the stages that have hooks: %w", err)
		}
		k.measureStages()
	}
	return nil
}
