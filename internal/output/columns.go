// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strconv"

	"github.com/forktrace/forktrace/decode"
)

// column is one row of the table of columns.
type column struct {
	title string
	width int
	right bool
	// drop is the order in which columns give way on a narrow terminal, 0 never.
	drop   int
	append func(t *Text, dst []byte, r *decode.Record) []byte
}

// columnTable is the table of columns, left to right; the last one takes the rest of
// the line. Widths of pids and times are set by newColumns.
var columnTable = []column{
	{title: "TIME", append: (*Text).appendTime, drop: 4},
	{title: "COMM", width: 15, append: func(_ *Text, dst []byte, r *decode.Record) []byte {
		return AppendSafe(dst, r.CommBytes())
	}},
	{title: "PID", right: true, append: func(_ *Text, dst []byte, r *decode.Record) []byte {
		return strconv.AppendUint(dst, uint64(r.Pid), 10)
	}},
	{title: "TID", right: true, drop: 2, append: func(_ *Text, dst []byte, r *decode.Record) []byte {
		return strconv.AppendUint(dst, uint64(r.Tid), 10)
	}},
	{title: "PPID", right: true, drop: 1, append: func(_ *Text, dst []byte, r *decode.Record) []byte {
		return strconv.AppendUint(dst, uint64(r.PPid), 10)
	}},
	{title: "KIND", width: 17, drop: 3, append: func(_ *Text, dst []byte, r *decode.Record) []byte {
		return append(dst, r.Kind().String()...)
	}},
	{title: "CALL", width: 19, append: func(_ *Text, dst []byte, r *decode.Record) []byte {
		return append(dst, callName(r)...)
	}},
	{title: "RESULT", width: 9, append: appendResult},
	{title: "FLAGS", append: appendFlagsAndSignal},
}

// resultColumn is where failures stand out.
const resultColumn = "RESULT"

// pidTitles are the columns as wide as the largest pid.
var pidTitles = map[string]bool{"PID": true, "TID": true, "PPID": true}

// timeWidths by style.
var timeWidths = map[TimeStyle]int{TimeWall: 15, TimeUTC: 30, TimeBoot: 14, TimeDelta: 11}

// newColumns fits the table to a time style, the width of pids and that of the terminal
// (0: no limit).
func newColumns(style TimeStyle, pidWidth, lineWidth int) []column {
	var all []column
	for _, c := range columnTable {
		switch {
		case c.title == "TIME" && style == TimeNone:
			continue
		case c.title == "TIME":
			c.width = timeWidths[style]
		case pidTitles[c.title]:
			c.width = pidWidth
		}
		all = append(all, c)
	}
	if lineWidth == 0 {
		return all
	}
	const lastWanted = 12 // what the last column needs to be of use
	for drop := 1; width(all)+lastWanted > lineWidth; drop++ {
		kept, found := all[:0:0], false
		for _, c := range all {
			found = found || c.drop >= drop
			if c.drop != drop {
				kept = append(kept, c)
			}
		}
		if !found {
			break
		}
		all = kept
	}
	return all
}

// width of all columns but the last, with their gaps.
func width(columns []column) (n int) {
	for _, c := range columns[:len(columns)-1] {
		n += c.width + 1
	}
	return n
}

// callName is the library call if the request is a known one, else the system call.
func callName(r *decode.Record) string {
	if name := r.Call(); name != "" {
		return name
	}
	return r.Entry.String()
}

func appendResult(_ *Text, dst []byte, r *decode.Record) []byte {
	if !r.Failed() {
		return strconv.AppendInt(dst, int64(r.Result), 10)
	}
	if r.Restarted() {
		return append(dst, "restarted"...)
	}
	return decode.AppendErrno(append(dst, "✗ "...), r.Errno())
}

// appendFlagsAndSignal is the last column: flags as an engineer says them, and the exit
// signal where it is unusual. What a failure means follows it: appendReason.
func appendFlagsAndSignal(t *Text, dst []byte, r *decode.Record) []byte {
	at := len(dst)
	if r.Have&decode.HaveFlags != 0 && r.Flags != 0 {
		if t.opts.Verbose {
			dst = decode.AppendFlags(dst, r.Flags, decode.StyleShort)
		} else {
			dst = decode.AppendFlagsWith(dst, r.Flags, decode.StyleBrief, t.blamed())
		}
	}
	if r.Have&decode.HaveExitSignal != 0 && unusualSignal(r) {
		if len(dst) > at {
			dst = append(dst, ' ')
		}
		dst = append(dst, "exit="...)
		if r.ExitSignal == 0 {
			dst = append(dst, "none"...)
		} else {
			dst = decode.AppendSignal(dst, int(r.ExitSignal))
		}
	}
	return dst
}

// blamed are the flags that the reason of a failure speaks of.
func (t *Text) blamed() uint64 {
	if rule := t.reason.Rule; rule != nil {
		return rule.All | rule.Any
	}
	return 0
}

// unusualSignal says whether the exit signal is worth a word: threads have none, and
// processes nearly always SIGCHLD.
func unusualSignal(r *decode.Record) bool {
	const sigchld = 17
	return r.Flags&decode.CloneThread == 0 && r.ExitSignal != sigchld
}
