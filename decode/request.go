// SPDX-License-Identifier: Apache-2.0

package decode

// Request is what a caller passed to the kernel, before the kernel changed anything. The
// zero value of each field is the harmless one. Fields that the call does not have are
// not looked at.
type Request struct {
	Entry Entry

	// Flags and ExitSignal are as passed. clone(2) has one word for both and drops its
	// upper half: there the exit signal is the low byte of either, whichever holds it.
	// For fork and vfork the kernel sets both.
	Flags      uint64
	ExitSignal uint64 // all 64 bits of clone3's field

	Stack     uint64 // clone3: lowest address of the child's stack
	StackSize uint64 // clone3, bytes
	TLS       uint64

	// Addresses in the caller's memory. clone(2) has one for pidfd and parent_tid.
	Pidfd     uint64
	ParentTid uint64
	SetTid    uint64

	SetTidSize uint64  // clone3: numbers at SetTid
	Tids       []int32 // the numbers at SetTid, innermost namespace first; those missing are not known
	Cgroup     uint64  // clone3: file descriptor for CLONE_INTO_CGROUP, all 64 bits

	// Size is clone3's second argument: the bytes of clone_args that the caller has.
	Size uint64
	// Tail says what is in those bytes past [CloneArgsSize].
	Tail Tail

	// Faults: whether memory that the call names cannot be accessed.
	ArgsFault   Truth // clone3: up to CloneArgsSize bytes of clone_args; Open counts as No
	SetTidFault Truth // clone3: the numbers at SetTid; Open counts as No
	PidfdFault  Truth // the place for the pidfd; Open counts as No
}

// Tail says what the part of clone_args holds that the kernel has no fields for.
type Tail uint8

// The kinds of tail. What the kernel meets first decides.
const (
	TailZero Tail = iota
	TailNonzero
	TailFault
)

// Sizes of struct clone_args in bytes, include/uapi/linux/sched.h of 7.3: the first
// version (5.3), with set_tid (5.5), and with cgroup (5.7), which is the last up to 7.3.
const (
	CloneArgsSize0 = 64
	CloneArgsSize1 = 80
	CloneArgsSize  = 88
)

// low32 is what clone(2) keeps of its flags.
const low32 = 1<<32 - 1

// Offsets in struct clone_args of the fields that a short struct lacks.
const (
	offSetTid     = 64
	offSetTidSize = 72
	offCgroup     = 80
)

// asRead is the request as the kernel has it after it read the arguments: fields that the
// call has not, or that a short clone_args leaves out, are zero.
func (r *Request) asRead() Request {
	k := *r
	switch r.Entry {
	case EntryFork:
		return Request{Entry: r.Entry, ExitSignal: sigChld}
	case EntryVfork:
		return Request{Entry: r.Entry, Flags: vforkFlags, ExitSignal: sigChld}
	case EntryClone3:
		k.SetTid = fieldWithin(r.SetTid, r.Size, offSetTid)
		k.SetTidSize = fieldWithin(r.SetTidSize, r.Size, offSetTidSize)
		k.Cgroup = fieldWithin(r.Cgroup, r.Size, offCgroup)
	case EntryClone:
		k.ExitSignal = (r.Flags | r.ExitSignal) & CSignal
		k.Flags = r.Flags & low32 &^ CSignal
		k.Pidfd = r.ParentTid
		k.SetTid, k.SetTidSize = 0, 0
	default:
		k.SetTid, k.SetTidSize = 0, 0
	}
	return k
}

// fieldWithin is what is left of a 64-bit field, at an offset in clone_args, when only
// size bytes were copied: the kernel zeroes the rest. Low bytes come first on every
// architecture that forktrace knows.
func fieldWithin(value, size uint64, offset uint64) uint64 {
	switch {
	case size >= offset+8:
		return value
	case size <= offset:
		return 0
	}
	return value & (1<<(8*(size-offset)) - 1)
}
