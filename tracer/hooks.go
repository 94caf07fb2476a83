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

// Need is something that a trace wants to know.
type Need string

// The needs. Each is served by the first hook of the table that attaches.
const (
	NeedCreated Need = "successes"
	NeedFailed  Need = "failures"
	NeedExited  Need = "ends of followed processes"
)

// Hook is one row of the table of attach points.
type Hook struct {
	Name    string // as the kernel calls it
	Need    Need
	Program string // in bpf/forktrace.bpf.c
	Gives   string
	Lacks   string // blind spots, in words
	Cost    string // who pays for it
	attach  func(*ebpf.Program) (io.Closer, error)
}

// Hooks is the table of attach points: for each need in order of preference.
var Hooks = []Hook{
	{
		Name: "tp_btf/task_newtask", Need: NeedCreated, Program: "task_newtask",
		Gives: "every success, from every creator, with the observation of the child before it runs",
		Lacks: "duration of copy_process; the arguments of clone3 are read a second time from user memory",
		Cost:  "each creation, well below a microsecond",

		attach: attachBTF,
	},
	{
		Name: "syscalls:sys_exit_{clone,clone3,fork,vfork}", Need: NeedFailed, Program: "syscalls_sys_exit",
		Gives: "every failing system call of the four with its errno",
		Lacks: "failures of kernel threads, io workers and 32-bit programs; duration; the layer that refused",
		Cost:  "some 30 ns for every system call of the machine",

		attach: attachSyscallExits,
	},
	{
		Name: "tp_btf/sys_exit", Need: NeedFailed, Program: "sys_exit",
		Gives: "every failing system call of the four with its errno, those of 32-bit programs too",
		Lacks: "failures of kernel threads and io workers; duration; the layer that refused",
		Cost:  "some 70 ns for every system call of the machine",

		attach: attachBTF,
	},
	{
		Name: "tp_btf/sched_process_exit", Need: NeedExited, Program: "sched_process_exit",
		Gives: "when a followed process ends, so that its number can be reused by another",
		Cost:  "each exit of a task, some tens of nanoseconds",

		attach: attachBTF,
	},
}

// syscallExits are the tracepoints of the second row; arm64 has no fork and vfork.
var syscallExits = []struct {
	name     string
	optional bool
}{
	{"sys_exit_clone", false}, {"sys_exit_clone3", false}, {"sys_exit_fork", true}, {"sys_exit_vfork", true},
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

func attachBTF(p *ebpf.Program) (io.Closer, error) {
	return link.AttachTracing(link.TracingOptions{Program: p})
}

func attachSyscallExits(p *ebpf.Program) (io.Closer, error) {
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
