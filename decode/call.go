// SPDX-License-Identifier: Apache-2.0

package decode

// AnySignal stands for an exit signal that is not known, or does not matter.
const AnySignal = -1

// StackUse says whether a request brings a stack for the child.
type StackUse uint8

// The uses of the stack argument.
const (
	StackAny   StackUse = iota // not known, or does not matter
	StackOwn                   // the child gets a stack of its own
	StackShare                 // none is given: the child goes on with its creator's
)

// CallForm is one row of the table of well-known requests: the very words that a library
// or a part of the kernel is known to issue.
type CallForm struct {
	Name       string   `json:"name"` // of the library call or kernel function, as its users know it
	Entries    EntrySet `json:"-"`    // ways that the request comes by
	ByEntry    bool     `json:"-"`    // nothing else comes by that way: what follows need not match
	Flags      uint64   `json:"-"`    // all of these are there, and no others
	Optional   uint64   `json:"-"`    // except some of these
	ExitSignal int      `json:"-"`    // AnySignal when it does not matter
	Stack      StackUse `json:"-"`    // StackAny when it does not matter
	Sentence   string   `json:"sentence"`
	Source     string   `json:"source"` // file and version that it was read in
}

// What several rows have in common.
const (
	vforkFlags  = CloneVM | CloneVfork
	threadFlags = CloneVM | CloneFS | CloneFiles | CloneSighand | CloneThread | CloneSysvsem
	libcThread  = threadFlags | CloneSetTLS | CloneParentSetTid | CloneChildClearTid
	kernelFlags = CloneVM | CloneUntraced
)

