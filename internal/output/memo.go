// SPDX-License-Identifier: Apache-2.0

package output

import "github.com/forktrace/forktrace/decode"

// memo keeps texts that follow from two numbers alone: a machine's creations are of few
// sorts, and nearly all records repeat a text that was written before.
type memo struct {
	kept [memoSize]struct {
		a, b uint64
		text []byte // nil: nothing is kept here
	}
}

// memoSize bounds what is kept whatever is traced; a power of two. Each pair of numbers has one
// place, which it shares: the last text stays.
const memoSize = 16

// append appends the text of a and b: write adds it to an object when it is not kept.
func (m *memo) append(o *object, a, b uint64, write func(o *object, a, b uint64)) {
	// by a product the bits of all positions meet in the highest
	at := &m.kept[(a*0x9e3779b97f4a7c15^b*0xc2b2ae3d27d4eb4f)>>60%memoSize]
	if at.text == nil || at.a != a || at.b != b {
		fresh := object{buf: append(at.text[:0], ' ')} // never nil
		write(&fresh, a, b)
		at.a, at.b, at.text = a, b, fresh.buf
	}
	if text := at.text[1:]; len(text) > 0 {
		if o.some {
			o.buf = append(o.buf, ',')
		}
		o.buf = append(o.buf, text...)
		o.some = true
	}
}

// factsOf are the facts of each group.
var factsOf = func() (of [decode.FactOfCreator + 1]decode.FactSet) {
	for i := range decode.Facts {
		of[decode.Facts[i].Group] |= 1 << decode.Facts[i].Fact
	}
	return of
}()

// writeFacts writes the facts in known, those in is as true. They are of one group: the same
// name can be in several.
func writeFacts(o *object, known, is uint64) {
	for i := range decode.Facts {
		if f := &decode.Facts[i]; decode.FactSet(known).Has(f.Fact) {
			o.bool(f.Name, decode.FactSet(is).Has(f.Fact))
		}
	}
}

// writeFlags writes a request's flags, as a number and by name.
func writeFlags(o *object, flags, _ uint64) {
	o.hex("flags", flags)
	o.key("flag_names")
	o.buf = append(o.buf, '[')
	for f := range decode.FlagsIn(flags) {
		o.element()
		o.buf = append(append(append(o.buf, '"'), f.Name...), '"')
	}
	if rest := flags &^ decode.KnownFlags; rest != 0 {
		o.element()
		o.buf = append(decode.AppendHex(append(o.buf, '"'), rest), '"')
	}
	o.buf = append(o.buf, ']')
	o.some = true
}
