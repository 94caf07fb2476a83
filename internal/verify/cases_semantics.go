// SPDX-License-Identifier: Apache-2.0

package verify

import "github.com/forktrace/forktrace/decode"

// meaning is what a flag promises of the child's life, and what is so without it.
type meaning struct {
	flag    uint64 // clone3's
	also    uint64 // what it takes besides
	observe string // by the executor
	promise string
	always  bool // without the flag it cannot be observed
	setup   Setup
	cgroup  Cgroup
	source  string // beside the table of flags
}

const (
	flagTable    = "decode.Flags"
	sourceOfVM   = "kernel/fork.c, copy_mm"
	testsAutoend = "selftests pidfd/pidfd_autoreap_test.c"
)

// meaningTable has one row for each thing that can be seen of a flag.
var meaningTable = []meaning{
	{flag: decode.CloneFiles, observe: "files", promise: "a descriptor that the child opens is the creator's", source: "LTP clone02"},
	{flag: decode.CloneFS, observe: "fs", promise: "the child's chdir and umask are the creator's", source: "LTP clone02"},
	{flag: decode.CloneVM, observe: "memory", promise: "what the child writes is in the creator's memory", source: sourceOfVM},
	{flag: decode.CloneVM, also: decode.CloneVfork, observe: "memory", promise: "what the child writes is in the suspended creator's memory", source: sourceOfVM},
	{flag: decode.CloneSighand, also: decode.CloneVM, observe: "handlers", promise: "a signal's action that the child sets is the creator's", source: "LTP clone02"},
	{flag: decode.CloneClearSighand, observe: "cleared", promise: "the child's handlers are reset, ignored signals stay so", source: "selftests clone3/clone3_clear_sighand.c"},
	{flag: decode.ClonePidfd, observe: "pidfd", promise: "the pidfd is closed at exec, readable when the child has ended and not before, and can be waited for", always: true, source: "LTP clone301"},
	{flag: decode.CloneVfork, observe: "suspended", promise: "the creator waits until the child has exited", source: "LTP clone05"},
	{flag: decode.CloneVfork, also: decode.CloneVM, observe: "suspended", promise: "the creator waits until the child that shares its memory has exited", source: "LTP vfork01"},
	{flag: decode.CloneVfork, also: decode.CloneVM, observe: "resumed", promise: "the creator goes on when the child executes a program", always: true, source: "selftests timens/vfork_exec.c"},
	{flag: decode.CloneParent, observe: "sibling", promise: "the child's parent is the creator's parent", source: "LTP clone08"},
	{flag: decode.CloneThread, also: decode.CloneVM | decode.CloneSighand, observe: "thread", promise: "the child has the creator's process id", always: true, source: "LTP clone08"},
	{flag: decode.CloneSysvsem, observe: "undo", promise: "what the child did to a semaphore is not undone while the creator lives", source: "ipc/sem.c, copy_semundo"},
	{flag: decode.CloneSetTLS, observe: "tls", promise: "the child's thread pointer is tls", source: "LTP clone10"},
	{flag: decode.CloneParentSetTid, observe: "parent-tid", promise: "the child's id is in the creator's memory", source: "LTP clone08"},
	{flag: decode.CloneChildSetTid, observe: "child-tid", promise: "the child's id is in the child's memory", source: "LTP clone08"},
	{flag: decode.CloneChildSetTid, also: decode.CloneVM, observe: "child-tid", promise: "the child's id is in the memory that it shares", source: "LTP clone08"},
	{flag: decode.CloneChildClearTid, also: decode.CloneVM, observe: "cleared-tid", promise: "the number is cleared when the child ends, and who waits is woken", source: "set_tid_address(2)"},
	{flag: decode.CloneIO, observe: "io", promise: "the I/O priority that the child sets is the creator's", source: "block/blk-ioc.c, __copy_io"},
	{flag: decode.CloneNewCgroup, observe: "cgroup-ns", promise: "the child is in a cgroup namespace of its own", source: "cgroup_namespaces(7)"},
	{flag: decode.CloneNewUTS, observe: "uts-ns", promise: "the child's host name is its own", source: "LTP utsname"},
	{flag: decode.CloneNewIPC, observe: "ipc-ns", promise: "a message queue of the child is not the creator's", source: "LTP sysvipc"},
	{flag: decode.CloneNewNS, observe: "mnt-ns", promise: "what the child mounts is not there for the creator", source: "LTP mountns"},
	{flag: decode.CloneNewNet, observe: "net-ns", promise: "the child cannot reach the creator's abstract socket", source: "LTP clone09"},
	{flag: decode.CloneNewUser, observe: "user-ns", promise: "the child has no mapped id, and all capabilities", source: "LTP userns01"},
	{flag: decode.CloneNewPid, observe: "pid-ns", promise: "the child is process 1 of a namespace", source: "LTP pidns01"},
	{flag: decode.CloneNewPid, observe: "init", promise: "the child is process 1 and has no parent", source: "LTP pidns01"},
	{flag: decode.CloneNewPid, observe: "member-killed", promise: "the processes of the namespace end with the child", source: "pid_namespaces(7)"},
	{flag: decode.CloneNewTime, observe: "time-ns", promise: "the child is in a time namespace of its own", source: "selftests timens/timens.c"},
	{flag: decode.CloneAutoreap, observe: "autoreaped", promise: "the child leaves nothing to wait for", source: testsAutoend},
	{flag: decode.CloneNNP, observe: "no-new-privs", promise: "the child gains no privileges by executing programs", source: testsAutoend},
	{flag: decode.ClonePidfdAutokill, also: decode.ClonePidfd | decode.CloneAutoreap, observe: "autokilled", promise: "the child is killed when its pidfd is closed", source: testsAutoend},
	{flag: decode.CloneEmptyMntNS, observe: "empty-root", promise: "the child's file system is empty", source: "selftests filesystems/empty_mntns"},
}

