// SPDX-License-Identifier: Apache-2.0

// Command matrix runs the privileged tests of forktrace on many kernels. It fetches Debian's kernel packages without
// installing them, boots each one under QEMU's software emulation with the test binaries in an initramfs, and reports
// per kernel, probe plan and suite. scripts/matrix is the way to call it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
)

// Exit statuses.
const (
	exitPassed = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitPassed
	case err != nil:
		return exitUsage
	}
	table, err := parseKernels(strings.NewReader(kernelTable))
	if err != nil {
		_ = complain(stderr, err)
		return exitFailed
	}
	rows, err := selectRows(table, o.arches, o.kernels, o.short)
	if err != nil {
		_ = complain(stderr, err)
		return exitUsage
	}
	store := &cache{dir: o.cache, sources: readAptSources("/etc/apt"), updated: map[string]error{}}
	c := &campaign{options: o, rows: rows, cache: store, stdout: stdout, stderr: stderr}
	store.log = c.logf
	if o.list {
		return listKernels(rows, store, stdout)
	}
	if err := checkPrograms(o.arches); err != nil {
		_ = complain(stderr, err)
		return exitFailed
	}
	ok, err := c.run(ctx)
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		_ = complain(stderr, err)
		return exitFailed
	}
	if !ok {
		return exitFailed
	}
	return exitPassed
}

// listKernels prints the rows and the newest cached version of each.
func listKernels(rows []row, store *cache, stdout io.Writer) int {
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KERNEL\tARCH\tSET\tSUITES\tCACHED")
	for _, r := range rows {
		set, cached := "full", "-"
		if r.short {
			set = "short"
		}
		if f, found := store.lookup(kernelFile(r)); found {
			cached = f.name + " " + f.version
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.kernel, r.arch, set, strings.Join(r.suites, ","), cached)
	}
	if w.Flush() != nil {
		return exitFailed
	}
	return exitPassed
}

func checkPrograms(arches []string) error {
	for _, arch := range arches {
		if _, err := exec.LookPath(machines[arch].program); err != nil {
			return fmt.Errorf("looking for the emulator of %s: %w", arch, err)
		}
	}
	return nil
}
