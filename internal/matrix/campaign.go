// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// campaign is one call of the runner: all selected kernels, each with all suites.
type campaign struct {
	options
	rows           []row
	cache          *cache
	stdout, stderr io.Writer

	temp     string
	logs     string
	keep     bool // logs stay even after success
	payloads map[string]payload
}

// payload is what the guests of one architecture get.
type payload struct {
	initramfs string
	jobs      []job
}

// logf writes one line with one write, so lines of guests that run side by side stay whole.
func (c *campaign) logf(format string, args ...any) {
	fmt.Fprintf(c.stderr, format+"\n", args...)
}

// run does everything and tells whether all went well. An error means that the matrix could not be run as asked.
func (c *campaign) run(ctx context.Context) (ok bool, err error) {
	if c.temp, err = os.MkdirTemp("", "forktrace-matrix-"); err != nil {
		return false, fmt.Errorf("creating temporary folder: %w", err)
	}
	defer os.RemoveAll(c.temp)
	if err := c.openLogs(); err != nil {
		return false, err
	}
	defer func() {
		if !c.keep && (ok || err != nil) {
			os.RemoveAll(c.logs)
		}
	}()
	c.payloads = map[string]payload{}
	for _, arch := range c.arches {
		p, err := c.prepare(ctx, arch)
		if err != nil {
			return false, fmt.Errorf("preparing the guests' files for %s: %w", arch, err)
		}
		c.payloads[arch] = p
	}
	reports := c.runGuests(ctx)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if c.shell != "" {
		return c.concludeShell(reports), nil
	}
	if err := writeJSON(filepath.Join(c.logs, "results.json"), reports); err != nil {
		return false, err
	}
	return printReports(c.stdout, reports, reportOptions{verbose: c.verbose, noGaps: c.noGaps}), nil
}

// openLogs makes the folder for logs: the user's, or a fresh one in the cache.
func (c *campaign) openLogs() error {
	if c.keepLogs != "" {
		c.logs, c.keep = c.keepLogs, true
		if err := os.MkdirAll(c.logs, 0o755); err != nil {
			return fmt.Errorf("creating folder for logs: %w", err)
		}
		return nil
	}
	parent := filepath.Join(c.options.cache, "logs")
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("creating folder for logs: %w", err)
	}
	pruneLogs(parent)
	dir, err := os.MkdirTemp(parent, time.Now().Format("20060102-150405-"))
	if err != nil {
		return fmt.Errorf("creating folder for logs: %w", err)
	}
	c.logs = dir
	return nil
}

// keptLogs is how many failed runs the cache remembers.
const keptLogs = 20

func pruneLogs(parent string) {
	entries, _ := os.ReadDir(parent) // sorted by name, which is by time
	for i := 0; i < len(entries)-keptLogs; i++ {
		os.RemoveAll(filepath.Join(parent, entries[i].Name()))
	}
}

// prepare compiles the suites for an architecture and packs its initramfs.
func (c *campaign) prepare(ctx context.Context, arch string) (payload, error) {
	m := machines[arch]
	out := filepath.Join(c.temp, arch)
	if err := os.Mkdir(out, 0o755); err != nil {
		return payload{}, fmt.Errorf("creating temporary folder: %w", err)
	}
	b := builder{root: c.root, out: out, goarch: m.goarch, log: c.logf}
	if c.shell != "" {
		b.log = func(string, ...any) {}
	}
	suites, files, err := c.build(ctx, b)
	if err != nil {
		return payload{}, err
	}
	p := payload{initramfs: filepath.Join(out, "initramfs"), jobs: c.testJobs(suites)}
	if c.shell != "" {
		p.jobs = []job{shellJob(c.shell, c.plans[0])}
	}
	if len(p.jobs) == 0 {
		return payload{}, errors.New("choosing suites: no package has tests")
	}
	if c.extra != "" {
		files = append(files, guestFile{c.extra, "suite/extra"})
	}
	busybox, err := c.cache.get(ctx, busyboxFile(arch), false)
	if err != nil {
		return payload{}, fmt.Errorf("fetching busybox: %w", err)
	}
	return p, writeInitramfs(p.initramfs, m, busybox.path, suites, p.jobs, files)
}

