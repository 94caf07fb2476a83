// SPDX-License-Identifier: Apache-2.0

package output

import "github.com/forktrace/forktrace/decode"

// appendViolations writes the field check, if there is anything to tell.
func appendViolations(o *object, violations []decode.Violation) {
	if len(violations) == 0 {
		return
	}
	o.key("check")
	o.buf = append(o.buf, '[')
	for i := range violations {
		v := &violations[i]
		o.element()
		o.open()
		o.text("id", v.ID)
		o.string("promised", v.Promised)
		o.string("seen", v.Seen)
		o.string("source", v.Source)
		if v.Rule != "" {
			o.text("rule", v.Rule)
		}
		if v.Bug != "" {
			o.text("bug", v.Bug)
		}
		o.close()
	}
	o.buf = append(o.buf, ']')
	o.some = true
}

// appendViolationLines writes a line for each violation, below that of the event.
func (t *Text) appendViolationLines(dst []byte, violations []decode.Violation) []byte {
	for i := range violations {
		v := &violations[i]
		dst = append(dst, "    "...)
		if t.opts.Color {
			dst = append(dst, colorFail...)
		}
		dst = append(append(dst, "✗ "...), v.ID...)
		if t.opts.Color {
			dst = append(dst, colorReset...)
		}
		dst = append(append(dst, ": promised "...), v.Promised...)
		dst = append(append(dst, "; seen "...), v.Seen...)
		if v.Rule != "" {
			dst = append(append(dst, "; rule "...), v.Rule...)
		}
		if v.Bug != "" {
			dst = append(append(dst, "; known bug "...), v.Bug...)
		}
		dst = append(append(append(dst, " ("...), v.Source...), ")\n"...)
	}
	return dst
}
