/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Who creates and what was created: readers of task_struct. */
#ifndef FORKTRACE_TASK_H
#define FORKTRACE_TASK_H

#include "drift.h"
#include "event.h"
#include "request.h"
#include <bpf/bpf_helpers.h>

#define NAMESPACE_FLAGS 0x7e020080ULL /* CLONE_NEWNS, NEWCGROUP to NEWNET, NEWTIME */

#define PF_EXITING     0x00000004 /* include/linux/sched.h */
#define PF_IO_WORKER   0x00000010 /* 5.12 */
#define PF_USER_WORKER 0x00004000 /* 6.4 */
#define PF_KTHREAD     0x00200000

/*
 * Whether the flags are those of a worker of io_uring's or of vhost's. Other kernels use the
 * bits otherwise (0x4000 was PF_USED_ASYNC): so only where requests can ask for such a task.
 */
static __always_inline bool is_io_worker(__u32 flags)
{
	return bpf_core_field_exists(struct kernel_clone_args___kinds, io_thread) && (flags & PF_IO_WORKER);
}

static __always_inline bool is_user_worker(__u32 flags)
{
	return bpf_core_field_exists(struct kernel_clone_args___kinds, user_worker) &&
	       (flags & PF_USER_WORKER);
}

void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak; /* kernel/bpf/helpers.c, 6.2 */

/*
 * A trusted pointer as one that may be read through, and nothing else. Through others each load is
 * preceded by a test of the address, a tenth of a microsecond for all of a record. But of a trusted
 * one the verifier looks each pointer field up by name, in all of the kernel's types, on every path
 * on which it meets the load. So what is read from task_structs comes first, through trusted
 * pointers, while the paths are few: facts_of_tasks() and read_links(). What is read later, or
 * seldom, is read through these.
 */
#define WALKABLE(p)                                                                                          \
	({                                                                                                   \
		typeof(*(p)) *__w = (p);                                                                     \
		if (bpf_rdonly_cast)                                                                         \
			__w = bpf_rdonly_cast(__w, bpf_core_type_id_kernel(typeof(*__w)));                   \
		__w;                                                                                         \
	})

/*
 * The number of task `t` at `level`. The array is [1] up to 6.5, flexible later, and a
 * BTF pointer takes no variable offset before 6.12: so address and content are read by
 * helper.
 */
static __always_inline void pid_at(struct upid *dst, struct task_struct *t, __u32 level)
{
	__u64 pid = 0;

	bpf_core_read(&pid, sizeof(pid), &t->thread_pid);
	pid += bpf_core_field_offset(struct pid, numbers) + (__u64)level * bpf_core_type_size(struct upid);
	bpf_probe_read_kernel(dst, sizeof(*dst), (void *)pid);
}

/* The id of the cgroup on the default (v2) hierarchy. */
static __always_inline __u64 css_set_cgroup_id(struct css_set *set, const bool btf)
{
	struct cgroup *cgrp = RD(set, dfl_cgrp);
	struct kernfs_node *kn = RD(cgrp, kn);

	return RD(kn, id);
}

/* A task, and what it points to, from where several readers go on: read once. */
struct links {
	struct task_struct *task;
	struct task_struct *walked; /* the same, for what is read late: WALKABLE() */
	struct task_struct *real_parent;
	struct cred *real_cred;
	struct user_namespace *user_ns; /* of real_cred */
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct pid *thread_pid;
	struct signal_struct *signal;
	/* its active pid namespace: that of its innermost number; the inode number names it in /proc/PID/ns
	 */
	struct pid_namespace *pid_ns;
	__u32 level;
	__u32 inum;
};

static __always_inline void read_pid_ns(struct links *a, const bool whole, const bool btf)
{
	struct pid *pid = a->thread_pid;
	struct pid_namespace *ns;
	struct upid u = {};

	a->level = RD(pid, level);
	a->inum = 0;
	if (!a->level) { /* nearly always: no variable index */
		ns = RD(pid, numbers[0].ns);
		if (whole)
			a->inum = RD(ns, ns.inum);
		a->pid_ns = ns;
		barrier_var(a->pid_ns); /* not one load for both branches: their pointers differ in type */
		return;
	}
	pid_at(&u, a->walked, a->level);
	a->pid_ns = u.ns;
	bpf_core_read(&a->inum, sizeof(a->inum), &u.ns->ns.inum);
}

static __always_inline void read_links(struct links *a, struct task_struct *t, const bool btf)
{
	struct cred *cred = RD(t, real_cred);

	a->task = t;
	a->walked = btf ? WALKABLE(t) : t;
	a->real_parent = RD(t, real_parent);
	a->real_cred = cred;
	a->user_ns = RD(cred, user_ns);
	a->nsproxy = RD(t, nsproxy);
	a->cgroups = RD(t, cgroups);
	a->thread_pid = RD(t, thread_pid);
	a->signal = RD(t, signal);
}

/* A word-wise copy of the creator's name; the helper for the current name goes byte by byte. */
static __always_inline void read_comm(struct event *e, struct task_struct *c, const bool btf)
{
	__u64 *to = (__u64 *)e->comm;

	if (btf) {
		to[0] = *(__u64 *)&c->comm[0];
		to[1] = *(__u64 *)&c->comm[8];
	} else {
		bpf_core_read(e->comm, sizeof(e->comm), &c->comm);
	}
	e->comm[TASK_COMM_LEN - 1] = 0;
}

