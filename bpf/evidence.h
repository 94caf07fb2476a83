/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What may have caused a failure, read when it has happened. Failures are rare: this code
 * reads by helper, in one form for all kernels, and takes some microseconds.
 */
#ifndef FORKTRACE_EVIDENCE_H
#define FORKTRACE_EVIDENCE_H

#include "config.h"
#include "drift.h"
#include "event.h"
#include "facts.h"
#include "limits.h"
#include "machine.h"
#include "request.h"
#include "task.h"
#include <bpf/bpf_helpers.h>

#define RLIMIT_NOFILE 7
#define MOUNT_DEPTH   8
#define TAIL_WORDS    16 /* of 64 bits behind clone_args that are looked at */

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
	v->pending = KREAD(c, pending.signal.sig[0]) | KREAD(signal, shared_pending.signal.sig[0]);
	v->blocked = KREAD(c, blocked.sig[0]);
	v->nofile_limit = KREAD(signal, rlim[RLIMIT_NOFILE].rlim_cur);
	v->known |= KNOWN_CREATOR | KNOWN_SIGNALS | KNOWN_FILES;
	if (bpf_core_field_exists(c->sched_reset_on_fork)) {
		v->reset_on_fork = BPF_CORE_READ_BITFIELD_PROBED(c, sched_reset_on_fork);
		v->known |= KNOWN_RESET;
	}
	return 0;
}

enum mapped {
	NOT_MAPPED,
	MAPPED,
	MAPPED_ELSEWHERE, /* so many extents are in a list of their own, which is not looked at */
};

#define EXTENTS 5 /* UID_GID_MAP_MAX_BASE_EXTENTS, include/linux/user_namespace.h */

/* Copies of a map's extents: not of the kernel's types, whose members CO-RE would move. */
struct extents {
	__u32 first;
	__u32 lower_first;
	__u32 count;
};

/* Whether a user namespace has a number for an id (kernel/user_namespace.c: map_id_up). */
static __always_inline enum mapped is_mapped(struct uid_gid_map *map, __u32 id)
{
	__u32 n = KREAD(map, nr_extents);
	struct extents x[EXTENTS] = {};

	if (n > EXTENTS)
		return MAPPED_ELSEWHERE;
	bpf_core_read(x, sizeof(x), &map->extent);
	for (__u32 i = 0; i < EXTENTS; i++)
		if (i < n && id - x[i].lower_first < x[i].count)
			return MAPPED;
	return NOT_MAPPED;
}

/* Whether the creator's user namespace has a number for its effective user and group. */
READER evidence_mapping(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct cred *cred = KREAD(c, cred);
	struct user_namespace *ns = KREAD(cred, user_ns);
	enum mapped user, group;

	if (!v || !bpf_core_field_exists(struct uid_gid_map, extent))
		return 0;
	user = is_mapped(&ns->uid_map, KREAD(cred, euid.val));
	group = is_mapped(&ns->gid_map, KREAD(cred, egid.val));
	v->unmapped = user == NOT_MAPPED || group == NOT_MAPPED;
	if (v->unmapped || (user == MAPPED && group == MAPPED))
		v->known |= KNOWN_UNMAPPED;
	return 0;
}

