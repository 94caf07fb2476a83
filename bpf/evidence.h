/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What may have caused a failure, read when it has happened. Failures are rare: this code
 * reads by helper, in one form for all kernels, and takes some microseconds.
 */
#ifndef FORKTRACE_EVIDENCE_H
#define FORKTRACE_EVIDENCE_H

#include "drift.h"
#include "event.h"
#include "facts.h"
#include "request.h"
#include "target.h"
#include "task.h"
#include <bpf/bpf_helpers.h>

#define RLIMIT_NPROC  6
#define RLIMIT_NOFILE 7
#define PAGE_COUNTER_MAX                                                                                     \
	0x1fffffffffffffULL /* LONG_MAX / PAGE_SIZE of 4 KiB, and more than any real limit                   \
			     */
#define MOUNT_DEPTH 8
#define TAIL_WORDS  16 /* of 64 bits behind clone_args that are looked at */

/*
 * A reader that the verifier checks once, by itself, and not again for each state in which
 * it is called: loops and branches of several readers add up and do not multiply. Where a
 * function of its own cannot take a pointer (before 5.12) the loader makes it a part of
 * its callers (tracer/plan.go: try). `v` is never NULL, but up to 6.7 the verifier wants
 * to see that it is not.
 */
#define READER __attribute__((noinline)) int

/* Element of an array member, by an index that is only known at load time. */
#define KELEMENT(into, p, member, index)                                                                     \
	bpf_probe_read_kernel(                                                                               \
	    &(into), sizeof(into),                                                                           \
	    (void *)((__u64)(p) + bpf_core_field_offset(typeof(*(p)), member) + (index) * sizeof(__u64)))

READER evidence_creator(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct cred *cred = KREAD(c, cred);
	struct user_namespace *ns = KREAD(cred, user_ns);
	struct signal_struct *signal = KREAD(c, signal);
	struct fs_struct *fs = KREAD(c, fs);
	struct files_struct *files = KREAD(c, files);
	struct fdtable *fdt = KREAD(files, fdt);
	kuid_t euid = KREAD(cred, euid);

	if (!v)
		return 0;
	bpf_core_read(&v->cap_effective, sizeof(v->cap_effective), &cred->cap_effective);
	v->euid = euid.val;
	v->user_level = KREAD(ns, level);
	v->policy = KREAD(c, policy);
	v->seccomp_mode = KREAD(c, seccomp.mode);
	v->max_fds = KREAD(fdt, max_fds);
	v->fs_in_exec = KREAD(fs, in_exec) != 0;
	v->unmapped = !KREAD(ns, uid_map.nr_extents) || !KREAD(ns, gid_map.nr_extents);
	v->pending = KREAD(c, pending.signal.sig[0]) | KREAD(signal, shared_pending.signal.sig[0]);
	v->blocked = KREAD(c, blocked.sig[0]);
	v->nofile_limit = KREAD(signal, rlim[RLIMIT_NOFILE].rlim_cur);
	v->known |= KNOWN_CREATOR | KNOWN_SIGNALS | KNOWN_UNMAPPED | KNOWN_FILES;
	return 0;
}

#define QUEUE_DEPTH 4 /* queued signals looked at, of the thread and of its process */

/* Where a siginfo has si_pid and si_uid, if it was sent (include/uapi/asm-generic/siginfo.h, 64 bit). */
#define SIGINFO_PID 16

/*
 * Who sent the signal for which an attempt is made again: the first in the queues that is
 * not blocked. A signal of the kernel's own need not be queued.
 */
