// SPDX-License-Identifier: Apache-2.0

package decode

// Entry is the way by which an attempt reached copy_process (enum entry in bpf/event.h).
type Entry uint8

// The entries, kernel/fork.c of 7.3.
const (
	EntryUnknown Entry = iota
	EntryFork
	EntryVfork
	EntryClone
	EntryClone3
	EntryKernelThread
	EntryUserModeHelper
	EntryIOWorker
	EntryVhostWorker
	EntryIdle
	entryCount
)

var entryNames = [entryCount]string{
	"unknown", "fork", "vfork", "clone", "clone3", "kernel_thread", "user_mode_helper",
	"io_worker", "vhost_worker", "idle",
}

// String is the name used in text and JSON.
func (e Entry) String() string {
	if e >= entryCount {
		e = EntryUnknown
	}
	return entryNames[e]
}

// IsSyscall says whether e is a system call that user space made.
func (e Entry) IsSyscall() bool { return e >= EntryFork && e <= EntryClone3 }

// Layer is the part of the kernel that refused an attempt (enum layer in bpf/event.h).
type Layer uint8

// The layers, outermost first.
const (
	LayerUnknown Layer = iota
	LayerNone          // it was not refused
	LayerSeccomp
	LayerSyscall // clone3's copy-in and argument checks
	LayerKernelClone
	LayerCopyProcess
	layerCount
)

var layerNames = [layerCount]string{"unknown", "none", "seccomp", "syscall", "kernel_clone", "copy_process"}

// seen is the layer that refused with an error, by the innermost hook that noted it. Where
// that is not the innermost of all, and no rule of its layer gives such an error, the kernel
// did not run the program on the one further in: then the layer is not known.
func (l Layer) seen(errno Errno) Layer {
	if l != LayerSyscall && l != LayerKernelClone {
		return l
	}
	for i := range Rules {
		if Rules[i].Layer == l && Rules[i].Errno == errno {
			return l
		}
	}
	return LayerUnknown
}

// String is the name used in JSON.
func (l Layer) String() string {
	if l >= layerCount {
		l = LayerUnknown
	}
	return layerNames[l]
}
