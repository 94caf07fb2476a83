// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// limitsAt are the addresses of limits of the whole machine, for reading them at a failure;
// 0 is not known.
type limitsAt struct {
	NrThreads  uint64 // the kernel's count of tasks (kernel/fork.c)
	MaxThreads uint64 // the sysctl kernel.threads-max
	PidMax     uint64 // the sysctl kernel.pid_max, up to 6.13 (kernel/pid.c)
	Committed  uint64 // the count of promised pages, a struct percpu_counter (mm/util.c)
	Overcommit uint64 // the sysctl vm.overcommit_memory
	Kbytes     uint64 // the sysctl vm.overcommit_kbytes
	Ratio      uint64 // the sysctl vm.overcommit_ratio
	TotalRAM   uint64 // the count of pages of memory (mm/page_alloc.c; mm/show_mem.c)
	TotalSwap  uint64 // the count of pages of swap (mm/swapfile.c)
	Hstates    uint64 // the pools of huge pages, an array of struct hstate (mm/hugetlb.c)
	HstatesMax uint64 // how many of them there are
	NrOpen     uint64 // the sysctl fs.nr_open (fs/file.c)
}

// findLimits looks them up. Without CONFIG_KALLSYMS_ALL there are no such names: then, and
// after an error, limits are read from /proc later.
func findLimits() (limitsAt, error) {
	var at limitsAt
	symbols := []struct {
		name string
		at   *uint64
	}{
		{"nr_threads", &at.NrThreads}, {"max_threads", &at.MaxThreads}, {"pid_max", &at.PidMax},
		{"vm_committed_as", &at.Committed}, {"sysctl_overcommit_memory", &at.Overcommit},
		{"sysctl_overcommit_kbytes", &at.Kbytes}, {"sysctl_overcommit_ratio", &at.Ratio},
		{"_totalram_pages", &at.TotalRAM}, {"total_swap_pages", &at.TotalSwap},
		{"hstates", &at.Hstates}, {"hugetlb_max_hstate", &at.HstatesMax}, {"sysctl_nr_open", &at.NrOpen},
	}
	names := make([]string, len(symbols))
	for i := range symbols {
		names[i] = symbols[i].name
	}
	found, err := findSymbols(names)
	if err != nil {
		return limitsAt{}, err
	}
	for i := range symbols {
		*symbols[i].at = found[i]
	}
	return at, nil
}

// symbolSize is room for a name, in bytes.
const symbolSize = 32

// findSymbols asks the kernel for addresses, in a program, as it takes a tenth of a second
// to write down /proc/kallsyms; 0 is a name that it does not know. Kernels before 5.16 have
// no such call, and it may be kept from whoever may not see addresses (kernel.kptr_restrict).
func findSymbols(names []string) ([]uint64, error) {
	at := make([]uint64, len(names))
	code := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	for i, name := range names {
		code = append(code, lookUp(name, int16(8*i))...)
	}
	p, err := loadProgram(&ebpf.ProgramSpec{
		Name: "symbols_at", Type: ebpf.Syscall, Flags: unix.BPF_F_SLEEPABLE, License: "Dual BSD/GPL",
		Instructions: append(code, asm.Mov.Imm(asm.R0, 0), asm.Return()),
	})
	if err != nil {
		return nil, fmt.Errorf("loading a program that looks up kernel symbols: %w", err)
	}
	defer p.Close()
	if _, err := p.Run(&ebpf.RunOptions{Context: at, ContextOut: at}); err != nil {
		return nil, fmt.Errorf("looking up kernel symbols: %w", err)
	}
	return at, nil
}

// lookUp is code that puts the address of a symbol into the program's context, which is in
// R6; it leaves 0 where there is none.
func lookUp(symbol string, to int16) asm.Instructions {
	const nameAt, addressAt = -symbolSize, -symbolSize - 8 // on the stack
	var name [symbolSize]byte
	copy(name[:symbolSize-1], symbol)
	var code asm.Instructions
	for i := 0; i < symbolSize; i += 4 {
		code = append(code, asm.StoreImm(asm.R10, int16(nameAt+i), int64(int32(binary.NativeEndian.Uint32(name[i:]))), asm.Word))
	}
	return append(code,
		asm.Mov.Imm(asm.R1, 0),
		asm.StoreMem(asm.R10, addressAt, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R10),
		asm.Add.Imm(asm.R1, nameAt),
		asm.Mov.Imm(asm.R2, symbolSize),
		asm.Mov.Imm(asm.R3, 0),
		asm.Mov.Reg(asm.R4, asm.R10),
		asm.Add.Imm(asm.R4, addressAt),
		asm.FnKallsymsLookupName.Call(),
		asm.LoadMem(asm.R1, asm.R10, addressAt, asm.DWord),
		asm.StoreMem(asm.R6, to, asm.R1, asm.DWord),
	)
}