/* Whether the creator has perf events (kernel/events/core.c: perf_event_init_context). */
READER evidence_perf(struct evidence *v, __u64 at)
{
	struct task_struct___perf *one = (void *)at;
	struct task_struct___perfs *two = (void *)at;

	if (!v)
		return 0;
	if (bpf_core_field_exists(one->perf_event_ctxp))
		v->perf_events = KREAD(one, perf_event_ctxp) != NULL;
	else if (bpf_core_field_exists(two->perf_event_ctxp))
		v->perf_events = KREAD(two, perf_event_ctxp[0]) || KREAD(two, perf_event_ctxp[1]);
	else
		return 0;
	v->known |= KNOWN_PERF;
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
static __always_inline void evidence_facts(struct event *e, struct task_struct *c,
					   const struct links *creator)
{
	struct nsproxy *nsproxy = creator->nsproxy;
	struct signal_struct *signal = KREAD(c, signal);
	struct facts all = {.nothing = nothing}, *f = &all;

	fact(f, FACT_CREATOR_FOREIGN_PID_NS, KREAD(nsproxy, pid_ns_for_children) != creator->pid_ns);
	fact(f, FACT_CREATOR_FOREIGN_TIME_NS,
	     KREAD(nsproxy, time_ns) != KREAD(nsproxy, time_ns_for_children));
	fact(f, FACT_CREATOR_NS_INIT, KREAD(signal, flags) & SIGNAL_UNKILLABLE);
	fact(f, FACT_CREATOR_PTRACED, KREAD(c, ptrace));
	if (bpf_core_field_exists(struct signal_struct___autoreap, autoreap))
		fact(f, FACT_CREATOR_AUTOREAP, autoreap(signal));
	e->facts = f->is;
	e->facts_known = f->known;
}

/* The pid namespace that children go into. */
READER evidence_pidns(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct nsproxy *nsproxy = KREAD(c, nsproxy);
	struct pid_namespace *ns = KREAD(nsproxy, pid_ns_for_children);
	__u32 next;

	if (!v || !ns)
		return 0;
	v->pidns = KREAD(ns, ns.inum);
	v->pidns_level = KREAD(ns, level);
	v->pidns_allocated = KREAD(ns, pid_allocated);
	v->pidns_init = KREAD(ns, child_reaper) != NULL;
	if (bpf_core_field_exists(struct pid_namespace___max, pid_max))
		v->pidns_max = KREAD((struct pid_namespace___max *)ns, pid_max);
	next = KREAD(ns, idr.idr_next);
	if (next) {
		v->pidns_last = next - 1;
		v->known |= KNOWN_PIDNS_LAST;
	}
	v->known |= KNOWN_PIDNS;
	return 0;
}

/* Pid namespaces can be nested 32 deep (MAX_PID_NS_LEVEL, include/linux/pid_namespace.h). */
#define PIDNS_MOST  33
#define PIDNS_DEPTH 8

/*
 * How many numbers are left, below 0 where the limit was lowered. A limit that is not known
 * (0) counts as the highest: then the namespace with most in use is the fullest.
 */
static __always_inline __s64 numbers_left(__u32 used, __u32 max)
{
	return (__s64)(max ? max : PIDNS_ADDING) - used;
}

/* A child takes a number in each pid namespace from its own upwards: which has least left. */
READER evidence_fullest(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct nsproxy *nsproxy = KREAD(c, nsproxy);
	struct pid_namespace *ns = KREAD(nsproxy, pid_ns_for_children);
	__u32 max = 0, levels = LEVELS(PIDNS_MOST, PIDNS_DEPTH);

	if (!v)
		return 0;
	if (pid_max_at)
		bpf_probe_read_kernel(&max, sizeof(max), (void *)pid_max_at);
	for (__u32 up = 0; up < levels && ns; up++) {
		__u32 used = KREAD(ns, pid_allocated) & ~PIDNS_ADDING;

		if (bpf_core_field_exists(struct pid_namespace___max, pid_max))
			max = KREAD((struct pid_namespace___max *)ns, pid_max);
		if (!up || numbers_left(used, max) < numbers_left(v->fullest_used, v->fullest_max)) {
			v->fullest_pidns = KREAD(ns, ns.inum);
			v->fullest_level = KREAD(ns, level);
			v->fullest_used = used;
			v->fullest_max = max;
		}
		ns = KREAD(ns, parent);
	}
	if (!ns && v->fullest_pidns)
		v->known |= KNOWN_FULLEST;
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

static __always_inline void read_evidence(struct event *e, struct task_struct *c, const struct links *creator)
{
	struct evidence *v = &e->evidence;

	evidence_creator(v, (__u64)c);
	evidence_mapping(v, (__u64)c);
	evidence_facts(e, c, creator);
	evidence_nproc(v, (__u64)c);
	evidence_cgroups(e, c);
	evidence_pidns(v, (__u64)c);
	evidence_fullest(v, (__u64)c);
	evidence_threads(v);
	evidence_committed(v);
	evidence_nr_open(v);
	evidence_perf(v, (__u64)c);
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
	struct call call;
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
