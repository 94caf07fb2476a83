// SPDX-License-Identifier: Apache-2.0

package decode

// What several rows need.
const (
	kinFlags = CloneParent | CloneThread // the child gets the creator's parent
	mntFlags = CloneNewNS | CloneEmptyMntNS
)

// allButIdle are the ways that give a child numbers: idle tasks have none.
var allButIdle = 1<<entryCount - 1 - EntriesOf(EntryIdle)

// Checks is the table of promises. A flag has a row for what it promises and one for what
// its absence does. Sources are those of Linux 7.3; 5.8 and later keep the same promises
// unless a row says otherwise.
var Checks = []Check{
	// Objects that child and creator share, or do not.
	{ID: "mm", All: CloneVM, Fact: FactMM, Want: true, Promise: "CLONE_VM shares the memory", Source: "kernel/fork.c, copy_mm"},
	{ID: "mm", None: CloneVM, Fact: FactMM, Promise: "without CLONE_VM the memory is copied", Source: "kernel/fork.c, copy_mm",
		Caveat: "kernel threads have none, and nothing to compare"},
	{ID: "exec-state", All: CloneVM, Fact: FactExecState, Want: true, Promise: "CLONE_VM shares the exec state", Source: "kernel/fork.c, copy_exec_state, from 7.2 on"},
	{ID: "exec-state", None: CloneVM, Fact: FactExecState, Promise: "without CLONE_VM the exec state is copied", Source: "kernel/fork.c, copy_exec_state, from 7.2 on"},
	{ID: "fs", Entries: syscallEntries, All: CloneFS, Fact: FactFS, Want: true, Promise: "CLONE_FS shares root, working directory and umask", Source: "kernel/fork.c, copy_fs",
		Caveat: "system calls only: from 7.3 on kernel threads and user mode helpers use another fs"},
	{ID: "fs", Entries: syscallEntries, None: CloneFS, Fact: FactFS, Promise: "without CLONE_FS root, working directory and umask are copied", Source: "kernel/fork.c, copy_fs"},
	{ID: "files", None: CloneFiles, Fact: FactFiles, Promise: "without CLONE_FILES the table of descriptors is copied", Source: "kernel/fork.c, copy_files"},
	{ID: "files", Entries: syscallEntries, All: CloneFiles, Fact: FactFiles, Want: true, Promise: "CLONE_FILES shares the table of descriptors", Source: "kernel/fork.c, copy_files",
		Caveat: "vhost workers may have none at all"},
	{ID: "sighand", All: CloneSighand, Fact: FactSighand, Want: true, Promise: "CLONE_SIGHAND shares the signal handlers", Source: "kernel/fork.c, copy_sighand"},
	{ID: "sighand", None: CloneSighand, Fact: FactSighand, Promise: "without CLONE_SIGHAND the signal handlers are copied", Source: "kernel/fork.c, copy_sighand"},
	{ID: "signal", All: CloneThread, Fact: FactSignal, Want: true, Promise: "CLONE_THREAD shares the signal structure", Source: "kernel/fork.c, copy_signal"},
	{ID: "signal", None: CloneThread, Fact: FactSignal, Promise: "without CLONE_THREAD the signal structure is new", Source: "kernel/fork.c, copy_signal"},
	{ID: "thread-group", All: CloneThread, Fact: FactThreadGroup, Want: true, Promise: "CLONE_THREAD puts the child into its creator's thread group", Source: "kernel/fork.c, copy_process"},
	{ID: "thread-group", None: CloneThread, Fact: FactThreadGroup, Promise: "without CLONE_THREAD the child leads a thread group of its own", Source: "kernel/fork.c, copy_process"},
	{ID: "tgid", Have: HaveChild, Value: tgid, Promise: "a thread has its creator's process id, a process its own", Source: "kernel/fork.c, copy_process"},
	{ID: "real-parent", Any: kinFlags, Have: HaveChildDetails, Value: creatorsParent, Promise: "CLONE_PARENT and CLONE_THREAD give the child its creator's parent", Source: "kernel/fork.c, copy_process",
		Caveat: "while that parent exits, child and creator are given to another one by one: their parents' process ids must differ too"},
	{ID: "child-of-creator", Any: kinFlags, Fact: FactChildOfCreator, Promise: "with CLONE_PARENT or CLONE_THREAD the child is not its creator's", Source: "kernel/fork.c, copy_process"},
	{ID: "child-of-creator", None: kinFlags, Fact: FactChildOfCreator, Want: true, Promise: "the child's parent is the calling thread", Source: "kernel/fork.c, copy_process"},
	{ID: "undo-list", All: CloneSysvsem, Fact: FactUndoList, Want: true, Promise: "CLONE_SYSVSEM shares the undo list of semaphores", Source: "ipc/sem.c, copy_semundo"},
	{ID: "undo-list", None: CloneSysvsem, Fact: FactUndoList, Promise: "without CLONE_SYSVSEM the child has no undo list", Source: "ipc/sem.c, copy_semundo"},
	{ID: "io-context", All: CloneIO, Fact: FactIOContext, Want: true, Promise: "CLONE_IO shares the I/O context", Source: "kernel/fork.c, copy_io",
		Caveat: "a creator without one has none to share"},
	{ID: "io-context", None: CloneIO, Fact: FactIOContext, Promise: "without CLONE_IO the I/O context is not shared", Source: "kernel/fork.c, copy_io"},

	// Namespaces.
	{ID: "mnt-ns", Any: mntFlags, Fact: FactMntNS, Promise: "CLONE_NEWNS makes a mount namespace", Source: "fs/namespace.c, copy_mnt_ns",
		Caveat: "CLONE_EMPTY_MNTNS implies it"},
	{ID: "mnt-ns", None: mntFlags, Fact: FactMntNS, Want: true, Promise: "without CLONE_NEWNS the mount namespace is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "uts-ns", All: CloneNewUTS, Fact: FactUTSNS, Promise: "CLONE_NEWUTS makes a uts namespace", Source: "kernel/utsname.c, copy_utsname"},
	{ID: "uts-ns", None: CloneNewUTS, Fact: FactUTSNS, Want: true, Promise: "without CLONE_NEWUTS the uts namespace is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "ipc-ns", All: CloneNewIPC, Fact: FactIPCNS, Promise: "CLONE_NEWIPC makes an ipc namespace", Source: "ipc/namespace.c, copy_ipcs"},
	{ID: "ipc-ns", None: CloneNewIPC, Fact: FactIPCNS, Want: true, Promise: "without CLONE_NEWIPC the ipc namespace is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "net-ns", All: CloneNewNet, Fact: FactNetNS, Promise: "CLONE_NEWNET makes a network namespace", Source: "net/core/net_namespace.c, copy_net_ns"},
	{ID: "net-ns", None: CloneNewNet, Fact: FactNetNS, Want: true, Promise: "without CLONE_NEWNET the network namespace is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "cgroup-ns", All: CloneNewCgroup, Fact: FactCgroupNS, Promise: "CLONE_NEWCGROUP makes a cgroup namespace", Source: "kernel/cgroup/namespace.c, copy_cgroup_ns"},
	{ID: "cgroup-ns", None: CloneNewCgroup, Fact: FactCgroupNS, Want: true, Promise: "without CLONE_NEWCGROUP the cgroup namespace is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "time-ns-for-children", All: CloneNewTime, Fact: FactTimeNSForChildren, Promise: "CLONE_NEWTIME makes a time namespace", Source: "kernel/time/namespace.c, copy_time_ns"},
	{ID: "time-ns-for-children", None: CloneNewTime, Fact: FactTimeNSForChildren, Want: true, Promise: "without CLONE_NEWTIME the time namespace for children is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "time-ns", All: CloneVM, Fact: FactTimeNS, Want: true, Promise: "a child that shares memory stays in its creator's time namespace until it executes a program", Source: "kernel/nsproxy.c, copy_namespaces", Bug: "G6"},
	{ID: "time-ns", All: CloneNewTime, None: CloneVM, Fact: FactTimeNS, Promise: "a child with memory of its own is in the time namespace that CLONE_NEWTIME makes", Source: "kernel/time/namespace.c, timens_on_fork"},
	{ID: "time-ns", None: CloneVM, Given: FactCreatorForeignTimeNS, Holds: Yes, Fact: FactTimeNS, Promise: "a child with memory of its own enters the time namespace for children", Source: "kernel/time/namespace.c, timens_on_fork"},
	{ID: "time-ns", None: CloneVM | CloneNewTime, Given: FactCreatorForeignTimeNS, Holds: No, Fact: FactTimeNS, Want: true, Promise: "without CLONE_NEWTIME the time namespace is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "pid-ns-for-children", All: CloneNewPid, Fact: FactPidNSForChildren, Promise: "CLONE_NEWPID makes a pid namespace", Source: "kernel/pid_namespace.c, copy_pid_ns"},
	{ID: "pid-ns-for-children", None: CloneNewPid, Fact: FactPidNSForChildren, Want: true, Promise: "without CLONE_NEWPID the pid namespace for children is shared", Source: "kernel/nsproxy.c, copy_namespaces"},
	{ID: "pid-ns", All: CloneNewPid, Fact: FactPidNS, Promise: "CLONE_NEWPID puts the child into the namespace that it makes", Source: "kernel/pid.c, alloc_pid"},
	{ID: "pid-ns", None: CloneNewPid, Given: FactCreatorForeignPidNS, Holds: Yes, Fact: FactPidNS, Promise: "after unshare or setns the child enters the pid namespace for children", Source: "kernel/pid.c, alloc_pid"},
	{ID: "pid-ns", None: CloneNewPid, Given: FactCreatorForeignPidNS, Holds: No, Fact: FactPidNS, Want: true, Promise: "without CLONE_NEWPID the pid namespace is shared", Source: "kernel/pid.c, alloc_pid"},
	{ID: "pid-ns-entered", Entries: allButIdle, Fact: FactInPidNSForChildren, Want: true, Promise: "a child is in the pid namespace that its nsproxy has for children", Source: "kernel/fork.c, copy_process"},
	{ID: "time-ns-entered", None: CloneVM, Fact: FactInTimeNSForChildren, Want: true, Promise: "a child with memory of its own is in the time namespace that its nsproxy has for children", Source: "kernel/time/namespace.c, timens_on_fork"},
	{ID: "pid-level", All: CloneNewPid, Have: HaveChild, Value: level, Promise: "a new pid namespace is nested in the creator's", Source: "kernel/pid_namespace.c, create_pid_namespace"},
	{ID: "pid-level", None: CloneNewPid, Given: FactCreatorForeignPidNS, Holds: No, Have: HaveChild | HaveCreatorDetails, Value: sameLevel, Promise: "without CLONE_NEWPID pid namespaces get no deeper", Source: "kernel/pid.c, alloc_pid",
		Caveat: "after unshare or setns children enter another namespace, of another level"},
	{ID: "pid-number", All: CloneNewPid, Have: HaveChildDetails, Value: number, Promise: "the first process of a pid namespace is number 1", Source: "kernel/pid.c, alloc_pid"},
	{ID: "ns-init", None: CloneNewPid | CloneThread, Given: FactCreatorForeignPidNS, Holds: No, Fact: FactNSInit, Promise: "only the first process of a pid namespace is its init", Source: "kernel/fork.c, copy_process"},
	{ID: "ns-init", All: CloneNewPid, Fact: FactNSInit, Want: true, Promise: "the first process of a pid namespace is its init", Source: "kernel/fork.c, copy_process",
		Caveat: "not told where a SIGKILL came at once, which clears the mark"},
	{ID: "ns-init", None: CloneNewPid | CloneThread, Given: FactCreatorForeignPidNS, Holds: Yes, Have: HaveChildDetails, Value: firstIsInit, Promise: "number 1 of a pid namespace, and no other, is its init", Source: "kernel/fork.c, copy_process"},
	{ID: "user-ns", Entries: syscallEntries, All: CloneNewUser, Fact: FactUserNS, Promise: "CLONE_NEWUSER makes a user namespace", Source: "kernel/user_namespace.c, create_user_ns"},
	{ID: "user-ns", Entries: syscallEntries, None: CloneNewUser, Fact: FactUserNS, Want: true, Promise: "without CLONE_NEWUSER the user namespace is shared", Source: "kernel/cred.c, copy_creds",
		Caveat: "system calls only: io_uring's workers may be made with borrowed credentials"},
	{ID: "user-ns-nested", Entries: syscallEntries, All: CloneNewUser, Fact: FactUserNSNested, Want: true, Promise: "the new user namespace is a child of the creator's, one level deeper, and the creator's effective user owns it", Source: "kernel/user_namespace.c, create_user_ns"},

	// Properties of the child.
	{ID: "exit-signal", Have: HaveChild, Value: exitSignal, Promise: "the exit signal is the one asked for, none for a thread", Source: "kernel/fork.c, copy_process",
		Caveat: "with CLONE_PARENT it is that of the creator's thread group leader, and not told while their parent exits"},
	{ID: "set-child-tid", Entries: syscallEntries, Have: HaveChildDetails, Value: setChildTid, Promise: "CLONE_CHILD_SETTID, and nothing else, has the thread id stored at child_tid", Source: "kernel/fork.c, copy_process",
		Caveat: "that the store itself fails is no failure"},
	{ID: "clear-child-tid", Entries: syscallEntries, Have: HaveChildDetails, Value: clearChildTid, Promise: "CLONE_CHILD_CLEARTID, and nothing else, has child_tid cleared at the end", Source: "kernel/fork.c, copy_process"},
	{ID: "tls", Entries: syscallEntries, All: CloneSetTLS, Have: HaveChildTLS | HaveTLS, Value: tlsSet, Promise: "CLONE_SETTLS sets the thread pointer", Source: "arch/x86/kernel/process.c and arch/arm64/kernel/process.c, copy_thread",
		Caveat: "32-bit programs pass a descriptor: values below 4 GiB are not compared"},
	{ID: "set-tid", Entries: clone3Entry, Have: HaveChildDetails | HaveSetTid, Value: chosenTid, Promise: "the child has the ids that set_tid asks for", Source: "kernel/pid.c, alloc_pid"},
	{ID: "ptrace", All: ClonePtrace, Given: FactCreatorPtraced, Holds: Yes, Fact: FactPtraced, Want: true, Promise: "with CLONE_PTRACE the tracer of the creator traces the child", Source: "include/linux/ptrace.h, ptrace_init_task",
		Caveat: "without a tracer there is no effect; a tracer may take the child without the flag"},
	{ID: "tracer", Entries: syscallEntries, All: ClonePtrace, Fact: FactTracedAlike, Want: true, Promise: "with CLONE_PTRACE the creator's tracer traces the child, with the same options", Source: "include/linux/ptrace.h, ptrace_init_task"},
	{ID: "no-new-privs", All: CloneNNP, Fact: FactNoNewPrivs, Want: true, Promise: "CLONE_NNP sets no_new_privs", Source: "kernel/fork.c, copy_process, from 7.1 on",
		Caveat: "without the flag it is inherited"},
	{ID: "autoreap", All: CloneAutoreap, Fact: FactAutoreap, Want: true, Promise: "CLONE_AUTOREAP has the child reaped by the kernel", Source: "kernel/fork.c, copy_signal, from 7.1 on"},
	{ID: "autoreap", None: CloneAutoreap | CloneThread, Fact: FactAutoreap, Promise: "without CLONE_AUTOREAP the child waits to be reaped", Source: "kernel/fork.c, copy_signal, from 7.1 on"},
	{ID: "into-cgroup", Entries: clone3Entry, All: CloneIntoCgroup, Fact: FactInTargetCgroup, Want: true, Promise: "CLONE_INTO_CGROUP puts the child into the cgroup of the descriptor", Source: "kernel/cgroup/cgroup.c, cgroup_post_fork",
		Caveat: "not told where another thread can have changed the descriptor, or moved the child since"},
	{ID: "handlers-cleared", All: CloneClearSighand, Fact: FactHandlersCleared, Want: true, Promise: "CLONE_CLEAR_SIGHAND resets every handler that is not ignored", Source: "kernel/fork.c, copy_sighand"},
}

// The values that rows compare. Each says what was promised and what was seen; ok is
// false where the record does not tell.

func tgid(r *Record) (promised, seen uint64, ok bool) {
	if r.Flags&CloneThread != 0 {
		return uint64(r.Pid), uint64(r.ChildPid), true
	}
	return uint64(r.Result), uint64(r.ChildPid), r.Result != 0 // idle tasks are all 0
}

func creatorsParent(r *Record) (promised, seen uint64, ok bool) {
	if !r.FactsKnown.Has(FactRealParent) || r.Facts.Has(FactRealParent) {
		return 0, 0, false
	}
	return uint64(r.PPid), uint64(r.ChildPPid), true
}

func level(r *Record) (promised, seen uint64, ok bool) {
	if r.Have&HaveCreatorDetails == 0 {
		return max(1, uint64(r.ChildLevel)), uint64(r.ChildLevel), true
	}
	return uint64(r.CreatorLevel) + 1, uint64(r.ChildLevel), true
}

func sameLevel(r *Record) (promised, seen uint64, ok bool) {
	return uint64(r.CreatorLevel), uint64(r.ChildLevel), true
}

// firstIsInit compares whether the child is number 1 with its being an init, 1 for yes.
func firstIsInit(r *Record) (promised, seen uint64, ok bool) {
	if r.ChildLevel >= NSPidsMax || !r.FactsKnown.Has(FactNSInit) {
		return 0, 0, false
	}
	if r.NSPids[r.ChildLevel] == 1 {
		promised = 1
	}
	return promised, uint64(r.Facts >> FactNSInit & 1), true
}

func number(r *Record) (promised, seen uint64, ok bool) {
	if r.ChildLevel >= NSPidsMax {
		return 0, 0, false
	}
	return 1, uint64(r.NSPids[r.ChildLevel]), true
}

func exitSignal(r *Record) (promised, seen uint64, ok bool) {
	seen = uint64(int64(r.ChildExitSignal))
	switch {
	case r.Flags&CloneThread != 0:
		return ^uint64(0), seen, true // -1
	case r.Flags&CloneParent != 0:
		return uint64(int64(r.LeaderSignal)), seen, r.Have&HaveLeader != 0
	case r.Have&HaveExitSignal == 0:
		return 0, 0, false
	}
	return uint64(int64(r.ExitSignal)), seen, true
}

func setChildTid(r *Record) (promised, seen uint64, ok bool) {
	return tidPointer(r, CloneChildSetTid, r.ChildSetChildTid)
}

func clearChildTid(r *Record) (promised, seen uint64, ok bool) {
	return tidPointer(r, CloneChildClearTid, r.ChildClearChildTid)
}

func tidPointer(r *Record, flag, is uint64) (promised, seen uint64, ok bool) {
	switch {
	case r.Flags&flag == 0:
		return 0, is, true
	case r.Have&HaveChildTidptr == 0 || r.Have&HaveReread != 0:
		return 0, 0, false
	}
	return r.ChildTidptr, is, true
}

func tlsSet(r *Record) (promised, seen uint64, ok bool) {
	return r.TLS, r.ChildTLS, r.Have&HaveReread == 0 && r.TLS >= 1<<32
}

func chosenTid(r *Record) (promised, seen uint64, ok bool) {
	if r.Have&HaveReread != 0 || r.ChildLevel >= NSPidsMax {
		return 0, 0, false
	}
	for i := range min(r.SetTidSize, r.ChildLevel+1, SetTidMax) {
		promised, seen = uint64(r.SetTid[i]), uint64(r.NSPids[r.ChildLevel-i])
		if promised != seen {
			break
		}
	}
	return promised, seen, r.SetTidSize > 0
}
