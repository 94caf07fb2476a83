// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// panicGrace is how long a kernel that has given up may take to end the machine.
const panicGrace = 10 * time.Second

// kernelPanic is the death of a guest whose kernel has given up.
const kernelPanic = "kernel panic"

// guest is one virtual machine to be run.
type guest struct {
	machine     machine
	kernel      string // path of the image
	initramfs   string
	cpus        int
	timeout     time.Duration // for everything
	bootTimeout time.Duration // until the first job
	logs        string        // folder for console.log; exists
	echo        io.Writer     // gets a copy of the console, may be nil
	sink        func(job string) lineSink
}

// lineSink takes the output of a job line by line, each without its newline.
type lineSink interface {
	line(string)
}

// bootResult says what became of a guest.
type bootResult struct {
	release  string // uname -r
	reached  bool   // the jobs were reached
	bootTime time.Duration
	jobs     map[string]*jobTiming
	results  []byte   // tar archive of the guest's /results
	death    string   // why the guest did not come to its end, empty if it did
	trouble  []string // what the kernel complained about
	tail     []string // last lines of the console
}

// jobTiming is what the control port says about a job.
type jobTiming struct {
	start  time.Time
	took   time.Duration
	done   bool
	status string
}

// run boots the guest, follows it to its end and leaves no process behind.
func (g guest) run(ctx context.Context, attempt int) (bootResult, error) {
	runtime.LockOSThread() // for machine.start
	defer runtime.UnlockOSThread()
	name := "console.log"
	if attempt > 1 {
		name = fmt.Sprintf("console-%d.log", attempt)
	}
	log, err := os.Create(filepath.Join(g.logs, name))
	if err != nil {
		return bootResult{}, fmt.Errorf("creating console log: %w", err)
	}
	defer log.Close()
	cmd, p, err := g.machine.start(g.kernel, g.initramfs, g.cpus)
	if err != nil {
		return bootResult{}, err
	}
	defer p.close()
	console := newConsoleWatch()
	events := make(chan controlEvent)
	consoleDone, outputDone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(consoleDone)
		console.watch(p.console, teeWriter(log, g.echo))
	}()
	go func() {
		defer close(outputDone)
		splitJobs(p.output, g.sink)
	}()
	go readControl(p.control, events)

	result := g.follow(ctx, events, console.panicked)
	drain(cmd.Process, events, result.death == "")
	_ = cmd.Wait() // how QEMU ended says nothing that the control port did not
	<-consoleDone
	<-outputDone
	result.trouble, result.tail = console.excerpt, console.tail
	if result.death != "" && console.gaveUp {
		result.death = kernelPanic // whatever was noticed first
	}
	return result, nil
}

func teeWriter(log, echo io.Writer) io.Writer {
	if echo == nil {
		return log
	}
	return io.MultiWriter(log, echo)
}

// drain kills the machine, after a moment for switching itself off if it came to its end, and lets late events pass.
func drain(process *os.Process, events <-chan controlEvent, orderly bool) {
	grace := panicGrace
	if !orderly {
		grace = 0
	}
	timer := time.AfterFunc(grace, func() { _ = process.Kill() }) // fails when it has ended by itself
	defer timer.Stop()
	for range events {
	}
}

// follow takes in the events until the guest has reached its end, died, or used up its time.
func (g guest) follow(ctx context.Context, events <-chan controlEvent, panicked <-chan struct{}) bootResult {
	r := bootResult{jobs: map[string]*jobTiming{}}
	began := time.Now()
	limit := time.NewTimer(g.timeout)
	defer limit.Stop()
	boot := time.NewTimer(min(g.bootTimeout, g.timeout))
	defer boot.Stop()
	var grace <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			r.death = "interrupted"
		case <-limit.C:
			r.death = fmt.Sprintf("time limit of %v exceeded", g.timeout)
		case <-boot.C:
			r.death = fmt.Sprintf("tests not reached within %v", min(g.bootTimeout, g.timeout))
		case <-grace:
			r.death = kernelPanic
		case <-panicked:
			panicked, grace = nil, time.After(panicGrace)
			continue
		case e, alive := <-events:
			if !alive {
				r.death = "guest ended before its tests did"
				break
			}
			if r.take(e, began) {
				boot.Stop()
			}
			if e.word == "end" {
				return r
			}
			continue
		}
		return r
	}
}

// take records an event and tells whether it was the one that the boot time limit waits for.
func (r *bootResult) take(e controlEvent, began time.Time) (ready bool) {
	now := time.Now()
	switch e.word {
	case "ready":
		r.release, r.reached, r.bootTime = e.argument, true, now.Sub(began)
		return true
	case "start":
		r.jobs[e.argument] = &jobTiming{start: now}
	case "exit":
		name, status, _ := strings.Cut(e.argument, " ")
		if job := r.jobs[name]; job != nil {
			job.took, job.done, job.status = now.Sub(job.start), true, status
		}
	case "results":
		r.results = e.data
	}
	return false
}

// controlEvent is one line of the control port, and what came after it.
type controlEvent struct {
	word, argument string
	data           []byte
}

// maxResults bounds the archive of results, which is held in memory.
const maxResults = 256 << 20

// readControl sends every event and closes the channel at the end of the port.
func readControl(from io.Reader, events chan<- controlEvent) {
	defer close(events)
	in := bufio.NewReader(from)
	for {
		e, err := readEvent(in)
		if err != nil {
			return // a guest that dies in mid-line is recognised by the missing end
		}
		events <- e
	}
}

func readEvent(in *bufio.Reader) (controlEvent, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return controlEvent{}, fmt.Errorf("reading control port: %w", err)
	}
	var e controlEvent
	e.word, e.argument, _ = strings.Cut(strings.TrimSpace(line), " ")
	if e.word != "results" {
		return e, nil
	}
	var size int
	if _, err := fmt.Sscan(e.argument, &size); err != nil || size < 0 || size > maxResults {
		return controlEvent{}, errors.New("reading control port: bad length of results")
	}
	e.data = make([]byte, size)
	if _, err := io.ReadFull(in, e.data); err != nil {
		return controlEvent{}, fmt.Errorf("reading results: %w", err)
	}
	return e, nil
}

// jobMark begins the line that says which job's output follows.
const jobMark = syn + "@@ job "

// splitJobs hands each job's output to its sink.
func splitJobs(from io.Reader, sinkOf func(job string) lineSink) {
	in := bufio.NewReader(from)
	var sink lineSink
	for {
		line, err := in.ReadString('\n')
		ended := strings.HasSuffix(line, "\n")
		line = strings.TrimSuffix(line, "\n")
		if job, found := strings.CutPrefix(line, jobMark); found {
			sink = sinkOf(job)
		} else if sink != nil && (line != "" || ended) {
			sink.line(line)
		}
		if err != nil {
			return
		}
	}
}