// build compiles what the guests run. A shell in the guest is for finding out what is wrong, so there, and with suites
// given as binaries, code that does not compile is only reported.
func (c *campaign) build(ctx context.Context, b builder) ([]suite, []guestFile, error) {
	tool, err := b.tool(ctx)
	if err != nil {
		if c.shell == "" && len(c.binaries) == 0 {
			return nil, nil, err
		}
		c.logf("going on without the program: %v", err)
	}
	var suites []suite
	if len(c.binaries) > 0 {
		for _, file := range c.binaries {
			s, err := binarySuite(file)
			if err != nil {
				return nil, nil, err
			}
			suites = append(suites, s)
		}
		return suites, tool, nil
	}
	suites, err = b.suites(ctx)
	if err != nil && c.shell != "" {
		c.logf("going on without the suites: %v", err)
		err = nil
	}
	return suites, tool, err
}

// runGuests fetches the kernels one after the other, which takes turns anyway, and runs up to --jobs guests meanwhile.
func (c *campaign) runGuests(ctx context.Context) []kernelReport {
	reports := make([]kernelReport, len(c.rows))
	slots := make(chan struct{}, c.jobs)
	var running sync.WaitGroup
	for i, r := range c.rows {
		reports[i] = kernelReport{Kernel: r.kernel, Arch: r.arch}
		image, err := c.cache.get(ctx, kernelFile(r), c.update)
		if err != nil {
			reports[i].Gap = err.Error()
			c.logf("%s: gap: %v", r, err)
			continue
		}
		reports[i].Package, reports[i].Version = image.name, image.version
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			c.runKernel(ctx, r, image.path, &reports[i])
		})
	}
	running.Wait()
	return reports
}

// runKernel boots one kernel, a second time if it did not come as far as the tests, and fills in the report.
func (c *campaign) runKernel(ctx context.Context, r row, image string, report *kernelReport) {
	report.Logs = filepath.Join(c.logs, r.arch+"-"+r.kernel)
	if err := os.MkdirAll(report.Logs, 0o755); err != nil {
		report.Death = fmt.Sprintf("creating folder for logs: %v", err)
		return
	}
	p := c.payloads[r.arch]
	for report.Boots = 1; ; report.Boots++ {
		sinks := &jobSinks{dir: report.Logs, byJob: map[string]*jobSink{}}
		if c.shell != "" {
			sinks.live = c.stdout
		}
		g := guest{
			machine: machines[r.arch], kernel: image, initramfs: p.initramfs, cpus: c.cpus,
			timeout: c.timeout, bootTimeout: c.bootTimeout, logs: report.Logs, sink: sinks.open,
		}
		if c.verbose {
			g.echo = c.stderr
		}
		result, err := g.run(ctx, report.Boots)
		sinks.close()
		if err != nil {
			report.Death = err.Error()
			return
		}
		if !result.reached && report.Boots == 1 && ctx.Err() == nil {
			c.logf("%s: %s, trying again", r, result.death)
			continue
		}
		report.fill(result, p.jobs, sinks)
		break
	}
	if len(report.results) > 0 {
		if err := os.WriteFile(filepath.Join(report.Logs, "results.tar"), report.results, 0o644); err != nil {
			c.logf("%s: writing results: %v", r, err)
		}
	}
	if ctx.Err() == nil && c.shell == "" {
		c.logf("%s: %s", r, report.summary())
	}
}

// concludeShell reports on the guests of a --shell run.
func (c *campaign) concludeShell(reports []kernelReport) bool {
	ok := true
	for _, r := range reports {
		problem := r.Gap
		if r.failedAsGuest() {
			problem = r.guestProblem()
		} else if r.Gap == "" && r.Suites[0].Status != "0" {
			problem = "exit status " + r.Suites[0].Status
		}
		if problem != "" {
			ok = false
			c.logf("%s %s: %s", r.Kernel, r.Arch, problem)
			printConsole(c.stderr, r)
		}
	}
	return ok
}
