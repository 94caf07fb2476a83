// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/forktrace/forktrace/decode"
)

// teller writes down what a handler is told.
type teller struct {
	told []string
	err  error
}

func (h *teller) Creation(r *decode.Record) error {
	h.told = append(h.told, fmt.Sprintf("record %d", r.Seq))
	return h.err
}

func (h *teller) Resumed(*decode.Resumed) error { return nil }
func (h *teller) Lost(cpu uint32, n uint64) error {
	h.told = append(h.told, fmt.Sprintf("%d lost on %d", n, cpu))
	return nil
}

func (h *teller) Idle() (bool, error) { return true, nil }

// sample is a wire record with a number, and what its CPU had lost before it.
func sample(seq, lost uint64) []byte {
	b := make([]byte, decode.WireSize)
	binary.LittleEndian.PutUint64(b[16:], seq)
	binary.LittleEndian.PutUint64(b[24:], lost)
	return b
}

// TestHandleOrder: a loss is told before the record that tells of it.
func TestHandleOrder(t *testing.T) {
	var tr Tracer
	var h teller
	var rec decode.Record
	for _, s := range [][]byte{sample(0, 0), sample(4, 3), sample(5, 3), sample(9, 6)} {
		if err := tr.handle(&h, s, &rec); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"record 0", "3 lost on 0", "record 4", "record 5", "3 lost on 0", "record 9"}
	if diff := cmp.Diff(want, h.told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHandleErrors: what the handler says, and what is no record, ends the reading.
func TestHandleErrors(t *testing.T) {
	var tr Tracer
	var rec decode.Record
	full := errors.New("disk full")
	if err := tr.handle(&teller{err: full}, sample(0, 0), &rec); !errors.Is(err, full) {
		t.Errorf("the handler's error became %v", err)
	}
	if err := tr.handle(&teller{}, make([]byte, decode.ShortSize-1), &rec); !errors.Is(err, decode.ErrWire) {
		t.Errorf("a short sample gave %v", err)
	}
}

// counter is the cheapest handler.
type counter struct{ n int }

func (c *counter) Creation(*decode.Record) error { c.n++; return nil }
func (c *counter) Resumed(*decode.Resumed) error { return nil }
func (c *counter) Lost(uint32, uint64) error     { return nil }
func (c *counter) Idle() (bool, error)           { return true, nil }

func TestHandleAllocatesNothing(t *testing.T) {
	var tr Tracer
	var rec decode.Record
	h, s := &counter{}, sample(1, 1)
	if n := testing.AllocsPerRun(1000, func() { _ = tr.handle(h, s, &rec) }); n != 0 {
		t.Errorf("%v allocations for each record", n)
	}
}

func BenchmarkHandle(b *testing.B) {
	var tr Tracer
	var rec decode.Record
	h, s := &counter{}, sample(1, 1)
	b.ReportAllocs()
	for b.Loop() {
		if err := tr.handle(h, s, &rec); err != nil {
			b.Fatal(err)
		}
	}
}
