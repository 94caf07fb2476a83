// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/binary"
	"fmt"
)

// ResumedSize is the length in bytes of a [Resumed] in the ring buffer, by which it is
// told apart from a [Record].
const ResumedSize = 32

// Resumed says that a creator runs again which CLONE_VFORK had suspended, until its child
// executed a program or exited (vfork(2), kernel/fork.c: wait_for_vfork_done): struct
// resumed of bpf/event.h.
type Resumed struct {
	Time      uint64 // CLOCK_BOOTTIME, ns
	Suspended uint64 // since the child was made, ns
	Pid       uint32 // creator's tgid
	Tid       uint32
	Child     int32 // its tid
	CPU       uint32
}

// Parse fills r from one ring-buffer sample of exactly [ResumedSize] bytes; for others it
// returns an error that wraps [ErrWire].
func (r *Resumed) Parse(b []byte) error {
	if len(b) != ResumedSize {
		return fmt.Errorf("%w: %d bytes, want %d", ErrWire, len(b), ResumedSize)
	}
	le := binary.LittleEndian
	r.Time = le.Uint64(b[0:])
	r.Suspended = le.Uint64(b[8:])
	r.Pid = le.Uint32(b[16:])
	r.Tid = le.Uint32(b[20:])
	r.Child = int32(le.Uint32(b[24:]))
	r.CPU = le.Uint32(b[28:])
	return nil
}