READER evidence_sender(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct signal_struct *signal = KREAD(c, signal);
	__u64 head = at + bpf_core_field_offset(struct task_struct, pending.list);
	struct sigqueue *q = (void *)KREAD(c, pending.list.next);
	bool shared = false;

	if (!v)
		return 0;
	for (int i = 0; i < 2 * QUEUE_DEPTH; i++) {
		__u64 info = (__u64)q + bpf_core_field_offset(struct sigqueue, info);
		__u32 sender[2] = {};
		__s32 number;

		if (i == QUEUE_DEPTH || (__u64)q == head) {
			if (shared)
				break;
			shared = true;
			head =
			    (__u64)signal + bpf_core_field_offset(struct signal_struct, shared_pending.list);
			q = (void *)KREAD(signal, shared_pending.list.next);
			continue;
		}
		number = KREAD(q, info.si_signo);
		if (number < 1 || number > 64)
			break;
		if (!(v->blocked >> (number - 1) & 1)) {
			bpf_probe_read_kernel(sender, sizeof(sender), (void *)(info + SIGINFO_PID));
			v->sender_signal = number;
			v->sender_code = KREAD(q, info.si_code);
			v->sender_pid = sender[0];
			v->sender_uid = sender[1];
			v->known |= KNOWN_SENDER;
			break;
		}
		q = (void *)KREAD(q, list.next);
	}
	return 0;
}

/* Facts about the creator that rules ask for, as facts.h has them of a success. */
static __always_inline void evidence_facts(struct event *e, struct task_struct *c)
{
	struct nsproxy *nsproxy = KREAD(c, nsproxy);
	struct signal_struct *signal = KREAD(c, signal);
	struct active_pid_ns active = {};
	struct facts all = {}, *f = &all;

	read_pid_ns(&active, c, false);
	fact(f, FACT_CREATOR_FOREIGN_PID_NS, KREAD(nsproxy, pid_ns_for_children) != active.ns);
	fact(f, FACT_CREATOR_FOREIGN_TIME_NS,
	     KREAD(nsproxy, time_ns) != KREAD(nsproxy, time_ns_for_children));
	fact(f, FACT_CREATOR_NS_INIT, KREAD(signal, flags) & SIGNAL_UNKILLABLE);
	fact(f, FACT_CREATOR_PTRACED, KREAD(c, ptrace));
	if (bpf_core_field_exists(struct signal_struct___autoreap, autoreap))
		fact(f, FACT_CREATOR_AUTOREAP, autoreap(signal));
	e->facts = f->is;
	e->facts_known = f->known;
}

/*
 * RLIMIT_NPROC (kernel/ucount.c: is_rlimit_overlimit): the creator's limit holds in its
 * own user namespace; above, that which each namespace got when it was made.
 */
READER evidence_nproc(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct cred *cred = KREAD(c, real_cred);
	struct signal_struct *signal = KREAD(c, signal);
	__u64 limit = KREAD(signal, rlim[RLIMIT_NPROC].rlim_cur);
	struct ucounts *ucounts = NULL;
	struct user_namespace *ns;
	bool rlimit, first = true;
	__u32 index;

	if (!v)
		return 0;
	if (bpf_core_field_exists(struct user_struct___processes, processes)) {
		struct cred___user *owner = (void *)cred;
		struct user_struct___processes *user = KREAD(owner, user);

		v->nproc_count = KREAD(user, processes.counter);
		v->nproc_limit = limit;
		v->known |= KNOWN_NPROC;
		return 0;
	}
	if (!bpf_core_field_exists(struct cred___ucounts, ucounts))
		return 0;
	rlimit = bpf_core_field_exists(struct ucounts___rlimit, rlimit);
	index = rlimit ? bpf_core_enum_value(enum rlimit_type, UCOUNT_RLIMIT_NPROC)
		       : bpf_core_enum_value(enum ucount_type___nproc, UCOUNT_RLIMIT_NPROC___5_14);
	ucounts = KREAD((struct cred___ucounts *)cred, ucounts);
	for (__u32 up = 0; up < USERNS_DEPTH && ucounts; up++) {
		__s64 count = 0;

		if (rlimit)
			KELEMENT(count, (struct ucounts___rlimit *)ucounts, rlimit, index);
		else
			KELEMENT(count, (struct ucounts___ucount *)ucounts, ucount, index);
		if (first || limit - count < v->nproc_limit - v->nproc_count) {
			v->nproc_count = count;
			v->nproc_limit = limit;
			v->nproc_up = up;
			first = false;
		}
		if (count < 0 || (__u64)count >= limit)
			break;
		ns = KREAD((struct ucounts___rlimit *)ucounts, ns);
		if (rlimit)
			KELEMENT(limit, (struct user_namespace___rlimit *)ns, rlimit_max, index);
		else
			KELEMENT(limit, (struct user_namespace___ucount *)ns, ucount_max, index);
		ucounts = KREAD(ns, ucounts);
	}
	v->known |= KNOWN_NPROC;
	return 0;
}

