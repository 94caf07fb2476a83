// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

// perEvent is what a trace does with each record.
var perEvent = []struct {
	name string
	do   func(dst []byte, wire []byte, r *Record) []byte
}{
	{"Parse", func(dst, wire []byte, r *Record) []byte {
		var parsed Record
		if parsed.Parse(wire) != nil {
			panic("no record")
		}
		return append(dst, byte(parsed.Layer))
	}},
	{"KindCall", func(dst, _ []byte, r *Record) []byte {
		return append(append(dst, r.Kind().String()...), r.Call()...)
	}},
	{"AppendFlags", func(dst, _ []byte, r *Record) []byte { return AppendFlags(dst, r.Flags, StyleShort) }},
	{"FlagsIn", func(dst, _ []byte, r *Record) []byte {
		for f := range FlagsIn(r.Flags) {
			dst = append(dst, f.Name...)
		}
		return dst
	}},
	{"AppendSignal", func(dst, _ []byte, r *Record) []byte { return AppendSignal(dst, int(r.ExitSignal)) }},
	{"AppendErrno", func(dst, _ []byte, r *Record) []byte { return AppendErrno(dst, r.Errno()) }},
	{"FailureText", func(dst, _ []byte, r *Record) []byte { return append(dst, FailureText(r)...) }},
	{"CommBytes", func(dst, _ []byte, r *Record) []byte { return append(dst, r.CommBytes()...) }},
}

// perEventRecord is a failed thread creation with a bit too many.
func perEventRecord() *Record {
	r := &Record{Entry: EntryClone3, Flags: 0x3d0f00 | 1<<45, Result: -11, Have: HaveFlags | HaveExitSignal | HaveStack}
	copy(r.Comm[:], "worker")
	return r
}

func TestPerEventAllocatesNothing(t *testing.T) {
	wire, r, dst := oneRecord(), perEventRecord(), make([]byte, 0, 1024)
	for _, c := range perEvent {
		if n := testing.AllocsPerRun(100, func() { c.do(dst, wire, r) }); n != 0 {
			t.Errorf("%s allocates %v times", c.name, n)
		}
	}
}

func benchmark(b *testing.B, name string) {
	wire, r, dst := oneRecord(), perEventRecord(), make([]byte, 0, 1024)
	r.Flags, r.Result = 0x3d0f00, 1234
	for _, c := range perEvent {
		if c.name != name {
			continue
		}
		b.ReportAllocs()
		for b.Loop() {
			c.do(dst, wire, r)
		}
		return
	}
	b.Fatalf("no %s", name)
}

func BenchmarkParse(b *testing.B)       { benchmark(b, "Parse") }
func BenchmarkKindCall(b *testing.B)    { benchmark(b, "KindCall") }
func BenchmarkAppendFlags(b *testing.B) { benchmark(b, "AppendFlags") }
