// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// writeFolded writes text, its long lines folded where w is a terminal.
func writeFolded(w io.Writer, text string) error {
	if _, err := io.WriteString(w, fold(text, lineWidth(w))); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// fold breaks lines that are longer than width between words, and goes on below the last of
// their columns. A width of 0 is any.
func fold(text string, width int) string {
	if width == 0 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		foldLine(&b, strings.TrimSuffix(line, "\n"), width)
		b.WriteByte('\n')
	}
	return b.String()
}

func foldLine(b *strings.Builder, line string, width int) {
	indent := lastColumn(line)
	if indent > width/2 {
		indent = 2
	}
	for utf8.RuneCountInString(line) > width {
		at := breakAt(line, indent, width)
		if at < 0 {
			break
		}
		b.WriteString(strings.TrimRight(line[:at], " "))
		b.WriteByte('\n')
		line = strings.Repeat(" ", indent) + line[at+1:]
	}
	b.WriteString(line)
}

// breakAt is the last space behind the indentation at which the line fits, or the first one,
// -1 if there is none.
func breakAt(line string, indent, width int) int {
	end, runes := len(line), 0
	for i := range line {
		if runes++; runes == width+2 {
			end = i
			break
		}
	}
	if at := strings.LastIndexByte(line[:end], ' '); at > indent {
		return at
	}
	if at := strings.IndexByte(line[min(indent, len(line)):], ' '); at > 0 {
		return indent + at
	}
	return -1
}

// lastColumn is where the last column of a line begins: behind the last two spaces.
func lastColumn(line string) int {
	if at := strings.LastIndex(strings.TrimRight(line, " "), "  "); at >= 0 {
		return utf8.RuneCountInString(line[:at+2])
	}
	return 0
}
