// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// attacher is a way to attach a program.
type attacher struct {
	// prepare changes the program before it is loaded; may be nil.
	prepare func(spec *ebpf.ProgramSpec, symbol string)
	// first, where it is set, names the mechanism, which is tried once with a program that
	// does nothing: loading a real one takes a tenth of a second.
	first  string
	attach func(p *ebpf.Program, symbol string) (io.Closer, error)
}

// The ways. Only attaching shows that a hook works: some load and never attach.
var (
	attachBTF = attacher{attach: attachTracing}

	attachTrampoline = attacher{
		prepare: func(spec *ebpf.ProgramSpec, symbol string) { spec.AttachTo = symbol },
		attach:  attachTracing,
	}

	attachKprobe = attacher{first: mechanismKprobe, attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.Kprobe(symbol, p, nil)
	}}

	attachKretprobe = attacher{first: mechanismKprobe, attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.Kretprobe(symbol, p, nil)
	}}

	attachKprobeMulti = attacher{first: mechanismMulti, prepare: forMulti, attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.KprobeMulti(p, multiOptions(symbol))
	}}

	attachKretprobeMulti = attacher{first: mechanismMulti, prepare: forMulti, attach: func(p *ebpf.Program, symbol string) (io.Closer, error) {
		return link.KretprobeMulti(p, multiOptions(symbol))
	}}

	attachNewtask   = classic("task", "task_newtask")
	attachSchedExit = classic("sched", "sched_process_exit")
	attachSchedExec = classic("sched", "sched_process_exec")

	attachIterator = attacher{attach: func(p *ebpf.Program, _ string) (io.Closer, error) {
		return link.AttachIter(link.IterOptions{Program: p})
	}}

	attachSyscallExits = attacher{attach: attachSyscallExitTracepoints}
)

// classic attaches to a tracepoint of tracefs.
func classic(group, name string) attacher {
	return attacher{attach: func(p *ebpf.Program, _ string) (io.Closer, error) {
		root, err := openTracefs()
		if err != nil {
			return nil, err
		}
		defer root.Close()
		id, err := tracepointID(root, group, name)
		if err != nil {
			return nil, err
		}
		return attachTracepoint(id, p.FD())
	}}
}

// mechanismSymbol is a function that every kernel has, on which mechanisms are tried.
const mechanismSymbol = "copy_process"

// tryMechanism attaches a program that does nothing, in the way of the hook.
func tryMechanism(h *Hook) error {
	multi := h.attach.first == mechanismMulti
	if !multi {
		if err := haveKprobes(); err != nil {
			return err
		}
	}
	spec := &ebpf.ProgramSpec{
		Name: "forktrace_probe", Type: ebpf.Kprobe, License: "Dual BSD/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	}
	if h.attach.prepare != nil {
		h.attach.prepare(spec, mechanismSymbol)
	}
	p, err := loadProgram(spec)
	if err != nil {
		return fmt.Errorf("loading a program for %s: %w", h.attach.first, plain(err))
	}
	defer p.Close()
	attach := func() (link.Link, error) { return link.Kprobe(mechanismSymbol, p, nil) }
	if multi {
		attach = func() (link.Link, error) { return link.KprobeMulti(p, multiOptions(mechanismSymbol)) }
	}
	l, err := attach()
	if err != nil {
		return fmt.Errorf("attaching by %s: %w", h.attach.first, plain(err))
	}
	return l.Close()
}

// What attacher.first calls the ways to make kprobes: one by one, and many at once.
const (
	mechanismKprobe = "kprobe"
	mechanismMulti  = "kprobe.multi"
)

// errNoKprobes says that a kernel was built without them.
var errNoKprobes = fmt.Errorf("this kernel has no kprobes (CONFIG_KPROBE_EVENTS): %w", ebpf.ErrNotSupported)

// haveKprobes looks for both of the ways to make one: the PMU (4.17) and the file in tracefs.
// Without either the library complains of a mount that is missing, whatever the cause.
func haveKprobes() error {
	if _, err := os.Stat("/sys/bus/event_source/devices/kprobe/type"); err == nil {
		return nil
	}
	root, err := openTracefs()
	if err != nil {
		return fmt.Errorf("looking for kprobes: %w", err)
	}
	defer root.Close()
	_, err = root.Stat("kprobe_events")
	if errors.Is(err, fs.ErrNotExist) {
		return errNoKprobes
	}
	if err != nil {
		return fmt.Errorf("looking for kprobes: %w", err)
	}
	return nil
}

// multiOptions gives the one function a cookie that nobody uses: without cookies Linux 6.18
// (and perhaps its neighbours; kernel/trace/bpf_trace.c: bpf_kprobe_multi_show_fdinfo)
// follows a NULL pointer when anyone reads /proc/PID/fdinfo of the link, and panics.
func multiOptions(symbol string) link.KprobeMultiOptions {
	return link.KprobeMultiOptions{Symbols: []string{symbol}, Cookies: []uint64{0}}
}

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

// missed is how many outcomes were not seen because the kernel did not run a program
// although its hook was hit: kretprobes when too many calls were under way, kprobes when
// they hit one another, any program when it interrupted itself. What passes copy_process
// is found by what its entry left behind; for the other hooks, and without one on the
// entry, the kernel is asked (links from 6.7 on, programs from 5.12).
func (k *kernelSide) missed() uint64 {
	n, hasEntry := uint64(0), false
	for i, a := range k.working() {
		hasEntry = hasEntry || a.Need == NeedRequest
		if a.Hook.Symbol != "copy_process" && !isStageNeed(a.Need) {
			n += missedBy(k.links[i], k.programs[i])
		}
	}
	if hasEntry {
		return n + k.leftBehind()
	}
	for i, a := range k.working() {
		if a.Hook.Symbol == "copy_process" && a.Need != NeedStages {
			n += missedBy(k.links[i], k.programs[i])
		}
	}
	return n
}

// working are the needs that a hook serves, in the order of links and programs.
func (k *kernelSide) working() []Attached {
	return slices.DeleteFunc(slices.Clone(k.attached), func(a Attached) bool { return a.Hook == nil })
}

// longestCreation is how long a creation may be inside copy_process before its return
// counts as missed.
const longestCreation = time.Second

// leftBehind counts the entries of copy_process whose return nobody saw.
func (k *kernelSide) leftBehind() (n uint64) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	var task uint64
	var in bpfInflight
	for it := k.maps["inflights"].Iterate(); it.Next(&task, &in); {
		if time.Duration(uint64(now.Nano())-in.Start) > longestCreation {
			n++
		}
	}
	return n
}

// missedBy asks the kernel what one hook missed.
func missedBy(c io.Closer, p *ebpf.Program) (n uint64) {
	if stats, err := p.Stats(); err == nil {
		n += stats.RecursionMisses
	}
	l, ok := c.(link.Link)
	if !ok {
		return n
	}
	info, err := l.Info()
	if err != nil {
		return n
	}
	if multi := info.KprobeMulti(); multi != nil {
		n += multi.Missed
	}
	if perf := info.PerfEvent(); perf != nil && perf.Kprobe() != nil {
		n += perf.Kprobe().Missed
	}
	return n
}
