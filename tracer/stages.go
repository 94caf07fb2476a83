// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

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
	}
	return nil
}
