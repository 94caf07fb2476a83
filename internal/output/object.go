// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strconv"

	"github.com/forktrace/forktrace/decode"
)

// object appends a JSON object to buf without allocating. Keys and fixed texts are plain
// ASCII from tables; only string escapes.
type object struct {
	buf  []byte
	some bool // a comma is due
}

func (o *object) open() {
	o.buf = append(o.buf, '{')
	o.some = false
}

func (o *object) close() {
	o.buf = append(o.buf, '}')
	o.some = true
}

func (o *object) key(name string) {
	b := o.buf // for each record there are some fifty keys: what is stored in o is stored once
	if o.some {
		b = append(b, ',', '"')
	} else {
		b = append(b, '"')
	}
	o.some = true
	o.buf = append(append(b, name...), '"', ':')
}

// element puts the comma between the elements of an array.
func (o *object) element() {
	if o.buf[len(o.buf)-1] != '[' {
		o.buf = append(o.buf, ',')
	}
}

func (o *object) child(name string) {
	o.key(name)
	o.open()
}

func (o *object) uint(name string, v uint64) {
	o.key(name)
	o.buf = strconv.AppendUint(o.buf, v, 10)
}

func (o *object) int(name string, v int64) {
	o.key(name)
	o.buf = strconv.AppendInt(o.buf, v, 10)
}

func (o *object) bool(name string, v bool) {
	o.key(name)
	o.buf = strconv.AppendBool(o.buf, v)
}

// hex writes a number as a string, for what is wider than JSON's numbers.
func (o *object) hex(name string, v uint64) {
	o.key(name)
	o.buf = append(decode.AppendHex(append(o.buf, '"'), v), '"')
}

// signal writes a signal's name; 0 is no signal, and is there as a number.
func (o *object) signal(name string, sig int32) {
	if sig == 0 {
		o.int(name, 0)
		return
	}
	o.key(name)
	o.buf = append(decode.AppendSignal(append(o.buf, '"'), int(sig)), '"')
}

// text writes a string that needs no escaping: it is from one of our tables.
func (o *object) text(name, v string) {
	o.key(name)
	o.buf = append(append(append(o.buf, '"'), v...), '"')
}

// string writes any string.
func (o *object) string(name, v string) {
	o.key(name)
	o.buf = appendJSONString(o.buf, []byte(v))
}