/* What the creator's task_struct itself has. The creator is always current. */
static __always_inline void read_creator_itself(struct event *e, struct task_struct *c, const bool btf)
{
	e->pid = RD(c, tgid);
	e->tid = RD(c, pid);
	e->task_flags = RD(c, flags);
	e->start_time = RD(c, start_boottime);
	e->have |= HAVE_START_TIME;
	read_comm(e, c, btf);
}

/* What it points to. */
static __always_inline void read_creator(struct event *e, const struct links *creator, const bool btf,
					 const bool whole)
{
	struct task_struct *parent = creator->real_parent;
	struct cred *cred = creator->real_cred;

	e->ppid = RD(parent, tgid);
	e->uid = RD(cred, uid.val);
	e->gid = RD(cred, gid.val);
	if (whole) {
		struct nsproxy *nsproxy = creator->nsproxy;
		struct mnt_namespace *mnt_ns = RD(nsproxy, mnt_ns);
		struct user_namespace *user_ns = creator->user_ns;

		e->user_ns = RD(user_ns, ns.inum);
		e->mnt_ns = RD(mnt_ns, ns.inum);
		e->have |= HAVE_NAMESPACES;
		e->cgroup_id = css_set_cgroup_id(creator->cgroups, btf);
		if (e->cgroup_id)
			e->have |= HAVE_CGROUP;
	}
}

/* Which pid namespace it has, and how deep: after the above, as the paths part here. */
static __always_inline void read_creator_pid_ns(struct event *e, struct links *creator, const bool btf,
						const bool whole)
{
	read_pid_ns(creator, whole, btf);
	if (whole) {
		e->creator_level = creator->level;
		e->pid_ns = creator->inum;
	}
}

/* The child's ids at every level of the pid namespaces it is in. */
static __always_inline void read_ns_pids(struct event *e, struct task_struct *p, __u32 level)
{
	struct upid u = {};

	for (__u32 i = 1; i < NS_PIDS_MAX; i++) {
		if (i > level)
			break;
		pid_at(&u, p, i);
		e->ns_pids[i] = u.nr;
	}
}

/*
 * What a child made with CLONE_PARENT gets for its exit signal. When their parent exits,
 * both get another, one after the other: false says that it may do so now.
 */
static __always_inline bool read_leader_signal(struct event *e, struct task_struct *p, struct task_struct *c,
					       const bool btf)
{
	struct task_struct *leader = RD(c, group_leader), *parent = RD(leader, real_parent);

	e->child_exit_signal = RD(p, exit_signal);
	e->leader_signal = RD(leader, exit_signal);
	barrier();
	return RD(leader, real_parent) == parent && !(RD(parent, flags) & PF_EXITING);
}

/* What only a record with details has of the child. After read_creator(), from which it takes the cgroup. */
static __always_inline void read_child_details(struct event *e, const struct links *child,
					       const struct links *creator, const bool btf)
{
	struct task_struct *p = child->task, *parent = child->real_parent;
	__u32 have = HAVE_CREATOR_DETAILS | HAVE_CHILD_DETAILS;
	__u64 cgroup_id = e->cgroup_id;

	e->child_ppid = RD(parent, tgid);
	e->child_ptid = RD(parent, pid);
	e->child_set_child_tid = (__u64)RD(p, set_child_tid);
	e->child_clear_child_tid = (__u64)RD(p, clear_child_tid);
	e->child_ptrace = RD(p, ptrace);
	if ((e->flags & CLONE_PARENT) && read_leader_signal(e, child->walked, creator->walked, btf))
		have |= HAVE_LEADER;
	e->cap_effective = 0;
	if (e->flags & NAMESPACE_FLAGS) {
		struct cred *cred = RD(creator->walked, cred);

		bpf_core_read(&e->cap_effective, sizeof(e->cap_effective), &cred->cap_effective);
	}
	e->child_pid_ns = child->inum;
	e->ns_pids[0] = e->result;
	if (child->level)
		read_ns_pids(e, child->walked, child->level);
	barrier_var(cgroup_id); /* not one load for both cases: their pointers differ in type */
	if (child->cgroups != creator->cgroups) /* seldom */
		cgroup_id = css_set_cgroup_id(btf ? WALKABLE(child->cgroups) : child->cgroups, btf);
	e->child_cgroup_id = cgroup_id;
	if (cgroup_id)
		have |= HAVE_CHILD_CGROUP;
#if defined(__TARGET_ARCH_x86)
	e->child_tls = RD(p, thread.fsbase);
#elif defined(__TARGET_ARCH_arm64)
	e->child_tls = RD(p, thread.uw.tp_value);
#endif
	/* kernel tasks have no user TLS: what is there is left over */
	if (RD(child->walked, mm))
		have |= HAVE_CHILD_TLS;
	e->have |= have;
}

/* What the child's task_struct itself has. */
static __always_inline void read_child(struct event *e, struct task_struct *p, const bool btf)
{
	e->result = RD(p, pid);
	e->child_pid = RD(p, tgid);
	e->child_start_time = RD(p, start_boottime);
	e->child_exit_signal = RD(p, exit_signal);
	e->child_task_flags = RD(p, flags);
	e->have |= HAVE_CHILD;
}

#endif
