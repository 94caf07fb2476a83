// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strconv"

	"github.com/forktrace/forktrace/decode"
)

// eachStage calls f with every stage whose marker the creation passed and how many ns it
// took from there to the next one that it passed, or to the outcome.
func eachStage(r *decode.Record, f func(s decode.Stage, ns uint64)) {
	before, ok := decode.Stage(0), false
	for s, at := range r.Progress.At {
		if at == 0 {
			continue
		}
		if ok {
			f(before, uint64(at-min(at, r.Progress.At[before])))
		}
		before, ok = decode.Stage(s), true
	}
	if from := uint64(r.Progress.At[before]); ok && r.Have&decode.HaveDuration != 0 && r.Duration >= from {
		f(before, r.Duration-from)
	}
}

// failedIn are the first and the last stage in which an attempt can have failed: that of the
// reason, if there is no doubt about it.
func failedIn(r *decode.Record, reason *decode.Reason) (first, last decode.Stage, ok bool) {
	first, last, ok = r.FailedStages()
	if rule := reason.Rule; ok && reason.Certainty == decode.Certain && first <= rule.Stage && rule.Stage <= last {
		return rule.Stage, rule.Stage, true
	}
	return first, last, ok
}

// appendStages adds in which stages an attempt can have failed, the label that it left by
// where there is but one, and the time that the stages took.
func appendStages(o *object, r *decode.Record, reason *decode.Reason, sys *decode.System) {
	if first, last, ok := failedIn(r, reason); ok {
		o.child("stage")
		o.text("first", first.String())
		o.text("last", last.String())
		if label := r.LeftBy(first, last, sys); label != "" {
			o.text("label", label)
		}
		o.close()
	}
	o.child("stage_ns")
	eachStage(r, func(s decode.Stage, ns uint64) { o.uint(s.String(), ns) })
	o.close()
}

// appendStages adds the same for a person, on a line of its own; what was not asked for is
// told of failures only, and without times.
func (t *Text) appendStages(dst []byte, r *decode.Record) []byte {
	at := len(dst)
	dst = append(dst, "    stages:"...)
	times := t.opts.Stages || t.opts.Verbose
	first, last, ok := failedIn(r, &t.reason)
	if !times && (!ok || r.Restarted()) {
		return dst[:at]
	}
	if ok {
		dst = append(append(dst, " failed in "...), first.String()...)
		if first != last {
			dst = append(append(dst, " to "...), last.String()...)
		}
		if label := r.LeftBy(first, last, t.reasons.ctx.System); label != "" {
			dst = append(append(dst, ", left by "...), label...)
		}
		if times && r.Progress.At != (decode.Progress{}).At {
			dst = append(dst, ';')
		}
	}
	if !times {
		return t.endLine(dst, at, false)
	}
	eachStage(r, func(s decode.Stage, ns uint64) {
		dst = append(append(append(dst, ' '), s.String()...), ' ')
		dst = append(strconv.AppendFloat(dst, float64(ns)/1e3, 'f', 1, 64), "us"...)
	})
	return t.endLine(dst, at, t.opts.Verbose)
}