static __always_inline __u64 css_cgroup_id(struct cgroup_subsys_state *css)
{
	struct cgroup *cgroup = KREAD(css, cgroup);
	struct kernfs_node *kn = KREAD(cgroup, kn);

	return KREAD(kn, id);
}

/* pids.max of a cgroup and of all above it. The css is the first member of struct pids_cgroup. */
READER evidence_pids(struct evidence *v, __u64 at)
{
	struct cgroup_subsys_state *css = (void *)at;
	__u32 up;

	if (!v)
		return 0;
	for (up = 0; up < CGROUP_DEPTH && css; up++) {
		struct pids_cgroup *pids = (void *)css;
		__s64 count = KREAD(pids, counter.counter);
		__s64 limit = KREAD(pids, limit.counter);

		if (!up || limit - count < v->pids_limit - v->pids_count) {
			v->pids_count = count;
			v->pids_limit = limit;
			v->pids_up = up;
			v->pids_cgroup = css_cgroup_id(css);
		}
		v->known |= KNOWN_PIDS;
		if (count >= limit)
			break;
		css = KREAD(css, parent);
	}
	if (up < CGROUP_DEPTH)
		v->known |= KNOWN_PARENT_CHAIN;
	return 0;
}

/* memory.max likewise: which cgroup has least left. */
READER evidence_memory(struct evidence *v, __u64 at)
{
	struct cgroup_subsys_state *css = (void *)at;

	if (!v)
		return 0;
	for (__u32 up = 0; up < MEMORY_DEPTH && css; up++) {
		struct mem_cgroup *memcg = (void *)css;
		__s64 usage = KREAD(memcg, memory.usage.counter);
		__s64 limit = KREAD(memcg, memory.max);

		if (!up || limit - usage < v->memory_limit - v->memory_usage) {
			v->memory_usage = usage;
			v->memory_limit = limit;
			v->memory_failcnt = KREAD(memcg, memory.failcnt);
			v->memory_cgroup = css_cgroup_id(css);
		}
		v->known |= KNOWN_MEMORY;
		css = KREAD(css, parent);
	}
	return 0;
}

/* The cgroup that CLONE_INTO_CGROUP names, by the creator's file descriptor; NULL if it is none. */
static __always_inline struct cgroup *target_cgroup(struct event *e, struct task_struct *c)
{
	struct evidence *v = &e->evidence;
	struct kernfs_node *kn;

	if (!(e->have & HAVE_CGROUP_FD))
		return NULL;
	kn = cgroup_node_at(c, e->cgroup_fd);
	v->known |= KNOWN_TARGET;
	v->target_bad = !kn;
	return KREAD(kn, priv);
}

/* Of the cgroup that counts for the child: that which CLONE_INTO_CGROUP names, or the creator's. */
static __always_inline void evidence_cgroups(struct event *e, struct task_struct *c)
{
	struct evidence *v = &e->evidence;
	struct css_set *set = KREAD(c, cgroups);
	struct cgroup_subsys_state *css = NULL;
	struct mm_struct *mm = KREAD(c, mm);

	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
		__u64 at = (__u64)set + bpf_core_field_offset(struct css_set, subsys);

		if (e->flags & CLONE_INTO_CGROUP)
			at = (__u64)target_cgroup(e, c) + bpf_core_field_offset(struct cgroup, subsys);
		at += bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id) * sizeof(css);
		bpf_probe_read_kernel(&css, sizeof(css), (void *)at);
		evidence_pids(v, (__u64)css);
	}
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		css = NULL;
		KELEMENT(css, set, subsys, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
		evidence_memory(v, (__u64)css);
	}
	if (mm) {
		v->pgtables_bytes = KREAD(mm, pgtables_bytes.counter);
		v->known |= KNOWN_PGTABLES;
	}
}