// meanings are the cases of the table, with their flag and without it, and those of what is
// no flag.
func meanings() []Case {
	var all []Case
	for _, m := range meaningTable {
		name := string(decode.AppendFlags(nil, m.flag|m.also, decode.StyleShort))
		c := Case{
			Name: m.observe + "-" + name, Request: clone3(m.flag | m.also), Setup: m.setup, Cgroup: m.cgroup, Source: flagTable + "; " + m.source,
			Observe: m.observe, Want: SeenYes, Promise: m.promise,
		}
		all = append(all, c)
		if m.always {
			continue
		}
		c.Name, c.Request, c.Want, c.Promise = c.Name+"-without", clone3(m.also), SeenNo, "without the flag not: "+m.promise
		all = append(all, c)
	}
	all = append(all, otherMeanings()...)
	for i := range all {
		all[i].Suite = "semantics"
		if all[i].Observe == "tls" {
			all[i].Request.TLS = 1 << 30
		}
	}
	return all
}

// otherMeanings are those of arguments, and of the creator's state.
func otherMeanings() []Case {
	signal := func(n uint64) decode.Request {
		return with(clone3(0), func(r *decode.Request) { r.ExitSignal = n })
	}
	vfork := clone3(decode.CloneVM | decode.CloneVfork)
	return []Case{
		{Name: "exit-signal-0", Request: signal(0), Observe: "exit-signal", Want: SeenNo, Promise: "no signal comes with exit signal 0", Source: "clone(2)"},
		{Name: "exit-signal-SIGCHLD", Request: signal(17), Observe: "exit-signal", Want: SeenYes, Promise: "SIGCHLD of the child arrives", Source: "clone(2)"},
		{Name: "exit-signal-SIGUSR2", Request: signal(12), Observe: "exit-signal", Want: SeenYes, Promise: "SIGUSR2 of the child arrives", Source: "clone(2)"},
		{Name: "exit-signal-64", Request: signal(64), Observe: "exit-signal", Want: SeenYes, Promise: "signal 64 of the child arrives", Source: "clone(2)"},
		{Name: "set-tid", Request: tid(0, 77), Setup: SetupInit, Observe: "tid", Want: SeenYes, Promise: "the child has the id that was asked for", Source: "selftests clone3/clone3_set_tid.c"},
		{Name: "set-tid-NEWPID", Request: tid(decode.CloneNewPid, 1), Observe: "tid", Want: SeenYes, Promise: "the child has the id that was asked for in its namespace", Source: "selftests clone3/clone3_set_tid.c"},
		{Name: "into-cgroup", Request: into(0), Cgroup: CgroupPlain, Observe: "cgroup", Want: SeenYes, Promise: "the child is in the cgroup, and lives", Source: "LTP clone303"},
		{Name: "into-cgroup-vfork", Request: into(decode.CloneVM), Cgroup: CgroupPlain, Observe: "cgroup", Want: SeenYes, Promise: "the child that shares memory is in the cgroup, and lives", Source: "LTP clone303"},
		{Name: "foreign-pidns", Request: clone3(0), Setup: SetupPid, Observe: "pid-ns", Want: SeenYes, Promise: "after unshare(CLONE_NEWPID) the child is process 1 of that namespace", Source: "unshare(2)"},
		{Name: "foreign-timens", Request: clone3(0), Setup: SetupShiftedTime, Observe: "clock", Want: SeenYes, Promise: "after unshare(CLONE_NEWTIME) the child's clock is that namespace's", Source: "selftests timens/timens.c"},
		{Name: "foreign-timens-vfork", Request: vfork, Setup: SetupShiftedTime, Observe: "clock", Want: SeenNo, Promise: "a child that shares memory keeps its creator's clock until it executes a program", Source: "selftests timens/vfork_exec.c"},
	}
}
