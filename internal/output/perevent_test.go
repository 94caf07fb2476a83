// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"testing"

	"github.com/forktrace/forktrace/decode"
)

// printers are what writes records.
var printers = map[string]func() interface{ Creation(*decode.Record) error }{
	"Text": func() interface{ Creation(*decode.Record) error } {
		return NewText(io.Discard, io.Discard, TextOptions{Times: TimeWall, LineWidth: 120, Color: true, PidMax: 32768})
	},
	"TextVerbose": func() interface{ Creation(*decode.Record) error } {
		return NewText(io.Discard, io.Discard, TextOptions{Times: TimeUTC, Verbose: true, PidMax: 32768, Cgroups: Cgroups{V2: paths1}})
	},
	"JSON": func() interface{ Creation(*decode.Record) error } {
		return NewJSON(io.Discard, Cgroups{V2: paths1}, nil)
	},
}

// paths1 finds one cgroup without allocating, as the cache of internal/host does.
func paths1(id uint64) (string, bool) { return "/system.slice/x.service", id == 1 }

func TestPrintersAllocateNothing(t *testing.T) {
	for name, make := range printers {
		p := make()
		for _, r := range allRecords() {
			// time zones and buffers are made once
			write := func() { _ = p.Creation(&r) }
			for range 1000 {
				write()
			}
			if n := testing.AllocsPerRun(1000, write); n != 0 {
				t.Errorf("%s allocates %v times for %s", name, n, r.CommBytes())
			}
		}
	}
}

func benchmark(b *testing.B, name string) {
	p, r := printers[name](), threadRecord
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Creation(&r); err != nil {
			b.Fatal(err)
		}
		r.Time += 10_000
	}
}

func BenchmarkText(b *testing.B)        { benchmark(b, "Text") }
func BenchmarkTextVerbose(b *testing.B) { benchmark(b, "TextVerbose") }
func BenchmarkJSON(b *testing.B)        { benchmark(b, "JSON") }