// CallForms is the table of well-known requests. The first row that matches names the
// call; where several libraries issue the same words, the row has a name that fits all
// of them. Nothing keeps a program from issuing these words by hand.
var CallForms = []CallForm{
	{
		Name: "fork", Entries: EntriesOf(EntryFork), ByEntry: true, ExitSignal: sigChld,
		Sentence: "The fork system call, as musl's fork() makes it on x86.",
		Source:   "musl 1.2.3, src/process/_Fork.c and run under strace",
	},
	{
		Name: "fork", Entries: EntriesOf(EntryClone), Flags: CloneChildSetTid | CloneChildClearTid, ExitSignal: sigChld,
		Sentence: "fork() of glibc: the kernel stores the child's thread id in the child's thread descriptor.",
		Source:   "glibc 2.29, sysdeps/unix/sysv/linux/arch-fork.h; glibc 2.41 run under strace",
	},
	{
		Name: "fork", Entries: EntriesOf(EntryClone), ExitSignal: sigChld, Stack: StackShare,
		Sentence: "A bare fork through clone: musl's fork() where there is no fork system call, as on arm64.",
		Source:   "musl 1.2.3, src/process/_Fork.c",
	},
	{
		Name: "vfork", Entries: EntriesOf(EntryVfork), ByEntry: true, Flags: vforkFlags, ExitSignal: sigChld,
		Sentence: "The vfork system call, as vfork() makes it on x86; Python's subprocess uses it to start programs.",
		Source:   "musl 1.2.3, glibc 2.41 and CPython run under strace",
	},
	{
		Name: "vfork", Entries: EntriesOf(EntryClone), Flags: vforkFlags, ExitSignal: sigChld, Stack: StackShare,
		Sentence: "A vfork through clone: how Go's os/exec starts a program when it can have no pidfd, and vfork() of Android on arm64.",
		Source:   "Go 1.26, src/syscall/exec_linux.go, forkAndExecInChild1; bionic, libc/arch-arm64/bionic/vfork.S",
	},
	{
		Name: "posix_spawn/vfork", Entries: EntriesOf(EntryClone), Flags: vforkFlags, ExitSignal: sigChld, Stack: StackOwn,
		Sentence: "posix_spawn(), system() or popen() of musl, of glibc up to 2.33, and of later glibc where clone3 is not to be had; on arm64 also vfork() of glibc.",
		Source:   "glibc 2.29, sysdeps/unix/sysv/linux/spawni.c and aarch64/vfork.S; musl 1.2.3 run under strace",
	},
	{
		Name: "posix_spawn", Entries: EntriesOf(EntryClone3), Flags: vforkFlags, ExitSignal: sigChld, Stack: StackOwn,
		Sentence: "posix_spawn(), system() or popen() of glibc 2.34 to 2.37.",
		Source:   "glibc 2.36 run under strace",
	},
	{
		Name: "posix_spawn", Entries: EntriesOf(EntryClone3), Flags: vforkFlags | CloneClearSighand, Optional: CloneIntoCgroup, ExitSignal: sigChld,
		Sentence: "posix_spawn(), system() or popen() of glibc from 2.38 on; with CLONE_INTO_CGROUP it was told the child's cgroup.",
		Source:   "glibc 2.41 run under strace",
	},
	{
		Name: "pidfd_spawn", Entries: EntriesOf(EntryClone3), Flags: vforkFlags | CloneClearSighand | ClonePidfd, Optional: CloneIntoCgroup, ExitSignal: sigChld,
		Sentence: "pidfd_spawn() of glibc from 2.39 on, which systemd starts services with.",
		Source:   "glibc 2.41 run under strace",
	},
	{
		Name: "syscall.forkExec", Entries: EntriesOf(EntryClone), Flags: vforkFlags | ClonePidfd, ExitSignal: sigChld, Stack: StackShare,
		Sentence: "Go's os/exec starts a program and keeps a pidfd of it.",
		Source:   "Go 1.26, src/syscall/exec_linux.go, forkAndExecInChild1",
	},
	{
		Name: "syscall.forkExec", Entries: EntriesOf(EntryClone3), Flags: vforkFlags | CloneIntoCgroup, Optional: ClonePidfd, ExitSignal: sigChld, Stack: StackShare,
		Sentence: "Go's os/exec starts a program in a given cgroup.",
		Source:   "Go 1.26, src/syscall/exec_linux.go, forkAndExecInChild1",
	},
	{
		Name: "syscall.doCheckClonePidfd", Entries: EntriesOf(EntryClone), Flags: vforkFlags | ClonePidfd, ExitSignal: 0, Stack: StackShare,
		Sentence: "A Go program finds out, once, whether clone can give it a pidfd; the child exits at once.",
		Source:   "Go 1.26, src/syscall/exec_linux.go",
	},
	{
		Name: "pthread_create", Entries: EntriesOf(EntryClone, EntryClone3), Flags: libcThread, ExitSignal: 0,
		Sentence: "pthread_create() of glibc (by clone3 from 2.34 on), and so the threads of C++, Rust, Java or Python.",
		Source:   "glibc 2.36 and 2.41 run under strace",
	},
	{
		Name: "pthread_create", Entries: EntriesOf(EntryClone), Flags: libcThread | CloneDetached, ExitSignal: 0,
		Sentence: "pthread_create() of musl, which still sets CLONE_DETACHED.",
		Source:   "musl 1.2.3, src/thread/pthread_create.c and run under strace",
	},
	{
		Name: "runtime.newosproc", Entries: EntriesOf(EntryClone), Flags: threadFlags, Optional: CloneSetTLS, ExitSignal: 0, Stack: StackOwn,
		Sentence: "The Go runtime starts an operating system thread to run goroutines on; programs with cgo use pthread_create instead.",
		Source:   "Go 1.26, src/runtime/os_linux.go; sys_linux_amd64.s adds CLONE_SETTLS, sys_linux_arm64.s does not",
	},
	{
		Name: "kthread_create", Entries: EntriesOf(EntryKernelThread), Flags: kernelFlags | CloneFS | CloneFiles, ExitSignal: AnySignal,
		Sentence: "kthreadd starts a kernel thread for whoever called kthread_create().",
		Source:   "Linux 7.3, kernel/kthread.c, create_kthread",
	},
	{
		Name: "kernel_thread", Entries: EntriesOf(EntryKernelThread), ByEntry: true,
		Flags: kernelFlags, Optional: CloneFS | CloneFiles | CloneSighand, ExitSignal: AnySignal,
		Sentence: "The kernel starts a thread of its own directly.",
		Source:   "Linux 7.3, kernel/fork.c, kernel_thread",
	},
	{
		Name: "call_usermodehelper", Entries: EntriesOf(EntryUserModeHelper), Flags: kernelFlags, Optional: CloneParent, ExitSignal: AnySignal,
		Sentence: "A kernel worker starts a program; with CLONE_PARENT it does not wait for its end.",
		Source:   "Linux 7.3, kernel/umh.c",
	},
	{
		Name: "create_io_thread", Entries: EntriesOf(EntryIOWorker), ByEntry: true,
		Flags: kernelFlags | CloneFS | CloneFiles | CloneSighand | CloneThread | CloneIO, ExitSignal: AnySignal,
		Sentence: "io_uring adds a worker, or the thread that polls a submission queue.",
		Source:   "Linux 7.3, kernel/fork.c, create_io_thread",
	},
	{
		Name: "vhost_task_create", Entries: EntriesOf(EntryVhostWorker), ByEntry: true,
		Flags: kernelFlags | CloneFS | CloneSighand | CloneThread, Optional: CloneFiles, ExitSignal: AnySignal,
		Sentence: "vhost, or KVM on x86 for the recovery of huge pages, adds a worker.",
		Source:   "Linux 7.3, kernel/vhost_task.c",
	},
	{
		Name: "fork_idle", Entries: EntriesOf(EntryIdle), ByEntry: true, Flags: CloneVM, Optional: CloneFS, ExitSignal: AnySignal,
		Sentence: "A processor comes up and needs an idle task.",
		Source:   "Linux 7.3, kernel/fork.c, fork_idle",
	},
}

