// SPDX-License-Identifier: Apache-2.0

package decode

// Fact is one observation made at task_newtask, when the child is linked into the
// system, has never run, and current is its creator (enum fact in bpf/event.h).
type Fact uint8

// The facts. The first group says that child and creator point to the same object.
const (
	FactMM Fact = iota
	FactExecState
	FactFS
	FactFiles
	FactSighand
	FactSignal
	FactThreadGroup
	FactRealParent
	FactUndoList
	FactIOContext
	FactMntNS
	FactUTSNS
	FactIPCNS
	FactNetNS
	FactCgroupNS
	FactTimeNS
	FactTimeNSForChildren
	FactPidNS
	FactPidNSForChildren
	FactUserNS
	FactCgroup
	// True of the child.
	FactChildOfCreator // its real_parent is the calling thread
	FactPtraced
	FactNoNewPrivs
	FactAutoreap
	FactNSInit              // first process of its pid namespace (SIGNAL_UNKILLABLE)
	FactHandlersCleared     // no handler but SIG_DFL and SIG_IGN; looked at for CLONE_CLEAR_SIGHAND only
	FactInTargetCgroup      // in the cgroup of the request; looked at for CLONE_INTO_CGROUP only
	FactInPidNSForChildren  // in the pid namespace that its nsproxy has for children; with details only
	FactInTimeNSForChildren // likewise; told where it got an nsproxy of its own
	FactUserNSNested        // its user namespace is the creator's child and of its effective user; looked at for CLONE_NEWUSER only
	FactTracedAlike         // by the creator's tracer; looked at for CLONE_PTRACE only
	// True of the creator.
	FactCreatorForeignPidNS  // its active pid namespace is not the one for children
	FactCreatorForeignTimeNS // likewise for time namespaces
	FactCreatorPtraced
	FactCreatorNSInit
	FactCreatorAutoreap
	factCount
)

// FactSet is a set of facts, bit n for Fact n.
type FactSet uint64

// Has says whether f is in the set.
func (s FactSet) Has(f Fact) bool { return s>>f&1 != 0 }

// FactGroup says whom a fact is about.
type FactGroup uint8

// The groups of facts.
const (
	FactShared    FactGroup = iota // the same object in creator and child
	FactOfChild                    // a property of the child
	FactOfCreator                  // a property of the creator
)

// FactInfo is one row of the table of facts.
type FactInfo struct {
	Fact  Fact
	Name  string // JSON key; the kernel's own word where it has one
	Group FactGroup
	// Compares says what the kernel side compares, in terms of the child p and the
	// creator c (kernel/fork.c).
	Compares string
}

// Facts is the table of facts, indexed by [Fact].
var Facts = [factCount]FactInfo{
	{FactMM, "mm", FactShared, "p->mm == c->mm; absent when neither has one (kernel threads)"},
	{FactExecState, "exec_state", FactShared, "p->exec_state == c->exec_state; the field exists since 7.2"},
	{FactFS, "fs", FactShared, "p->fs == c->fs; from 7.3 real_fs"},
	{FactFiles, "files", FactShared, "p->files == c->files; absent when neither has one"},
	{FactSighand, "sighand", FactShared, "p->sighand == c->sighand"},
	{FactSignal, "signal", FactShared, "p->signal == c->signal"},
	{FactThreadGroup, "thread_group", FactShared, "p->group_leader == c->group_leader"},
	{FactRealParent, "real_parent", FactShared, "p->real_parent == c->real_parent"},
	{FactUndoList, "undo_list", FactShared, "p->sysvsem.undo_list == c->sysvsem.undo_list; absent when neither has one"},
	{FactIOContext, "io_context", FactShared, "p->io_context == c->io_context; absent when c has none, or p has none with CLONE_IO"},
	{FactMntNS, "mnt_ns", FactShared, "p->nsproxy->mnt_ns == c->nsproxy->mnt_ns"},
	{FactUTSNS, "uts_ns", FactShared, "p->nsproxy->uts_ns == c->nsproxy->uts_ns"},
	{FactIPCNS, "ipc_ns", FactShared, "p->nsproxy->ipc_ns == c->nsproxy->ipc_ns"},
	{FactNetNS, "net_ns", FactShared, "p->nsproxy->net_ns == c->nsproxy->net_ns"},
	{FactCgroupNS, "cgroup_ns", FactShared, "p->nsproxy->cgroup_ns == c->nsproxy->cgroup_ns"},
	{FactTimeNS, "time_ns", FactShared, "p->nsproxy->time_ns == c->nsproxy->time_ns"},
	{FactTimeNSForChildren, "time_ns_for_children", FactShared, "p->nsproxy->time_ns_for_children == c->nsproxy->time_ns_for_children"},
	{FactPidNS, "pid_ns", FactShared, "the namespaces of p's and c's thread_pid"},
	{FactPidNSForChildren, "pid_ns_for_children", FactShared, "p->nsproxy->pid_ns_for_children == c->nsproxy->pid_ns_for_children"},
	{FactUserNS, "user_ns", FactShared, "p->real_cred->user_ns == c->real_cred->user_ns"},
	{FactCgroup, "cgroup", FactShared, "p->cgroups == c->cgroups, all hierarchies at once"},
	{FactChildOfCreator, "child_of_creator", FactOfChild, "p->real_parent == c, the calling thread"},
	{FactPtraced, "ptraced", FactOfChild, "p->ptrace != 0"},
	{FactNoNewPrivs, "no_new_privs", FactOfChild, "p->atomic_flags, PFA_NO_NEW_PRIVS"},
	{FactAutoreap, "autoreap", FactOfChild, "p->signal->autoreap; the field exists since 7.1"},
	{FactNSInit, "ns_init", FactOfChild, "p->signal->flags, SIGNAL_UNKILLABLE; absent once p is being killed"},
	{FactHandlersCleared, "handlers_cleared", FactOfChild, "no p->sighand->action[] but SIG_DFL and SIG_IGN"},
	{FactInTargetCgroup, "in_target_cgroup", FactOfChild, "p->cgroups->dfl_cgrp is that of the descriptor; told where c alone has its files and nobody has moved p since"},
	{FactInPidNSForChildren, "in_pid_ns_for_children", FactOfChild, "p's active pid namespace == p->nsproxy->pid_ns_for_children"},
	{FactInTimeNSForChildren, "in_time_ns_for_children", FactOfChild, "p->nsproxy->time_ns == p->nsproxy->time_ns_for_children; told where p->nsproxy != c->nsproxy"},
	{FactUserNSNested, "user_ns_nested", FactOfChild, "p's user_ns: parent == c's, level one more, owner == c's euid; told for CLONE_NEWUSER"},
	{FactTracedAlike, "traced_alike", FactOfChild, "p->ptrace == c->ptrace and p->parent == c->parent; told for CLONE_PTRACE where both are traced"},
	{FactCreatorForeignPidNS, "foreign_pid_ns", FactOfCreator, "c's active pid namespace != c->nsproxy->pid_ns_for_children"},
	{FactCreatorForeignTimeNS, "foreign_time_ns", FactOfCreator, "c->nsproxy->time_ns != c->nsproxy->time_ns_for_children"},
	{FactCreatorPtraced, "ptraced", FactOfCreator, "c->ptrace != 0"},
	{FactCreatorNSInit, "ns_init", FactOfCreator, "c->signal->flags, SIGNAL_UNKILLABLE"},
	{FactCreatorAutoreap, "autoreap", FactOfCreator, "c->signal->autoreap; the field exists since 7.1"},
}
