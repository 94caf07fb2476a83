// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// attachTime measures from start to attached.
func (b *bench) attachTime() error {
	var ms []float64
	for range b.rounds {
		start := time.Now()
		bg, err := b.startForktrace(os.DevNull)
		if err != nil {
			return err
		}
		ms = append(ms, float64(time.Since(start).Microseconds())/1000)
		if err := bg.stop(); err != nil {
			return err
		}
	}
	b.add("attached after", median(ms), "ms", 250)
	return nil
}

// readerCost measures forktrace's own processor time per record and its memory.
func (b *bench) readerCost() error {
	const records = 200000
	for _, format := range []string{"text", "json"} {
		bg, err := b.startForktrace(os.DevNull, "--format", format)
		if err != nil {
			return err
		}
		before, err := processCPU(bg.cmd.Process.Pid)
		if err != nil {
			return err
		}
		if err := exec.Command(b.creations, "load", "2", strconv.Itoa(records)).Run(); err != nil {
			return fmt.Errorf("running the load: %w", err)
		}
		time.Sleep(200 * time.Millisecond) // the reader looks every 100 ms
		after, err := processCPU(bg.cmd.Process.Pid)
		if err != nil {
			return err
		}
		kb, err := statusKB(bg.cmd.Process.Pid, "VmHWM")
		if err != nil {
			return err
		}
		if err := bg.stop(); err != nil {
			return err
		}
		const attempts = records * 5 / 4 // the load fails once for four successes
		b.add("reader, processor time per record, "+format, float64((after-before).Nanoseconds())/attempts/1000, "us", 3)
		b.add("resident at most, "+format, kb/1024, "MB", 40)
	}
	return nil
}

// processCPU is the processor time of a process, user and system, at clock tick precision.
func processCPU(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading processor time: %w", err)
	}
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const utime, stime, tick = 11, 12, 10 * time.Millisecond // proc_pid_stat(5), USER_HZ is 100
	u, err1 := strconv.Atoi(string(fields[utime]))
	s, err2 := strconv.Atoi(string(fields[stime]))
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("reading processor time of process %d", pid)
	}
	return time.Duration(u+s) * tick, nil
}

// loss counts lost records at the full rate of two processors, with the default buffer.
func (b *bench) loss() error {
	dir, err := os.MkdirTemp("", "forktrace-bench-")
	if err != nil {
		return fmt.Errorf("making a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "events")
	bg, err := b.startForktrace(file, "--format", "json")
	if err != nil {
		return err
	}
	start := time.Now()
	if err := exec.Command(b.creations, "load", "2", "200000").Run(); err != nil {
		return fmt.Errorf("running the load: %w", err)
	}
	elapsed := time.Since(start)
	if err := bg.stop(); err != nil {
		return err
	}
	var sum struct{ Created, Lost, Kernel_Forks float64 }
	if err := lastLine(file, &sum); err != nil {
		return err
	}
	b.add("creations a second during the loss test", sum.Created/elapsed.Seconds(), "1/s", 0)
	b.add("records lost, default buffer", sum.Lost, "records", 1e-9)
	b.add("creations that were not seen", sum.Kernel_Forks-sum.Created, "creations", 1e-9)
	return nil
}

func lastLine(file string, v any) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading the events: %w", err)
	}
	defer f.Close()
	var last []byte
	for s := bufio.NewScanner(f); s.Scan(); {
		last = append(last[:0], s.Bytes()...)
	}
	if err := json.Unmarshal(last, v); err != nil {
		return fmt.Errorf("reading the summary: %w", err)
	}
	return nil
}

// goBenchmarks runs the Go benchmarks of the parser and the printers.
func (b *bench) goBenchmarks() error {
	out, err := exec.Command("go", "test", "-run", "^$", "-bench", "^Benchmark(Parse|KindCall|Text|JSON)$", "-benchmem",
		"./decode", "./internal/output").CombinedOutput()
	if err != nil {
		return fmt.Errorf("running Go benchmarks: %w\n%s", err, out)
	}
	line := regexp.MustCompile(`(?m)^Benchmark(\w+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+\d+ B/op\s+(\d+) allocs/op`)
	decoding := 0.0
	for _, m := range line.FindAllSubmatch(out, -1) {
		ns, err1 := strconv.ParseFloat(string(m[2]), 64)
		allocs, err2 := strconv.ParseFloat(string(m[3]), 64)
		if err1 != nil || err2 != nil {
			return fmt.Errorf("reading benchmark line %q", m[0])
		}
		name := string(m[1])
		if name == "Parse" || name == "KindCall" {
			decoding += ns
		}
		b.add("Go benchmark "+name, ns, "ns", 0)
		b.add("Go benchmark "+name+", allocations", allocs, "per record", 1e-9)
	}
	b.add("parse and decode a record", decoding, "ns", 300)
	return nil
}
