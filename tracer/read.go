// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf/ringbuf"

	"github.com/forktrace/forktrace/decode"
)

// Handler is told what Read finds. An error from any method ends Read with that error.
type Handler interface {
	// Creation gets one record, which is valid until it returns.
	Creation(*decode.Record) error
	// Resumed says that a creator runs again that vfork had suspended; see [Options].
	Resumed(*decode.Resumed) error
	// Lost says that the given CPU had no room for n records, at about this point.
	Lost(cpu uint32, n uint64) error
	// Idle is called when everything that was there has been handled, at least every
	// 100 ms: the time to flush output. Returning false ends Read.
	Idle() (more bool, err error)
}

// Read hands over records until ctx ends or the handler wants no more, then detaches
// and hands over what was still in the buffer.
func (t *Tracer) Read(ctx context.Context, h Handler) error {
	err := t.readLive(ctx, h)
	t.ended = time.Now()
	t.gap, t.forksErr = t.compareForks()
	t.missed = t.kernel.missed()
	if totals, totalsErr := t.Totals(); totalsErr == nil {
		t.missed += totals.Missed
	}
	t.settled = true // what follows sees hooks that are half detached
	if detachErr := t.Detach(); err != nil || detachErr != nil {
		return errors.Join(err, detachErr)
	}
	return t.drain(h)
}

func (t *Tracer) readLive(ctx context.Context, h Handler) error {
	stop := context.AfterFunc(ctx, func() { _ = t.reader.Flush() })
	defer stop()

	var raw ringbuf.Record
	var rec decode.Record
	t.reader.SetDeadline(time.Now().Add(readInterval))
	for {
		err := t.reader.ReadInto(&raw)
		switch {
		case err == nil:
			if err := t.handle(h, raw.RawSample, &rec); err != nil {
				return err
			}
			if raw.Remaining > 0 {
				continue
			}
		case errors.Is(err, ringbuf.ErrFlushed):
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("reading the ring buffer: %w", err)
		}
		more, err := h.Idle()
		if err != nil {
			return err
		}
		if !more || ctx.Err() != nil {
			return nil
		}
		t.reader.SetDeadline(time.Now().Add(readInterval))
	}
}

// drain reads what is left when nothing is recorded any more.
func (t *Tracer) drain(h Handler) error {
	if err := t.reader.Flush(); err != nil {
		return fmt.Errorf("draining the ring buffer: %w", err)
	}
	t.reader.SetDeadline(time.Time{})
	var raw ringbuf.Record
	var rec decode.Record
	for {
		err := t.reader.ReadInto(&raw)
		if errors.Is(err, ringbuf.ErrFlushed) {
			break
		}
		if errors.Is(err, os.ErrDeadlineExceeded) { // left over from the last wait
			continue
		}
		if err != nil {
			return fmt.Errorf("draining the ring buffer: %w", err)
		}
		if err := t.handle(h, raw.RawSample, &rec); err != nil {
			return err
		}
	}
	totals, err := t.Totals()
	if err != nil {
		return err
	}
	if n := t.loss.rest(totals.Dropped.Sum()); n > 0 {
		if err := h.Lost(AnyCPU, n); err != nil {
			return err
		}
	}
	_, err = h.Idle()
	return err
}

func (t *Tracer) handle(h Handler, sample []byte, rec *decode.Record) error {
	if len(sample) == decode.ResumedSize {
		var r decode.Resumed
		if err := r.Parse(sample); err != nil {
			return fmt.Errorf("reading the ring buffer: %w", err)
		}
		return h.Resumed(&r)
	}
	if err := rec.Parse(sample); err != nil {
		return fmt.Errorf("reading the ring buffer: %w", err)
	}
	if n := t.loss.seen(rec.CPU, rec.Lost); n > 0 {
		if err := h.Lost(rec.CPU, n); err != nil {
			return err
		}
	}
	if rec.Layer == decode.LayerCopyProcess && !rec.Restarted() {
		t.watch.saw()
	}
	return h.Creation(rec)
}

// AnyCPU stands for records lost after the last one that arrived: their CPU is not known.
const AnyCPU = ^uint32(0)

// lossMeter finds losses where they happened: each record carries how many its CPU had
// lost before it.
type lossMeter struct {
	perCPU []uint64
	told   uint64
}

// seen returns how many records cpu has lost since the last call for it.
func (m *lossMeter) seen(cpu uint32, lost uint64) uint64 {
	if lost == 0 {
		return 0
	}
	for int(cpu) >= len(m.perCPU) {
		m.perCPU = append(m.perCPU, 0)
	}
	// a record may overtake an earlier one of its CPU where programs can be preempted
	if lost <= m.perCPU[cpu] {
		return 0
	}
	n := lost - m.perCPU[cpu]
	m.perCPU[cpu] = lost
	m.told += n
	return n
}

// rest returns what was lost after the last record that arrived.
func (m *lossMeter) rest(total uint64) uint64 {
	if total <= m.told {
		return 0
	}
	n := total - m.told
	m.told = total
	return n
}