// Matches says whether the form is made of these flags, exit signal and stack. What is not
// known of the request ([AnySignal], [StackAny]) matches only where it makes no
// difference: a thread's exit signal has no effect.
func (f *CallForm) Matches(flags uint64, exitSignal int, stack StackUse) bool {
	return flags&^f.Optional == f.Flags &&
		(f.Stack == StackAny || f.Stack == stack) &&
		(f.ExitSignal == AnySignal || f.ExitSignal == exitSignal ||
			exitSignal == AnySignal && flags&CloneThread != 0)
}

// CallOf finds the form of a request, or returns nil when it is none that is known.
// exitSignal may be [AnySignal] and stack [StackAny] when they are not known.
func CallOf(entry Entry, flags uint64, exitSignal int, stack StackUse) *CallForm {
	if entry == EntryUnknown {
		return nil
	}
	for i := range CallForms {
		if f := &CallForms[i]; f.Entries.Has(entry) && (f.ByEntry || f.Matches(flags, exitSignal, stack)) {
			return f
		}
	}
	return nil
}

// CallForm is the form of the attempt's request, or nil when it is none that is known.
func (r *Record) CallForm() *CallForm {
	if r.Have&HaveFlags == 0 {
		return callByEntry(r.Entry)
	}
	exitSignal, stack := AnySignal, StackAny
	if r.Have&HaveExitSignal != 0 {
		exitSignal = int(r.ExitSignal)
	}
	if r.Have&HaveStack != 0 {
		stack = StackShare
		if r.Stack != 0 {
			stack = StackOwn
		}
	}
	return CallOf(r.Entry, r.Flags, exitSignal, stack)
}

// callByEntry is the form of an entry that can be no other, whatever the flags.
func callByEntry(entry Entry) *CallForm {
	var only *CallForm
	for i := range CallForms {
		f := &CallForms[i]
		if entry == EntryUnknown || !f.Entries.Has(entry) {
			continue
		}
		if only != nil || !f.ByEntry {
			return nil
		}
		only = f
	}
	return only
}

// Call names the library call or kernel function that issues this very request, such as
// pthread_create, or is "" when no row of [CallForms] matches.
func (r *Record) Call() string {
	if f := r.CallForm(); f != nil {
		return f.Name
	}
	return ""
}
