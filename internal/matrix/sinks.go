// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// jobSinks opens a sink for each job of a guest.
type jobSinks struct {
	dir   string
	live  io.Writer // gets every line, too; may be nil
	byJob map[string]*jobSink
}

// jobSink writes a job's output to its log and reads the test results out of it.
type jobSink struct {
	tests *testLog
	file  *os.File
	log   *bufio.Writer
	live  io.Writer
}

// open returns the sink of a job. A log that cannot be written must not stop the guest: the results still count.
func (s *jobSinks) open(job string) lineSink {
	sink := &jobSink{tests: newTestLog(), live: s.live}
	s.byJob[job] = sink
	if f, err := os.Create(filepath.Join(s.dir, filepath.Base(job)+".log")); err == nil {
		sink.file, sink.log = f, bufio.NewWriter(f)
	}
	return sink
}

func (s *jobSinks) close() {
	for _, sink := range s.byJob {
		if sink.file != nil {
			sink.log.Flush()
			sink.file.Close()
		}
	}
}

func (s *jobSink) line(line string) {
	s.tests.line(line)
	plain := strings.ReplaceAll(line, syn, "")
	if s.log != nil {
		fmt.Fprintln(s.log, plain)
	}
	if s.live != nil {
		fmt.Fprintln(s.live, plain)
	}
}
