// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// attacher is a way to attach a program.
type attacher struct {
	// prepare changes the program before it is loaded; may be nil.
	prepare func(spec *ebpf.ProgramSpec, symbol string)
	attach  func(p *ebpf.Program, symbol string) (io.Closer, error)
}

// The ways. Only attaching shows that a hook works: some load and never attach.
var (
	attachBTF = attacher{attach: attachTracing}

	attachTrampoline = attacher{
		prepare: func(spec *ebpf.ProgramSpec, symbol string) { spec.AttachTo = symbol },
		attach:  attachTracing,
	}

	attachKprobe = attacher{attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.Kprobe(symbol, p, nil)
	}}

	attachKretprobe = attacher{attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.Kretprobe(symbol, p, nil)
	}}

	attachKprobeMulti = attacher{prepare: forMulti, attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.KprobeMulti(p, link.KprobeMultiOptions{Symbols: []string{symbol}})
	}}

	attachKretprobeMulti = attacher{prepare: forMulti, attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.KretprobeMulti(p, link.KprobeMultiOptions{Symbols: []string{symbol}})
	}}

	attachSyscallExits = attacher{attach: attachSyscallExitTracepoints}
)

func forMulti(spec *ebpf.ProgramSpec, _ string) { spec.AttachType = ebpf.AttachTraceKprobeMulti }

func attachTracing(p *ebpf.Program, _ string) (io.Closer, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}

// syscallExits are the tracepoints of the four system calls; arm64 has no fork and vfork.
var syscallExits = []struct {
	name     string
	optional bool
}{
	{"sys_exit_clone", false}, {"sys_exit_clone3", false}, {"sys_exit_fork", true}, {"sys_exit_vfork", true},
}

func attachSyscallExitTracepoints(p *ebpf.Program, _ string) (io.Closer, error) {
	root, err := openTracefs()
	if err != nil {
		return nil, err
	}
	defer root.Close()

	var all closers
	for _, tp := range syscallExits {
		id, err := tracepointID(root, "syscalls", tp.name)
		if err != nil && tp.optional {
			continue
		}
		if err != nil {
			return nil, errors.Join(err, all.Close())
		}
		c, err := attachTracepoint(id, p.FD())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attaching to syscalls:%s: %w", tp.name, err), all.Close())
		}
		all = append(all, c)
	}
	return all, nil
}

// closers closes all that it holds and joins their errors. It does so at once, as for
// some the kernel waits until no processor can be inside any more.
type closers []io.Closer

func (c closers) Close() error {
	errs := make([]error, len(c))
	var wg sync.WaitGroup
	for i, x := range c {
		wg.Go(func() { errs[i] = x.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// missed is how often the kernel did not run a program although its hook was hit: kprobes
// when they hit one another or a bpf(2) call was under way on their CPU, kretprobes when
// too many calls were under way, any program when it interrupted itself. What a kernel
// does not tell (links before 6.7, programs before 5.12) counts as none.
func (k *kernelSide) missed() (n uint64) {
	for _, p := range k.programs {
		if stats, err := p.Stats(); err == nil {
			n += stats.RecursionMisses
		}
	}
	for _, c := range k.links {
		l, ok := c.(link.Link)
		if !ok {
			continue
		}
		info, err := l.Info()
		if err != nil {
			continue
		}
		if multi := info.KprobeMulti(); multi != nil {
			n += multi.Missed
		}
		if perf := info.PerfEvent(); perf != nil && perf.Kprobe() != nil {
			n += perf.Kprobe().Missed
		}
	}
	return n
}
