// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/tracer"
)

// Bounds of what top may cost.
const (
	censusBound = 1000 // ns in the kernel per creation: at its creation and at its end
	topMemory   = 40   // MB
	topShare    = 0.10 // of a processor at topRate
	topRate     = 50_000.0
)

// censusCost measures what counting costs: per event in the kernel, and what top needs
// beside a load at full speed.
func (b *bench) censusCost() error {
	for what, rounds := range map[string]int{"clone": 40000, "fork": 2000} {
		var created, ended []float64
		for range b.rounds {
			c, e, err := b.censusPrograms(what, rounds)
			if err != nil {
				return err
			}
			created, ended = append(created, c), append(ended, e)
		}
		bound := 0.0
		if what == "clone" {
			bound = censusBound
		}
		b.add("counted in the kernel, per creation and its end, "+what+" loop", median(created)+median(ended), "ns", bound)
		b.add("counted in the kernel, per end alone, "+what+" loop", median(ended), "ns", 0)
	}
	return b.topCost()
}

// censusPrograms returns the mean times of the programs for creations and for ends.
func (b *bench) censusPrograms(what string, rounds int) (created, ended float64, err error) {
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return 0, 0, fmt.Errorf("enabling BPF statistics: %w", err)
	}
	defer stats.Close()
	c, err := tracer.NewCensus(tracer.CensusOptions{})
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	var programs []*ebpf.Program
	for _, name := range []string{"task_newtask", "census_exit"} {
		p, err := newestProgram(name)
		if err != nil {
			return 0, 0, err
		}
		defer p.Close()
		programs = append(programs, p)
	}
	if _, err := b.loop(what, rounds); err != nil {
		return 0, 0, err
	}
	var means [2]float64
	for i, p := range programs {
		s, err := p.Stats()
		if err != nil || s.RunCount == 0 {
			return 0, 0, fmt.Errorf("reading the statistics of %v: it ran %d times: %w", p, s.RunCount, err)
		}
		means[i] = float64(s.Runtime.Nanoseconds()) / float64(s.RunCount)
	}
	return means[0], means[1], nil
}

// topCost measures top beside a load at full speed. What it needs of a processor is
// stretched to topRate, as far as it depends on the rate: which is more than it needs.
func (b *bench) topCost() error {
	dir, err := os.MkdirTemp("", "forktrace-bench-")
	if err != nil {
		return fmt.Errorf("making a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	bg, err := startTool(filepath.Join(dir, "top"), []string{b.forktrace, "top", "-b", "10000"})
	if err != nil {
		return err
	}
	time.Sleep(2 * time.Second) // it attaches
	pid := bg.cmd.Process.Pid
	forks, cpu, err := readCosts(pid)
	if err != nil {
		return err
	}
	start := time.Now()
	if _, err := b.loop("clone", 1_000_000); err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	forksAfter, cpuAfter, err := readCosts(pid)
	if err != nil {
		return err
	}
	peak, err := statusKB(pid, "VmHWM")
	if err != nil {
		return err
	}
	rate, share := (forksAfter-forks)/seconds, (cpuAfter-cpu)/seconds
	b.add("creations a second beside top, one processor", rate, "/s", 0)
	b.add("of a processor, by top at that rate", share, "", 0)
	b.add(fmt.Sprintf("of a processor, by top at %.0f creations/s", topRate), share*max(1, topRate/rate), "", topShare)
	b.add("memory of top at its peak (VmHWM)", peak/1024, "MB", topMemory)
	return bg.stop()
}

// readCosts reads how many tasks have been made, and the seconds of processor time that a
// process has used: fields 14 and 15 of /proc/PID/stat, in hundredths.
func readCosts(pid int) (forks, seconds float64, err error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, fmt.Errorf("reading the number of creations: %w", err)
	}
	_, rest, _ := strings.Cut(string(stat), "\nprocesses ")
	if _, err := fmt.Sscan(rest, &forks); err != nil {
		return 0, 0, fmt.Errorf("reading the number of creations: %w", err)
	}
	stat, err = os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading what top has used: %w", err)
	}
	_, rest, _ = strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	var user, system float64
	if _, err := fmt.Sscan(f[11], &user); err != nil {
		return 0, 0, fmt.Errorf("reading what top has used: %w", err)
	}
	if _, err := fmt.Sscan(f[12], &system); err != nil {
		return 0, 0, fmt.Errorf("reading what top has used: %w", err)
	}
	return forks, (user + system) / 100, nil
}
