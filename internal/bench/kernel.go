// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/tracer"
)

// kernelCost measures what a success costs in the kernel, by the kernel's own clock
// (BPF_ENABLE_STATS), for the record that text needs and the one that JSON needs.
func (b *bench) kernelCost() error {
	for _, variant := range []struct {
		name    string
		options tracer.Options
	}{
		{"text", tracer.Options{}},
		{"JSON", tracer.Options{Details: true}},
	} {
		for _, load := range []struct {
			what   string
			rounds int
		}{{"clone", 40000}, {"fork", 2000}} {
			var costs []float64
			for range b.rounds {
				ns, err := b.programCost(variant.options, load.what, load.rounds)
				if err != nil {
					return err
				}
				costs = append(costs, ns)
			}
			bound := 0.0
			if load.what == "clone" {
				bound = 500
			}
			b.add(fmt.Sprintf("in the kernel per success, record for %s, %s loop", variant.name, load.what), median(costs), "ns", bound)
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
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return 0, fmt.Errorf("enabling BPF statistics: %w", err)
	}
	defer stats.Close()
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
	_, err = b.loop(what, rounds)
	s, statErr := prog.Stats()
	cancel()
	if readErr := <-done; readErr != nil {
		return 0, readErr
	}
	if err != nil || statErr != nil {
		return 0, fmt.Errorf("running the load: %w %w", err, statErr)
	}
	if s.RunCount == 0 {
		return math.NaN(), fmt.Errorf("task_newtask never ran")
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
