/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Filters, cheapest first. All of them look at the creator, which is current. */
#ifndef FORKTRACE_FILTER_H
#define FORKTRACE_FILTER_H

#include "config.h"
#include "maps.h"
#include "task.h"

/* The tgid of current's parent, as the record has it. */
static __always_inline __u32 current_ppid(void)
{
	struct task_struct *c = (void *)bpf_get_current_task(), *parent = NULL;
	__u32 tgid = 0;

	bpf_core_read(&parent, sizeof(parent), &c->real_parent);
	bpf_core_read(&tgid, sizeof(tgid), &parent->tgid);
	return tgid;
}

static __always_inline bool wanted(enum class class, __u64 flags)
{
	__u32 key;

	if (!filters) /* each would be loaded to be looked at */
		return true;
	if (failed_only && class == CLASS_CREATED)
		return false;
	if ((flags & filter_flags) != filter_flags)
		return false;
	if (filter_tree) {
		key = bpf_get_current_pid_tgid() >> 32;
		if (!bpf_map_lookup_elem(&tree, &key))
			return false;
	}
	if (filter_uid) {
		key = (__u32)bpf_get_current_uid_gid();
		if (!bpf_map_lookup_elem(&uids, &key))
			return false;
	}
	if (filter_ppid) {
		key = current_ppid();
		if (!bpf_map_lookup_elem(&ppids, &key))
			return false;
	}
	if (filter_comm) {
		struct comm_key name = {};

		bpf_get_current_comm(&name, sizeof(name));
		if (!bpf_map_lookup_elem(&comms, &name))
			return false;
	}
	if (filter_cgroup && bpf_current_task_under_cgroup(&cgroups, 0) != 1)
		return false;
	return true;
}

/* Puts a tgid into the tree. Members leave when they exit. */
static __always_inline void tree_join(struct cpu_counters *c, __u32 tgid)
{
	__u8 one = 1;
	long err = bpf_map_update_elem(&tree, &tgid, &one, BPF_NOEXIST);

	if (err && err != -17 /* EEXIST */)
		__sync_fetch_and_add(&c->tree_full, 1);
}

/* Whether current's process is the launcher. Slow, and asked only for an instant. */
static __always_inline bool is_launcher(void)
{
	struct task_struct *c = (void *)bpf_get_current_task();
	struct task_struct *leader = NULL;
	struct pid *pid = NULL;
	struct upid u = {};
	__u32 level = 0, inum = 0;

	bpf_core_read(&leader, sizeof(leader), &c->group_leader);
	bpf_core_read(&pid, sizeof(pid), &leader->thread_pid);
	bpf_core_read(&level, sizeof(level), &pid->level);
	pid_at(&u, leader, level);
	bpf_core_read(&inum, sizeof(inum), &u.ns->ns.inum);
	return (__u32)u.nr == launcher && inum == launcher_pid_ns;
}

/* A new process joins the tree when its creator is a member, or launches the traced command. */
static __always_inline void tree_follow(struct cpu_counters *c, __u32 child_tgid)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (tgid == child_tgid) /* a thread: its process is a member or is not */
		return;
	if (launcher && launching && is_launcher()) {
		launching = false;
		tree_join(c, child_tgid);
		return;
	}
	if (follow && bpf_map_lookup_elem(&tree, &tgid))
		tree_join(c, child_tgid);
}

#endif
