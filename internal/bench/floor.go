// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/forktrace/forktrace/decode"
)

// emptyCost is what the kernel's measure itself takes, and calling a program.
func (b *bench) emptyCost(what string, rounds int) (float64, error) {
	return b.floorCost(asm.Instructions{}, what, rounds)
}

// unreadSize is a ring buffer in bytes that has room for all records of a round: nobody
// reads these.
const unreadSize = 16 << 20

// zerosCost is what handing over a record takes, as forktrace does it: without waking a reader.
func (b *bench) zerosCost(what string, rounds int) (float64, error) {
	const noWakeup = 1 // BPF_RB_NO_WAKEUP, include/uapi/linux/bpf.h
	ring, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: unreadSize})
	if err != nil {
		return 0, fmt.Errorf("creating a ring buffer: %w", err)
	}
	defer ring.Close()
	code := asm.Instructions{
		asm.LoadMapPtr(asm.R1, ring.FD()),
		asm.Mov.Imm(asm.R2, decode.ShortSize),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnRingbufReserve.Call(),
		asm.JEq.Imm(asm.R0, 0, "full"),
		asm.Mov.Imm(asm.R1, 0),
	}
	for at := range int16(decode.ShortSize / 8) {
		code = append(code, asm.StoreMem(asm.R0, 8*at, asm.R1, asm.DWord))
	}
	return b.floorCost(append(code,
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.Mov.Imm(asm.R2, noWakeup),
		asm.FnRingbufSubmit.Call(),
	), what, rounds)
}

// floorCost attaches code where successes are seen, and measures it.
func (b *bench) floorCost(code asm.Instructions, what string, rounds int) (float64, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "floor", Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "task_newtask", License: "GPL",
		Instructions: append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol("full"), asm.Return()),
	})
	if err != nil {
		return 0, fmt.Errorf("loading a program: %w", err)
	}
	defer prog.Close()
	l, err := link.AttachTracing(link.TracingOptions{Program: prog})
	if err != nil {
		return 0, fmt.Errorf("attaching a program: %w", err)
	}
	defer l.Close()
	return b.meanCost(prog, what, rounds)
}
