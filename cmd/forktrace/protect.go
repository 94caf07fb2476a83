// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/tracer"
)

// protectedPriority is the nice value that --protect asks for.
const protectedPriority = -15

// protect keeps forktrace working on a machine that has no memory and no time to spare.
func protect() error {
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		return fmt.Errorf("locking memory (--protect): %w", err)
	}
	// each thread has a priority of its own (setpriority(2), NOTES); new ones inherit it
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("listing forktrace's threads (--protect): %w", err)
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, protectedPriority); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("raising the priority (--protect): %w", err)
		}
	}
	return nil
}

// startError makes of a refusal of tasks or memory the finding that it is.
func startError(err error) error {
	var privilege *tracer.PrivilegeError
	var kernel *tracer.KernelError
	if errors.As(err, &privilege) || errors.As(err, &kernel) || !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOMEM) {
		return err
	}
	return fmt.Errorf("first finding: this machine refuses tasks or memory even to forktrace; 'forktrace doctor' tells which limit is reached: %w", err)
}
