// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Sizes of the arrays in a [Record] (bpf/event.h).
const (
	CommLen   = 16 // TASK_COMM_LEN, include/linux/sched.h
	NSPidsMax = 8  // levels of pid namespaces kept, outermost first
	SetTidMax = 8  // levels of set_tid kept, innermost first
)

// Lengths in bytes of one record in the ring buffer.
const (
	WireSize    = 1160 // with [Progress]
	FailureSize = 1016 // of a failure
	DetailsSize = 360  // of a success with details
	ShortSize   = 160  // of one without
)

// ErrWire is what [Record.Parse] returns, wrapped, for bytes that are no record.
var ErrWire = errors.New("not a creation record")

// Have says which groups of fields of a [Record] the hook could fill in.
// What is not there is unknown, never zero.
type Have uint32

// The groups, as enum have in bpf/event.h defines them.
const (
	HaveFlags          Have = 1 << iota // Flags
	HaveExitSignal                      // ExitSignal, as requested
	HaveStack                           // Stack
	HaveStackSize                       // StackSize
	HaveParentTidptr                    // ParentTidptr
	HaveChildTidptr                     // ChildTidptr
	HaveTLS                             // TLS
	HavePidfd                           // Pidfd
	HaveSetTid                          // SetTidSize, SetTid
	HaveCgroupFD                        // CgroupFD
	HaveFn                              // Fn
	HaveDuration                        // Duration
	HaveChild                           // Child* before CgroupFD
	HaveChildTLS                        // ChildTLS
	HaveCgroup                          // CgroupID
	HaveChildCgroup                     // ChildCgroupID
	HaveStartTime                       // StartTime, ChildStartTime
	HaveNamespaces                      // PidNS, UserNS, MntNS
	HaveReread                          // the request was read from user memory a second time
	HaveChildDetails                    // Child* behind it, NSPids
	HaveStages                          // Progress
	HaveCreatorDetails                  // CapEffective, CreatorLevel
	HaveLeader                          // LeaderSignal
)

// Record is one creation attempt as the kernel side saw it: the wire record of
// bpf/event.h, field for field. Ids are those of the initial pid namespace
// unless a field says otherwise.
type Record struct {
	Time     uint64 // CLOCK_BOOTTIME at the outcome, ns
	Duration uint64 // inside copy_process, ns (HaveDuration)
	Seq      uint64 // number of the record among those of its CPU, lost ones included
	Lost     uint64 // records this CPU had dropped before this one

	Flags uint64 // clone_flags without the exit signal (HaveFlags)
	Stack uint64

	StartTime      uint64 // creator's, CLOCK_BOOTTIME, ns
	ChildStartTime uint64

	Facts      FactSet // what was observed in the child before it ran
	FactsKnown FactSet // which of Facts could be observed at all

	Have           Have
	CPU            uint32
	Result         int32  // the child's tid, or a negative errno
	ExitSignal     int32  // as requested (HaveExitSignal)
	Pid            uint32 // creator's tgid
	Tid            uint32
	PPid           uint32 // tgid of the creator's real_parent
	UID            uint32
	GID            uint32
	TaskFlags      uint32 // creator's task_struct.flags, PF_*
	ChildPid       uint32 // tgid
	ChildLevel     uint32 // of the child's pid namespace, 0 is the initial one
	ChildTaskFlags uint32 // PF_*
	// ChildExitSignal is what the child got, after the substitutions that
	// CLONE_PARENT and CLONE_THREAD (then -1) make.
	ChildExitSignal int32
	Comm            [CommLen]byte
	Entry           Entry
	Layer           Layer

	// What follows a record of a success has only where details were asked for.

	CgroupFD     int32 // HaveCgroupFD
	StackSize    uint64
	ParentTidptr uint64
	ChildTidptr  uint64
	TLS          uint64
	Pidfd        uint64 // user address that receives the pidfd
	Fn           uint64 // kernel address that a kernel-made task runs

	CgroupID      uint64 // creator's, default (v2) hierarchy
	ChildCgroupID uint64

	ChildSetChildTid   uint64 // task_struct.set_child_tid
	ChildClearChildTid uint64 // task_struct.clear_child_tid
	ChildTLS           uint64 // x86-64 thread.fsbase, arm64 thread.uw.tp_value

	SetTidSize  uint32
	SetTid      [SetTidMax]int32
	PidNS       uint32 // inode numbers of the creator's namespaces
	UserNS      uint32
	MntNS       uint32
	ChildPidNS  uint32            // inode number
	ChildPtrace uint32            // task_struct.ptrace
	ChildPPid   uint32            // tgid of the child's real_parent
	ChildPTid   uint32            // tid of the child's real_parent
	NSPids      [NSPidsMax]uint32 // the child's tid at each level, outermost first

	// Of the creator of a success (HaveCreatorDetails).
	CapEffective uint64 // in its user namespace; only if Flags ask for a namespace
	LeaderSignal int32  // exit signal of its thread group's leader, for CLONE_PARENT (HaveLeader)
	CreatorLevel uint32 // of its own pid namespace, 0 is the initial one

	Evidence Evidence // failures only
	Progress Progress // inside copy_process, where stages were asked for (HaveStages)
}

