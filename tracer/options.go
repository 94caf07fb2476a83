// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"cmp"
	"fmt"
	"math/bits"
	"time"
)

// DefaultBufferSize is the size of the ring buffer in bytes: room for some 12,000
// records, which at 100,000 creations a second is a tenth of a second.
const DefaultBufferSize = 4 << 20

// The smallest and largest ring buffer, in bytes.
const (
	MinBufferSize = 4096
	MaxBufferSize = 1 << 30
)

const (
	// treeSize bounds the tree of followed processes: its members are live processes.
	// What does not fit is counted.
	treeSize = 1 << 16
	// inflightMin and inflightPerCPU bound the creations that are inside copy_process at one
	// time. An LRU map hands free entries to each CPU by the hundred and evicts where one
	// finds none, so that it has to grow with their number.
	inflightMin    = 1 << 12
	inflightPerCPU = 1 << 8
	// The reader is woken when one part in so many of the buffer is unread.
	wakeShare = 4
)

// StagesOf says which creations are followed through the stages of copy_process
// ([decode.StageTable]). While functions in it are hooked each creation of the machine
// takes some microseconds longer.
type StagesOf uint8

// BusyRate is the rate of creations, a second, from which on the hooks of the stages are not
// kept for failures that may come. By the estimate of one to three microseconds a creation, which
// no processor with kprobes has confirmed, they take three hundredths of one: about what the
// records of so many creations do.
const BusyRate = 10000

// The choices.
const (
	StagesOfNone StagesOf = iota
	// StagesSparing hooks the functions, and takes the hooks off while the machine makes more
	// than [BusyRate] creations a second and none has failed for a minute.
	StagesSparing
	StagesOfFailures // keeps them hooked; only failures tell
	StagesOfAll      // keeps them hooked; successes tell too, and the hooks are measured
)

// Options says what to trace. Its zero value traces everything.
type Options struct {
	// Pids are the tgids whose creations are wanted, nil for everyone's. Ids are those
	// of the initial pid namespace.
	Pids []uint32
	// Follow adds the processes that members of Pids create.
	Follow bool
	// Launch prepares Tracer.Launch: only the launched tree is traced.
	Launch bool
	// UIDs are real user ids of creators, nil for all.
	UIDs []uint32
	// PPids are tgids of creators' parents, nil for all. Ids are those of the initial pid
	// namespace.
	PPids []uint32
	// Comms are names of creating tasks, nil for all. Longer ones are cut as the kernel
	// cuts them, to 15 bytes.
	Comms []string
	// CgroupDir is a directory of the v2 hierarchy; creators below it are wanted.
	CgroupDir string
	// Flags must all be in a request.
	Flags uint64
	// FailedOnly leaves successes out; they are still counted.
	FailedOnly bool
	// NoFailures leaves out the hooks that see failures, which cost every system call
	// of the machine a little where nothing better than their exit can be hooked.
	NoFailures bool
	// Plan forces a family of hooks; "" is PlanAuto.
	Plan Plan
	// Details asks for what costs extra cache misses for every creation: cgroup and
	// namespace numbers and the addresses and sizes of the request, and when creators
	// run again that vfork had suspended.
	Details bool
	// Stages says which creations are followed through the stages of copy_process.
	Stages StagesOf
	// BufferSize of the ring in bytes, rounded up to a power of two and the page size;
	// 0 is DefaultBufferSize.
	BufferSize int
	// Immediate wakes the reader for each record, at some 10 µs a creation.
	Immediate bool

	census *CensusOptions // count instead of recording; see [NewCensus]
	// With StagesSparing: the rate above which hooks come off, 0 is BusyRate; and for how long
	// no creation must have failed before, and the rate have been lower until they are put on
	// again, 0 is a minute.
	busy  float64
	quiet time.Duration
}

func (o *Options) busyRate() float64 { return cmp.Or(o.busy, BusyRate) }

// quietTime is quiet as it applies.
func (o *Options) quietTime() time.Duration { return cmp.Or(o.quiet, time.Minute) }

func inflightSizeFor(cpus int) uint32 { return uint32(max(inflightMin, inflightPerCPU*cpus)) }

// follows says whether processes are added to the tree while tracing.
func (o *Options) follows() bool { return o.Launch || o.Follow }

// filtersTree says whether only members of the tree are traced.
func (o *Options) filtersTree() bool { return o.Launch || o.Pids != nil }

// Filtered says whether the kernel leaves creations out.
func (o *Options) Filtered() bool {
	return o.FailedOnly || o.filtersTree() || o.UIDs != nil || o.PPids != nil || o.Comms != nil || o.CgroupDir != "" || o.Flags != 0
}

// bufferSize is the size of the ring as the kernel wants it.
func (o *Options) bufferSize() (uint32, error) {
	n := o.BufferSize
	if n == 0 {
		n = DefaultBufferSize
	}
	if n < MinBufferSize || n > MaxBufferSize {
		return 0, fmt.Errorf("buffer size %d: must be between %d and %d bytes", n, MinBufferSize, MaxBufferSize)
	}
	return 1 << bits.Len32(uint32(n-1)), nil
}

// wakeBytes is the unread length at which the reader is woken.
func (o *Options) wakeBytes(buffer uint32) uint64 {
	if o.Immediate {
		return 0
	}
	return uint64(buffer / wakeShare)
}
