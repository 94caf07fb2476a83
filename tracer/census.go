// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// Default sizes of a census.
const (
	// DefaultCensusRows is how many creating processes have counters of their own.
	DefaultCensusRows = 1 << 13
	// censusProcesses bounds the processes whose ancestry is kept: live ones, and dead
	// ones that have created until the next reading.
	censusProcesses = 1 << 15
	// censusCgroups bounds the cgroups that have counters for the processes without.
	censusCgroups = 1 << 10
	// censusPidns bounds the pid namespaces whose use is known.
	censusPidns = 1 << 10
)

// CensusOptions says how to count. The zero value counts everything.
type CensusOptions struct {
	// Rows is how many creating processes have counters of their own, 0 for
	// DefaultCensusRows. What no longer fits is counted by cgroup.
	Rows int
	// V1 takes cgroups from the version 1 hierarchy of the pids controller.
	V1 bool
	// NoFailures leaves out the hooks that see failures; see Options.
	NoFailures bool
	// Plan forces a family of hooks; "" is PlanAuto.
	Plan Plan
}

func (o *CensusOptions) configure(spec *ebpf.CollectionSpec) error {
	rows := uint32(DefaultCensusRows)
	if o.Rows > 0 {
		rows = uint32(o.Rows)
	}
	for name, size := range map[string]uint32{
		"census_rows": rows, "census_processes": censusProcesses, "census_cgroups": min(rows, censusCgroups),
		"census_pidns": censusPidns,
	} {
		spec.Maps[name].MaxEntries = size
	}
	for name, value := range map[string]bool{"census": true, "census_v1": o.V1} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

// Census counts, in the kernel, what every process creates. It has no stream and loses
// nothing. It must be used by one goroutine. Close it.
type Census struct {
	kernel  *kernelSide
	retired Tally
	ended   map[ProcessID]bool // processes whose children have not ended
	rows    batch[bpfRowKey, bpfTally]
	procs   batch[bpfProcessKey, bpfLineage]
	groups  batch[uint64, bpfTally]
	pidns   batch[uint32, bpfPidnsUse]
}

// NewCensus loads the kernel side and attaches it, and errs as [New] does.
func NewCensus(c CensusOptions) (*Census, error) {
	o := Options{Plan: c.Plan, NoFailures: c.NoFailures, BufferSize: MinBufferSize, census: &c}
	side, err := openKernelSide(&o)
	if err != nil {
		return nil, err
	}
	if err := side.attachAll(&o); err != nil {
		return nil, errors.Join(explainRefusal(err), side.close())
	}
	t := &Census{kernel: side, ended: map[ProcessID]bool{}}
	if err := t.visit(); err != nil {
		return nil, errors.Join(err, side.close())
	}
	return t, nil
}

// visit makes the kernel side enter the processes that were there before it.
func (c *Census) visit() error {
	for i, a := range c.kernel.working() {
		it, ok := c.kernel.links[i].(*link.Iter)
		if a.Need != NeedExisting || !ok {
			continue
		}
		walk, err := it.Open()
		if err != nil {
			return fmt.Errorf("visiting the processes: %w", err)
		}
		_, err = io.Copy(io.Discard, walk)
		if err = errors.Join(err, walk.Close()); err != nil {
			return fmt.Errorf("visiting the processes: %w", err)
		}
	}
	return nil
}

// Plan says which hook serves each need, and which better ones did not work.
func (c *Census) Plan() []Attached { return c.kernel.attached }

// Missed is how many outcomes the kernel's programs were not run for.
func (c *Census) Missed() uint64 { return c.kernel.missed() }

// Close detaches and releases everything.
func (c *Census) Close() error { return c.kernel.close() }

// batch reads whole maps into buffers that are used again.
type batch[K comparable, V any] struct {
	keys   []K
	values []V
}

// read returns what is in a map. What is put in or taken out meanwhile is there or is not.
func (b *batch[K, V]) read(m *ebpf.Map) ([]K, []V, error) {
	if size := int(m.MaxEntries()); b.keys == nil {
		b.keys, b.values = make([]K, min(size, 512)), make([]V, min(size, 512))
	}
	var cursor ebpf.MapBatchCursor
	n := 0
	for {
		got, err := m.BatchLookup(&cursor, b.keys[n:], b.values[n:], nil)
		n += got
		switch {
		case errors.Is(err, ebpf.ErrKeyNotExist):
			return b.keys[:n], b.values[:n], nil
		case errors.Is(err, errBatchRoom) && len(b.keys) < 4*int(m.MaxEntries()): // a bucket of the hash has more than there is room for
		case err != nil:
			return nil, nil, fmt.Errorf("reading %v: %w", m, err)
		}
		if n > len(b.keys)/2 || err != nil {
			b.keys = append(b.keys, make([]K, len(b.keys))...)
			b.values = append(b.values, make([]V, len(b.values))...)
		}
	}
}

// text is a zero-terminated string of the kernel's.
func text(b []int8) string {
	s := make([]byte, len(b))
	for i, c := range b {
		s[i] = byte(c)
	}
	s, _, _ = bytes.Cut(s, []byte{0})
	return string(s)
}
