// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// A kernel that preempts tasks inside itself does so in the program on a trampoline, and
// from 7.0 on also in the one on a BTF tracepoint (include/linux/tracepoint.h: SRCU in the
// place of disabled preemption). It does not run a program for a second task on that CPU
// meanwhile (kernel/bpf/trampoline.c, kernel/trace/bpf_trace.c: prog->active). Programs on
// kprobes and classic tracepoints run with preemption disabled. Which it is here tells the
// preemption count, read inside a BTF tracepoint that nothing else disables preemption
// for: vm_unmapped_area, which every mmap passes.

// Why a hook is not the first to be tried. Where it could not be told, what is missed is
// still counted.
var (
	errPreempted    = errors.New("its program can be preempted here, and is then not run for another creation")
	errNotPreempted = errors.New("not needed: programs on BTF tracepoints are not preempted here")
)

// ratherProbes prefers kprobes to trampolines where these are preempted.
func (k *kernelSide) ratherProbes() error {
	if preempted, err := k.preempted(); err == nil && preempted {
		return errPreempted
	}
	return nil
}

// ratherTracing prefers the cheaper BTF tracepoint where it misses nothing.
func (k *kernelSide) ratherTracing() error {
	preempted, err := k.preempted()
	if err != nil {
		return fmt.Errorf("could not tell whether programs on BTF tracepoints are preempted: %w", err)
	}
	if !preempted {
		return errNotPreempted
	}
	return nil
}

func tracepointsPreemptible(kernel *btf.Spec) (bool, error) {
	code, err := readPreemptCounts(kernel)
	if err != nil {
		return false, err
	}
	result, err := ebpf.NewMap(&ebpf.MapSpec{Name: "preempt_count", Type: ebpf.Array, KeySize: 4, ValueSize: 12, MaxEntries: 1})
	if err != nil {
		return false, fmt.Errorf("creating a map: %w", err)
	}
	defer result.Close()
	p, err := loadProgram(&ebpf.ProgramSpec{
		Name: "preempt_count", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "vm_unmapped_area",
		License: "Dual BSD/GPL",
		Instructions: append(code,
			asm.LoadMapValue(asm.R1, result.FD(), 0),
			asm.StoreMem(asm.R1, 0, asm.R6, asm.Word),
			asm.StoreMem(asm.R1, 4, asm.R7, asm.Word),
			asm.StoreImm(asm.R1, 8, 1, asm.Word),
			asm.Mov.Imm(asm.R0, 0),
			asm.Return(),
		),
	})
	if err != nil {
		return false, fmt.Errorf("loading a program that reads the preemption count: %w", err)
	}
	defer p.Close()
	return runPreemptCount(p, result)
}

// preemptCounts is what the program leaves behind: the count as it found it, and with
// preemption disabled once more.
type preemptCounts struct{ Found, Disabled, Ran uint32 }

func runPreemptCount(p *ebpf.Program, result *ebpf.Map) (bool, error) {
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		return false, fmt.Errorf("attaching to vm_unmapped_area: %w", err)
	}
	page, mmapErr := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err := errors.Join(mmapErr, l.Close()); err != nil {
		return false, fmt.Errorf("passing vm_unmapped_area: %w", err)
	}
	if err := unix.Munmap(page); err != nil {
		return false, fmt.Errorf("unmapping a page: %w", err)
	}
	var seen preemptCounts
	if err := result.Lookup(uint32(0), &seen); err != nil {
		return false, fmt.Errorf("reading the preemption count: %w", err)
	}
	if seen.Ran == 0 {
		return false, errors.New("vm_unmapped_area was not passed")
	}
	const preemptMask = 0xff // include/linux/preempt.h: PREEMPT_MASK
	// without CONFIG_PREEMPT_COUNT it is always 0, and the kernel is not preempted
	return seen.Found&preemptMask == 0 && seen.Disabled&preemptMask != 0, nil
}