/* The pid namespace that children go into. */
READER evidence_pidns(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct nsproxy *nsproxy = KREAD(c, nsproxy);
	struct pid_namespace *ns = KREAD(nsproxy, pid_ns_for_children);

	if (!v || !ns)
		return 0;
	v->pidns = KREAD(ns, ns.inum);
	v->pidns_level = KREAD(ns, level);
	v->pidns_allocated = KREAD(ns, pid_allocated);
	v->pidns_init = KREAD(ns, child_reaper) != NULL;
	if (bpf_core_field_exists(struct pid_namespace___max, pid_max))
		v->pidns_max = KREAD((struct pid_namespace___max *)ns, pid_max);
	v->known |= KNOWN_PIDNS;
	return 0;
}

/*
 * Whether the creator's root is not that of its mount namespace: a directory below the
 * root of its mount, or of a mount that is not stacked on the root of the one below
 * (fs/namespace.c: current_chrooted).
 */
READER evidence_chroot(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct fs_struct *fs = KREAD(c, fs);
	struct vfsmount *vfs = KREAD(fs, root.mnt);
	struct dentry *dentry = KREAD(fs, root.dentry);

	if (!v)
		return 0;
	for (int i = 0; i < MOUNT_DEPTH && vfs; i++) {
		struct mount *m = (void *)vfs - bpf_core_field_offset(struct mount, mnt);
		struct mount *parent = KREAD(m, mnt_parent);

		if (dentry != KREAD(vfs, mnt_root)) {
			v->chrooted = 1;
			v->known |= KNOWN_CHROOT;
			return 0;
		}
		if (parent == m) {
			v->known |= KNOWN_CHROOT;
			return 0;
		}
		dentry = KREAD(m, mnt_mountpoint);
		vfs = (void *)parent + bpf_core_field_offset(struct mount, mnt);
	}
	return 0;
}

static __always_inline void read_evidence(struct event *e, struct task_struct *c)
{
	struct evidence *v = &e->evidence;

	evidence_creator(v, (__u64)c);
	evidence_facts(e, c);
	evidence_nproc(v, (__u64)c);
	evidence_cgroups(e, c);
	evidence_pidns(v, (__u64)c);
	evidence_chroot(v, (__u64)c);
}

/*
 * What follows the fields of clone_args that every kernel knows, as far as it is looked
 * at. In one piece: the verifier walks every path of a loop.
 */
static __always_inline enum tail clone_args_tail(__u64 at, __u64 size)
{
	__u64 tail[TAIL_WORDS] = {}, any = 0;
	__u64 n = size - CLONE_ARGS_SIZE_VER2;
	bool open = n > sizeof(tail);

	if (open)
		n = sizeof(tail);
	if (bpf_probe_read_user(tail, n & (2 * sizeof(tail) - 1) & 127, (void *)(at + CLONE_ARGS_SIZE_VER2)))
		return TAIL_FAULT;
	for (int i = 0; i < TAIL_WORDS; i++)
		any |= tail[i];
	if (any)
		return TAIL_NONZERO;
	return open ? TAIL_OPEN : TAIL_ZERO;
}

/* The arguments of the clone3 that current is in, as they are in its memory now. */
static __always_inline void read_clone_args(struct event *e, struct pt_regs *regs, struct task_struct *c)
{
	struct evidence *v = &e->evidence;
	struct call call = {.entry = ENTRY_CLONE3};
	__u64 size, set_tid_size;
	__s32 tid;

	if (!regs)
		return;
	call_args(&call, regs, c, false);
	size = call.stack;
	v->args_size = size;
	v->known |= KNOWN_ARGS;
	if (size > CLONE_ARGS_SIZE_VER2) {
		v->tail = clone_args_tail(call.flags, size);
		size = CLONE_ARGS_SIZE_VER2;
	}
	if (bpf_probe_read_user(v->args, size & 127, (void *)call.flags)) {
		v->args_fault = 1;
		return;
	}
	set_tid_size = v->args[9];
	if (v->args[8] && set_tid_size && set_tid_size <= 32) {
		v->set_tid_fault =
		    bpf_probe_read_user(&tid, sizeof(tid), (void *)v->args[8]) ||
		    bpf_probe_read_user(&tid, sizeof(tid), (void *)(v->args[8] + 4 * (set_tid_size - 1)));
		v->known |= KNOWN_SET_TID;
	}
}

#endif
