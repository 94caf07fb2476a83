// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/forktrace/forktrace/decode"
)

// TextOptions says how lines for people look.
type TextOptions struct {
	Times     TimeStyle
	Verbose   bool // all flags, and a second line with what was observed
	Stages    bool // how long creations took in each stage of copy_process, where that is known
	Color     bool
	LineWidth int // of the terminal; 0: no limit
	PidMax    int // largest pid of the machine, for the width of columns
	Cgroups   Cgroups
	Symbol    func(address uint64) (name string, ok bool) // of a kernel function; may be nil
	System    SystemAt                                    // what reasons rest on; may be nil
	// Check says which promises a creation breaks; it may be nil.
	Check func(*decode.Record) []decode.Violation
	// Fallback is the error that the creation's thread got from clone3 just before, 0 if
	// none; it may be nil.
	Fallback func() decode.Errno
}

// Text writes one line a record, with aligned columns.
type Text struct {
	opts    TextOptions
	out     io.Writer
	diag    io.Writer // for loss, which is not an event
	columns []column
	clock   Clock
	before  uint64
	reasons *reasoner
	reason  decode.Reason // of the record that is being written, if there is one
	known   bool
	buf     []byte
}

// NewText prepares a writer; Header comes first.
func NewText(out, diag io.Writer, o TextOptions) *Text {
	digits := max(len(fmt.Sprint(o.PidMax)), 5)
	return &Text{opts: o, out: out, diag: diag, columns: newColumns(o.Times, digits, o.LineWidth), reasons: newReasoner(o.System, o.Cgroups, safePath)}
}

// flushAt is the length of unwritten output at which it is written.
const flushAt = 32 << 10

// Header writes the titles of the columns.
func (t *Text) Header() error {
	last := len(t.columns) - 1
	for i, c := range t.columns {
		at := len(t.buf)
		t.buf = append(t.buf, c.title...)
		if i < last {
			t.buf = append(pad(t.buf, at, c.width-len(c.title), c.right), ' ')
		}
	}
	if t.opts.LineWidth > 0 {
		t.buf = cut(t.buf, 0, t.opts.LineWidth)
	}
	t.buf = append(t.buf, '\n')
	return t.Flush()
}

// Creation writes one record.
func (t *Text) Creation(r *decode.Record) error {
	line := len(t.buf)
	t.reason, t.known = t.reasons.of(r)
	failed := r.Failed() && !r.Restarted()
	last := len(t.columns) - 1
	for i := range t.columns {
		c := &t.columns[i]
		colored := failed && t.opts.Color && c.title == resultColumn
		if colored {
			t.buf = append(t.buf, colorFail...)
		}
		at := len(t.buf)
		t.buf = c.append(t, t.buf, r)
		if i == last {
			break
		}
		missing := c.width - utf8.RuneCount(t.buf[at:])
		if colored {
			t.buf = append(t.buf, colorReset...)
		}
		t.buf = append(pad(t.buf, at, missing, c.right), ' ')
	}
	t.buf = t.endLine(t.buf, line, t.opts.Verbose)
	if r.Failed() {
		t.appendFailure(r, line)
	}
	if t.opts.Fallback != nil {
		t.buf = appendFallbackLine(t.buf, t.opts.Fallback())
	}
	if r.Have&decode.HaveStages != 0 {
		t.buf = t.appendStages(t.buf, r)
	}
	if t.opts.Verbose {
		t.buf = t.appendDetails(t.buf, r)
		t.buf = t.appendEvidence(t.buf, r)
	}
	if t.opts.Check != nil {
		t.buf = t.appendViolationLines(t.buf, t.opts.Check(r))
	}
	t.before = r.Time
	if len(t.buf) >= flushAt {
		return t.Flush()
	}
	return nil
}

// endLine ends a line, cut to the terminal's width unless all of it is wanted.
func (t *Text) endLine(dst []byte, start int, full bool) []byte {
	for len(dst) > start && dst[len(dst)-1] == ' ' {
		dst = dst[:len(dst)-1]
	}
	if t.opts.LineWidth > 0 && !full {
		dst = cut(dst, start, t.opts.LineWidth)
	}
	return append(dst, '\n')
}

// reasonIndent is where the meaning of a failure begins when it needs lines of its own.
const reasonIndent = 4

// appendFailure says why an attempt failed, how sure that is, and what would help.
func (t *Text) appendFailure(r *decode.Record, line int) {
	reason := &t.reason
	if !t.known {
		t.buf = t.appendReason(t.buf, line, decode.FailureText(r))
		return
	}
	sentence := t.reasons.sentence(r, reason)
	if reason.Certainty == decode.Deduced {
		sentence = append(sentence, " (deduced)"...)
	}
	t.buf = t.appendReason(t.buf, line, string(sentence))
	if t.opts.Verbose {
		for _, c := range reason.List() {
			t.buf = append(append(append(t.buf, "    "...), c.ID...), ": "...)
			t.buf = append(append(append(t.buf, c.Sentence...), ' '), c.TellsApart()...)
			t.buf = append(t.buf, '\n')
		}
	}
	if fix := t.reasons.fix(r, reason); len(fix) > 0 {
		at := len(t.buf)
		t.buf = append(append(t.buf, "    fix: "...), fix...)
		t.buf = t.endLine(t.buf, at, t.opts.Verbose)
	}
}

