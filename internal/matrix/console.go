// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"io"
	"regexp"
	"strings"
)

// Limits of what the report shows of a console.
const (
	linesBefore = 3
	linesAfter  = 40
	tailLines   = 15
)

// troubleLine matches how a kernel's complaint about itself begins. Boot messages of subsystems that contain the word
// WARNING further on, such as those on CPU vulnerabilities, are not meant.
var troubleLine = regexp.MustCompile(`^(?:\[[ 0-9.]+\](?:\[[^\]]*\])? )?(?:` + strings.Join([]string{
	`WARNING: `,
	`BUG: `,
	`kernel BUG at `,
	`watchdog: BUG: `,
	`Oops`,
	`Internal error: `,
	`Unable to handle kernel `,
	`general protection fault`,
	`int3: `,
	`invalid opcode: `,
	`traps: PANIC: `,
	`Kernel panic - not syncing`,
}, "|") + `)`)

const panicMark = "Kernel panic - not syncing"

// consoleWatch reads a kernel's console and notices complaints.
type consoleWatch struct {
	panicked chan struct{} // closed when the kernel has given up
	tail     []string      // last lines
	excerpt  []string      // the first complaint with what surrounds it
	gaveUp   bool          // the last word was a panic
	left     int           // lines that still belong to the excerpt
}

func newConsoleWatch() *consoleWatch { return &consoleWatch{panicked: make(chan struct{})} }

// watch reads to the end and copies everything to log. The fields may be read once it has returned.
func (w *consoleWatch) watch(from io.Reader, log io.Writer) {
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			_, _ = io.WriteString(log, line) // a full disk must not stop the guest
			w.line(strings.TrimRight(line, "\r\n"))
			if !w.gaveUp && strings.Contains(line, panicMark) {
				w.gaveUp = true
				close(w.panicked)
			}
		}
		if err != nil {
			return
		}
	}
}

func (w *consoleWatch) line(line string) {
	if w.excerpt == nil && troubleLine.MatchString(line) {
		w.excerpt = append(w.excerpt, w.tail[max(0, len(w.tail)-linesBefore):]...)
		w.left = linesAfter
	}
	if w.left > 0 {
		w.excerpt = append(w.excerpt, line)
		w.left--
	}
	w.tail = append(w.tail, line)
	if len(w.tail) > tailLines {
		w.tail = w.tail[1:]
	}
}