// readPreemptCounts is code that leaves the preemption count in R6, and in R7 what it
// becomes when a program disables preemption.
func readPreemptCounts(kernel *btf.Spec) (asm.Instructions, error) {
	read, err := readPreemptCount(kernel)
	if err != nil {
		return nil, err
	}
	code := slices.Concat(read, asm.Instructions{asm.Mov.Reg(asm.R6, asm.R0)})
	for _, step := range []struct {
		kfunc string // kernel/bpf/helpers.c, 6.10
		read  bool
	}{{"bpf_preempt_disable", true}, {"bpf_preempt_enable", false}} {
		call, err := callKfunc(kernel, step.kfunc)
		if err != nil {
			return nil, err
		}
		code = append(code, call)
		if step.read {
			code = append(append(code, read...), asm.Mov.Reg(asm.R7, asm.R0))
		}
	}
	return code, nil
}

func callKfunc(kernel *btf.Spec, name string) (asm.Instruction, error) {
	var fn *btf.Func
	if err := kernel.TypeByName(name, &fn); err != nil {
		return asm.Instruction{}, fmt.Errorf("looking up %s: %w", name, err)
	}
	id, err := kernel.TypeID(fn)
	if err != nil {
		return asm.Instruction{}, fmt.Errorf("looking up %s: %w", name, err)
	}
	return asm.Instruction{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoKfuncCall, Constant: int64(id)}, nil
}

// readPreemptCount is code that leaves the preemption count in R0. It is made here
// because the loader cannot link C code to a per-CPU variable of the kernel.
func readPreemptCount(kernel *btf.Spec) (asm.Instructions, error) {
	if runtime.GOARCH == "amd64" { // arch/x86/kernel/cpu/common.c
		return readPerCPU(kernel, "__preempt_count")
	}
	// arch/arm64/include/asm/thread_info.h
	offset, err := memberOffset(kernel, "task_struct", "thread_info", "preempt_count")
	if err != nil {
		return nil, err
	}
	return asm.Instructions{
		asm.FnGetCurrentTaskBtf.Call(),
		asm.LoadMem(asm.R0, asm.R0, offset, asm.DWord),
	}, nil
}

func readPerCPU(kernel *btf.Spec, name string) (asm.Instructions, error) {
	const pseudoBTFID = asm.R3 // BPF_PSEUDO_BTF_ID
	var v *btf.Var
	if err := kernel.TypeByName(name, &v); err != nil {
		return nil, fmt.Errorf("looking up %s: %w", name, err)
	}
	id, err := kernel.TypeID(v)
	if err != nil {
		return nil, fmt.Errorf("looking up %s: %w", name, err)
	}
	address := asm.LoadImm(asm.R1, int64(id), asm.DWord)
	address.Src = pseudoBTFID
	return asm.Instructions{address, asm.FnThisCpuPtr.Call(), asm.LoadMem(asm.R0, asm.R0, 0, asm.Word)}, nil
}

// memberOffset finds a member of a member of a struct, also inside anonymous ones, in bytes.
func memberOffset(kernel *btf.Spec, of string, path ...string) (int16, error) {
	var s *btf.Struct
	if err := kernel.TypeByName(of, &s); err != nil {
		return 0, fmt.Errorf("looking up %s: %w", of, err)
	}
	at, t := btf.Bits(0), btf.Type(s)
	for _, name := range path {
		m, offset := findMember(t, name)
		if m == nil {
			return 0, fmt.Errorf("looking up %s in %s: no such member", name, of)
		}
		at, t = at+offset, btf.UnderlyingType(m.Type)
	}
	return int16(at.Bytes()), nil
}

func findMember(t btf.Type, name string) (*btf.Member, btf.Bits) {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for i := range members {
		m := &members[i]
		if m.Name == name {
			return m, m.Offset
		}
		if m.Name != "" {
			continue
		}
		if found, offset := findMember(m.Type, name); found != nil {
			return found, m.Offset + offset
		}
	}
	return nil, 0
}