// appendFallbackLine says that the call was made in the place of a clone3 that was refused.
func appendFallbackLine(dst []byte, errno decode.Errno) []byte {
	if errno == 0 {
		return dst
	}
	dst = append(dst, "    made in the place of the clone3 that was refused with "...)
	return append(decode.AppendErrno(dst, errno), '\n')
}

// appendReason says what a failure means: at the end of its line, which starts at start,
// if it fits there, else below it, folded at words.
func (t *Text) appendReason(dst []byte, start int, reason string) []byte {
	const gap = 2
	used := shown(dst[start : len(dst)-1])
	if t.opts.LineWidth == 0 || used+gap+len(reason) <= t.opts.LineWidth {
		return append(append(append(dst[:len(dst)-1], "  "...), reason...), '\n')
	}
	return t.appendFolded(dst, reason)
}

// appendFolded adds lines of their own, indented and folded at words.
func (t *Text) appendFolded(dst []byte, reason string) []byte {
	room := max(t.opts.LineWidth-reasonIndent, 1)
	for len(reason) > 0 {
		n := len(reason)
		if n > room && t.opts.LineWidth > 0 {
			n = max(strings.LastIndexByte(reason[:room+1], ' '), 0)
			if n == 0 { // a word longer than the line
				n = room
			}
		}
		for range reasonIndent {
			dst = append(dst, ' ')
		}
		dst = append(append(dst, reason[:n]...), '\n')
		reason = strings.TrimPrefix(reason[n:], " ")
	}
	return dst
}

// eachShown calls f with the end of every character that takes a place on the screen:
// escape sequences, which only we write, take none.
func eachShown(text []byte, f func(end int)) {
	for i := 0; i < len(text); {
		if text[i] == '\x1b' {
			for i < len(text) && text[i] != 'm' {
				i++
			}
			i++
			continue
		}
		_, n := utf8.DecodeRune(text[i:])
		i += n
		f(i)
	}
}

// shown is how many characters of a line a person sees.
func shown(text []byte) (n int) {
	eachShown(text, func(int) { n++ })
	return n
}

// cut shortens what follows start to a number of characters and marks that it did.
func cut(dst []byte, start, width int) []byte {
	if len(dst)-start <= width { // no character takes less than a byte
		return dst
	}
	n, fits := 0, start
	eachShown(dst[start:], func(end int) {
		if n++; n == width-1 {
			fits = start + end
		}
	})
	if n <= width {
		return dst
	}
	return append(dst[:fits], "…"...)
}

// pad fills a column, which starts at at, with missing spaces: on the left if it is to be
// flush right.
func pad(dst []byte, at, missing int, right bool) []byte {
	for range missing {
		dst = append(dst, ' ')
	}
	if right && missing > 0 {
		copy(dst[at+missing:], dst[at:len(dst)-missing])
		for i := range missing {
			dst[at+i] = ' '
		}
	}
	return dst
}

func (t *Text) appendTime(dst []byte, r *decode.Record) []byte {
	switch t.opts.Times {
	case TimeUTC:
		return t.clock.appendRFC3339(dst, r.Time)
	case TimeBoot:
		return appendSeconds(dst, r.Time)
	case TimeDelta:
		if t.before == 0 || r.Time < t.before {
			return appendSeconds(dst, 0)
		}
		return appendSeconds(dst, r.Time-t.before)
	default:
		return t.clock.appendWall(dst, r.Time)
	}
}

// Resumed tells a reader of details how long vfork kept a creator.
func (t *Text) Resumed(r *decode.Resumed) error {
	if !t.opts.Verbose {
		return nil
	}
	t.buf = append(t.buf, "    thread "...)
	t.buf = strconv.AppendUint(t.buf, uint64(r.Tid), 10)
	t.buf = append(t.buf, " of process "...)
	t.buf = strconv.AppendUint(t.buf, uint64(r.Pid), 10)
	t.buf = append(t.buf, " runs again: vfork of "...)
	t.buf = strconv.AppendInt(t.buf, int64(r.Child), 10)
	t.buf = append(appendSeconds(append(t.buf, " suspended it for "...), r.Suspended), "s\n"...)
	return nil
}

// Lost tells where records are missing.
func (t *Text) Lost(cpu uint32, n uint64) error {
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(t.diag, "forktrace: %d records lost %s: the buffer was full\n", n, where(cpu))
	return err
}

// where names the CPU of a loss, which is not known for the last ones.
func where(cpu uint32) string {
	if cpu == ^uint32(0) {
		return "at the end"
	}
	return fmt.Sprintf("on CPU %d", cpu)
}

// Flush writes what is pending.
func (t *Text) Flush() error {
	if len(t.buf) == 0 {
		return nil
	}
	_, err := t.out.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}
