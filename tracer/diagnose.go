// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"io/fs"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Answer is what trying a hook came to.
type Answer string

// The answers.
const (
	AnswerWorks   Answer = "works"
	AnswerNotHere Answer = "not here"       // this kernel has no such hook, or forbids it
	AnswerUnknown Answer = "could not tell" // trying failed for a reason that says nothing about the hook
)

// notHere are the errors by which kernel and library say that a hook does not exist or is
// not allowed; anything else says nothing about the hook.
var notHere = []error{
	link.ErrNotSupported, ebpf.ErrNotSupported, btf.ErrNotFound, fs.ErrNotExist, unix.EPERM, unix.EACCES,
	unix.EINVAL, unix.ENOENT, unix.EOPNOTSUPP, unix.EBUSY, unix.ENODEV,
}

// answerOf sorts the error of an attempt.
func answerOf(err error) Answer {
	if err == nil {
		return AnswerWorks
	}
	for _, known := range notHere {
		if errors.Is(err, known) {
			return AnswerNotHere
		}
	}
	return AnswerUnknown
}

// Trial is a hook that was tried.
type Trial struct {
	Hook   *Hook
	Answer Answer
	Err    error // nil when it works
}

// Trait is a property of the running kernel that was found by looking, not by its version.
type Trait struct {
	Name    string
	Present bool
	Means   string
}

// Diagnosis is what can be found out about tracing on this kernel.
type Diagnosis struct {
	Trials []Trial
	Plan   []Attached // what a trace with all details would use
	Traits []Trait
	// Threads says that the machine's tasks and threads-max can be read at a failure; else
	// they are read from /proc, a moment later.
	Threads bool
	Err     error // why tracing is not possible; nil if it is
}

// Diagnose tries every hook, one after another, and attaches none for good. plan restricts
// which of them a trace may use.
func Diagnose(plan Plan) *Diagnosis {
	d := &Diagnosis{}
	o := Options{Details: true, Stages: StagesOfFailures, Plan: plan}
	k, err := openKernelSide(&o)
	if err != nil {
		d.Err = err
		return d
	}
	d.Traits = traits(k.kernel)
	d.Threads = k.limits.NrThreads != 0 && k.limits.MaxThreads != 0
	defer k.close()
	for i := range Hooks {
		h := &Hooks[i]
		l, p, err := k.try(h)
		if err == nil {
			err = errors.Join(l.Close(), p.Close())
		}
		d.Trials = append(d.Trials, Trial{h, answerOf(err), err})
	}
	if err := k.attachAll(&o); err != nil {
		d.Err = explainRefusal(err)
	}
	d.Plan = k.attached
	return d
}

// traitTable names members of kernel structs whose presence says what the kernel can do.
var traitTable = []struct {
	structure, member, means string
}{
	{"kernel_clone_args", "io_thread", "io_uring workers are made by copy_process (5.12)"},
	{"kernel_clone_args", "kthread", "requests for kernel threads are marked as such (5.19)"},
	{"kernel_clone_args", "user_worker", "vhost workers are made by copy_process (6.4)"},
	{"kernel_clone_args", "umh", "requests for user-mode helpers are marked as such (7.3)"},
	{"pid_namespace", "pid_max", "each pid namespace has a pid_max of its own (6.14)"},
	{"ucounts", "rlimit", "RLIMIT_NPROC is counted per user namespace (5.14), in ucounts.rlimit (5.19)"},
	{"signal_struct", "autoreap", "CLONE_AUTOREAP, CLONE_NNP and CLONE_PIDFD_AUTOKILL (7.1)"},
	{"task_struct", "exec_state", "dumpability is kept apart from the memory (7.2)"},
	{"task_struct", "real_fs", "kernel threads may override their fs (7.3)"},
}

// traits looks them up in the kernel's BTF; those that cannot be looked up are left out.
func traits(kernel *btf.Spec) []Trait {
	var found []Trait
	for _, t := range traitTable {
		var s *btf.Struct
		if err := kernel.TypeByName(t.structure, &s); err != nil {
			continue
		}
		found = append(found, Trait{t.structure + "." + t.member, hasMember(s, t.member), t.means})
	}
	return found
}

func hasMember(s *btf.Struct, name string) bool {
	for _, m := range s.Members {
		if m.Name == name {
			return true
		}
		if inner, ok := m.Type.(*btf.Struct); ok && m.Name == "" && hasMember(inner, name) {
			return true
		}
	}
	return false
}
