// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/tracer"
)

// The loops under which programs are measured; the bound is for the one that stays in the
// processor's caches.
var kernelLoads = []struct {
	what   string
	rounds int
	bound  float64
}{{"clone", 40000, 500}, {"fork", 2000, 0}}

// kernelCost measures what a success costs in the kernel, by the kernel's own clock
// (BPF_ENABLE_STATS), for the record that text needs and the one that JSON needs; and in turn
// with them what no tracer can do without: a program that does nothing, and one that hands
// over a record of the same size with nothing in it.
func (b *bench) kernelCost() error {
	variants := []struct {
		name    string
		bounded bool
		measure func(what string, rounds int) (float64, error)
	}{
		{"a program that does nothing", false, b.emptyCost},
		{"a record of zeros", false, b.zerosCost},
		{"record for text", true, func(what string, rounds int) (float64, error) {
			return b.programCost(tracer.Options{}, what, rounds)
		}},
		{"record for JSON", true, func(what string, rounds int) (float64, error) {
			return b.programCost(tracer.Options{Details: true}, what, rounds)
		}},
	}
	for _, load := range kernelLoads {
		costs := make([][]float64, len(variants))
		for range b.rounds {
			for i, v := range variants {
				ns, err := v.measure(load.what, load.rounds)
				if err != nil {
					return fmt.Errorf("%s: %w", v.name, err)
				}
				costs[i] = append(costs[i], ns)
			}
		}
		for i, v := range variants {
			bound := 0.0
			if v.bounded {
				bound = load.bound
			}
			b.add(fmt.Sprintf("in the kernel per success, %s, %s loop", v.name, load.what), median(costs[i]), "ns", bound)
		}
	}
	return nil
}

type discard struct{}

func (discard) Creation(*decode.Record) error { return nil }
func (discard) Resumed(*decode.Resumed) error { return nil }
func (discard) Lost(uint32, uint64) error     { return nil }
func (discard) Idle() (bool, error)           { return true, nil }

// programCost runs a load under a tracer of our own and returns the mean time of its
// task_newtask program.
func (b *bench) programCost(o tracer.Options, what string, rounds int) (float64, error) {
	tr, err := tracer.New(o)
	if err != nil {
		return 0, err
	}
	defer tr.Close()
	prog, err := newestProgram("task_newtask")
	if err != nil {
		return 0, err
	}
	defer prog.Close()

	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tr.Read(ctx, discard{}) }()
	ns, err := b.meanCost(prog, what, rounds)
	cancel()
	return ns, errors.Join(err, <-done)
}

// meanCost runs a load and returns the mean time of an attached program.
func (b *bench) meanCost(prog *ebpf.Program, what string, rounds int) (float64, error) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return 0, fmt.Errorf("enabling BPF statistics: %w", err)
	}
	defer stats.Close()
	if _, err := b.loop(what, rounds); err != nil {
		return 0, err
	}
	s, err := prog.Stats()
	if err != nil {
		return 0, fmt.Errorf("reading BPF statistics: %w", err)
	}
	if s.RunCount == 0 {
		return 0, errors.New("the program never ran")
	}
	return float64(s.Runtime.Nanoseconds()) / float64(s.RunCount), nil
}

// newestProgram finds the program loaded last under a name.
func newestProgram(name string) (*ebpf.Program, error) {
	var newest *ebpf.Program
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if err != nil {
			break
		}
		id = next
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // it has just gone
		}
		if info, err := p.Info(); err != nil || info.Name != name {
			p.Close()
			continue
		}
		if newest != nil {
			newest.Close()
		}
		newest = p
	}
	if newest == nil {
		return nil, fmt.Errorf("finding the loaded program %s", name)
	}
	return newest, nil
}
