// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// strace runs a loop as its child: it cannot trace the whole machine.
func (b *bench) strace(what string, rounds int) error {
	var ratios []float64
	for range min(b.rounds, 3) {
		plain, err := b.loop(what, rounds)
		if err != nil {
			return err
		}
		out, err := exec.Command("strace", "-f", "-o", "/dev/null", "-e", "trace=clone,clone3,fork,vfork",
			b.creations, "bench-"+what, strconv.Itoa(rounds)).Output()
		if err != nil {
			return fmt.Errorf("running strace: %w", err)
		}
		traced, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			return fmt.Errorf("reading the time under strace: %w", err)
		}
		ratios = append(ratios, (traced/plain-1)*100)
	}
	b.add(what+" loop slower under strace -f", median(ratios), "%", 0)
	return nil
}