// Parse fills r from one ring-buffer sample without allocating. It fails, with an
// error that wraps [ErrWire], only when b is shorter than [ShortSize]. What the sample is
// too short for, and what it has not ([Have]), becomes zero; bytes behind [WireSize] are
// ignored, as the ring rounds sizes up.
func (r *Record) Parse(b []byte) error {
	if len(b) < ShortSize {
		return fmt.Errorf("%w: %d bytes, want %d", ErrWire, len(b), ShortSize)
	}
	if len(b) < WireSize {
		r.Progress = Progress{}
	} else {
		r.Progress.parse((*[progressSize]byte)(b[FailureSize:]))
	}
	if len(b) < FailureSize {
		r.Evidence = Evidence{}
	} else {
		r.Evidence.parse((*[evidenceSize]byte)(b[DetailsSize:]))
	}
	if len(b) < DetailsSize {
		var whole [DetailsSize]byte
		copy(whole[:], b[:ShortSize])
		b = whole[:]
	}
	w := (*[DetailsSize]byte)(b)
	le := binary.LittleEndian

	have := Have(le.Uint32(w[80:]))
	r.Have = have
	r.Time = le.Uint64(w[0:])
	r.Duration = held(have, HaveDuration, le.Uint64(w[8:]))
	r.Seq = le.Uint64(w[16:])
	r.Lost = le.Uint64(w[24:])
	r.Flags = le.Uint64(w[32:])
	r.Stack = held(have, HaveStack, le.Uint64(w[40:]))
	r.StartTime = le.Uint64(w[48:])
	r.ChildStartTime = le.Uint64(w[56:])
	r.Facts = FactSet(le.Uint64(w[64:]))
	r.FactsKnown = FactSet(le.Uint64(w[72:]))
	r.CPU = le.Uint32(w[84:])
	r.Result = int32(le.Uint32(w[88:]))
	r.ExitSignal = held(have, HaveExitSignal, int32(le.Uint32(w[92:])))
	r.Pid = le.Uint32(w[96:])
	r.Tid = le.Uint32(w[100:])
	r.PPid = le.Uint32(w[104:])
	r.UID = le.Uint32(w[108:])
	r.GID = le.Uint32(w[112:])
	r.TaskFlags = le.Uint32(w[116:])
	r.ChildPid = le.Uint32(w[120:])
	r.ChildLevel = le.Uint32(w[124:])
	r.ChildTaskFlags = le.Uint32(w[128:])
	r.ChildExitSignal = int32(le.Uint32(w[132:]))
	copy(r.Comm[:], w[136:152])
	r.Entry = Entry(w[152])
	r.Layer = Layer(w[153]).seen(r.Errno())
	r.CgroupFD = held(have, HaveCgroupFD, int32(le.Uint32(w[156:])))
	r.StackSize = held(have, HaveStackSize, le.Uint64(w[160:]))
	r.ParentTidptr = held(have, HaveParentTidptr, le.Uint64(w[168:]))
	r.ChildTidptr = held(have, HaveChildTidptr, le.Uint64(w[176:]))
	r.TLS = held(have, HaveTLS, le.Uint64(w[184:]))
	r.Pidfd = held(have, HavePidfd, le.Uint64(w[192:]))
	r.Fn = held(have, HaveFn, le.Uint64(w[200:]))
	r.CgroupID = le.Uint64(w[208:])
	r.ChildCgroupID = le.Uint64(w[216:])
	r.ChildSetChildTid = le.Uint64(w[224:])
	r.ChildClearChildTid = le.Uint64(w[232:])
	r.ChildTLS = le.Uint64(w[240:])
	r.SetTidSize = held(have, HaveSetTid, le.Uint32(w[248:]))
	for i := range r.SetTid {
		r.SetTid[i] = 0
		if uint32(i) < r.SetTidSize {
			r.SetTid[i] = int32(le.Uint32(w[252+4*i:]))
		}
	}
	r.PidNS = le.Uint32(w[284:])
	r.UserNS = le.Uint32(w[288:])
	r.MntNS = le.Uint32(w[292:])
	r.ChildPidNS = le.Uint32(w[296:])
	r.ChildPtrace = le.Uint32(w[300:])
	r.ChildPPid = le.Uint32(w[304:])
	r.ChildPTid = le.Uint32(w[308:])
	for i := range r.NSPids {
		r.NSPids[i] = 0
		if uint32(i) <= r.ChildLevel {
			r.NSPids[i] = held(have, HaveChildDetails, le.Uint32(w[312+4*i:]))
		}
	}
	r.CapEffective = le.Uint64(w[344:])
	r.LeaderSignal = held(have, HaveLeader, int32(le.Uint32(w[352:])))
	r.CreatorLevel = le.Uint32(w[356:])
	return nil
}

// held is a field of the record if it has the group: else leftovers of the ring are there.
func held[T int32 | uint32 | uint64](have, group Have, v T) T {
	if have&group == 0 {
		return 0
	}
	return v
}

// Failed says whether the attempt was refused.
func (r *Record) Failed() bool { return r.Result < 0 }

// Errno is the positive error number of a failed attempt, 0 for a success.
func (r *Record) Errno() Errno {
	if r.Result >= 0 {
		return 0
	}
	return Errno(-int64(r.Result))
}

// Restarted says whether a signal came first, so that the attempt is made again. Where a
// filter answers with such a number it is an error like others.
func (r *Record) Restarted() bool { return r.Errno().IsRestart() && r.Layer != LayerSeccomp }

// CommBytes is the creator's task name up to its terminating zero. It is chosen
// by the traced program: escape it before it reaches a terminal.
func (r *Record) CommBytes() []byte {
	for i, c := range r.Comm {
		if c == 0 {
			return r.Comm[:i]
		}
	}
	return r.Comm[:]
}
