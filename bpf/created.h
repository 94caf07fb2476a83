/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The record of a success, written at task_newtask. */
#ifndef FORKTRACE_CREATED_H
#define FORKTRACE_CREATED_H

#include "census.h"
#include "config.h"
#include "emit.h"
#include "facts.h"
#include "filter.h"
#include "inflight.h"
#include "regs.h"
#include "request.h"
#include "stages.h"
#include "target.h"
#include "task.h"
#include "vfork.h"

/* Requests come from a system call, or from the kernel itself: then the child tells which part. */
static __always_inline enum entry entry_of_child(__u32 child_flags, __u64 clone_flags, __s32 child,
						 __u32 creator_flags)
{
	if (!child)
		return ENTRY_IDLE;
	if (is_io_worker(child_flags))
		return ENTRY_IO_WORKER;
	if (is_user_worker(child_flags))
		return ENTRY_VHOST_WORKER;
	if (!(creator_flags & PF_KTHREAD))
		return ENTRY_UNKNOWN;
	/* up to 5.18 a user-mode helper keeps PF_KTHREAD until it execs, but shares neither */
	if (!(child_flags & PF_KTHREAD) || !(clone_flags & (CLONE_FS | CLONE_FILES)))
		return ENTRY_USER_MODE_HELPER;
	return ENTRY_KERNEL_THREAD;
}

/* The request, from the best source that this plan has. */
static __always_inline void read_created_request(struct event *e, struct pt_regs *regs, struct task_struct *c,
						 const bool whole, const bool btf)
{
	__u64 key = (__u64)c;
	struct inflight *in;

	if (has_entry_hook) {
		in = bpf_map_lookup_elem(&inflights, &key);
		if (in) {
			e->duration = bpf_ktime_get_boot_ns() - in->start;
			e->have |= HAVE_DURATION;
			apply_inflight(e, in, whole);
			bpf_map_delete_elem(&inflights, &key);
			return;
		}
	}
	/* what names the call: clone's exit signal, which the child need not get, and vfork's stack */
	if (whole || e->entry == ENTRY_CLONE || (e->flags & CLONE_VFORK))
		read_request(e, e->entry, regs, c, btf, whole);
	/* what the child got is surer than what user memory says by now */
	if (e->entry != ENTRY_CLONE && !(e->flags & (CLONE_THREAD | CLONE_PARENT))) {
		e->exit_signal = e->child_exit_signal;
		e->have |= HAVE_EXIT_SIGNAL;
	}
}

/* `whole` is `details`, which each mention would load again. */
static __always_inline void record_created(struct event *e, struct task_struct *p, __u64 clone_flags,
					   struct task_struct *c, struct pt_regs *regs, const bool whole,
					   const bool btf)
{
	struct facts facts = {.nothing = btf ? 0 : nothing};
	struct links child, creator;
	enum entry entry;

	e->have = HAVE_FLAGS;
	e->flags = clone_flags;
	e->layer = LAYER_NONE;
	read_creator_itself(e, c, btf);
	read_child(e, p, btf);
	e->time = e->child_start_time;
	facts_of_tasks(&facts, clone_flags, p, c, btf);
	read_links(&creator, c, btf);
	read_links(&child, p, btf);
	read_creator(e, &creator, btf, whole);
	read_creator_pid_ns(e, &creator, btf, whole);
	read_pid_ns(&child, whole, btf);
	e->child_level = child.level;
	if (whole)
		read_child_details(e, &child, &creator, btf);
	read_facts(e, &facts, &child, &creator, whole, btf);
	entry = entry_of_child(e->child_task_flags, clone_flags, e->result, e->task_flags);
	if (entry == ENTRY_UNKNOWN && regs)
		entry = call_entry(regs, c, btf);
	e->entry = entry;
	read_created_request(e, regs, c, whole, btf);
	if (whole)
		read_target(e, c);
}

/* A request that came to its end without a record: it must not count as missed. */
static __always_inline void forget_inflight(struct task_struct *c)
{
	__u64 key = (__u64)c;

	if (has_entry_hook)
		bpf_map_delete_elem(&inflights, &key);
	end_stages();
}

/* How long c has been in copy_process, ns; 0 where no hook has seen it enter. */
static __always_inline __u64 take_duration(struct task_struct *c)
{
	__u64 key = (__u64)c, took = 0;
	struct inflight *in;

	if (!has_entry_hook)
		return 0;
	in = bpf_map_lookup_elem(&inflights, &key);
	if (in)
		took = bpf_ktime_get_boot_ns() - in->start;
	bpf_map_delete_elem(&inflights, &key);
	return took;
}

static __always_inline int created(struct task_struct *p, __u64 clone_flags, struct task_struct *c,
				   struct pt_regs *regs, const bool btf)
{
	struct cpu_counters *counters;
	struct event *e;

	if (census) {
		if (btf) {
			p = WALKABLE(p);
			c = WALKABLE(c);
		}
		return census_created(p, clone_flags, c, take_duration(c), btf);
	}
	counters = my_counters();
	if (!counters)
		return 0;
	if (follow) /* always where there is a launcher */
		tree_follow(counters, p->tgid);
	if (!wanted(CLASS_CREATED, clone_flags)) {
		__sync_fetch_and_add(&counters->rejected[CLASS_CREATED], 1);
		forget_inflight(c);
		return 0;
	}
	e = emit_begin(counters, CLASS_CREATED, btf);
	if (!e) {
		forget_inflight(c);
		return 0;
	}
	record_created(e, p, clone_flags, c, regs, details, btf);
	if (stages_of_all)
		apply_stages(e);
	end_stages();
	maybe_suspended((__u64)c, clone_flags, e->time, e->result);
	emit_end(e);
	return 0;
}

/*
 * An idle task, made when a CPU comes up, where the hook knows tasks by their numbers: it
 * has none, and so nothing is told of it but that it is there, and who made it.
 */
static __always_inline int created_idle(__u64 clone_flags, struct task_struct *c)
{
	struct cpu_counters *counters = my_counters();
	struct links creator = {};
	struct row_key key = {};
	__u64 took = take_duration(c);
	struct event *e;

	end_stages();
	if (census) {
		census_counted(CENSUS_KERNEL, &key, c, took, true);
		return 0;
	}
	if (!counters)
		return 0;
	if (!wanted(CLASS_CREATED, clone_flags)) {
		__sync_fetch_and_add(&counters->rejected[CLASS_CREATED], 1);
		return 0;
	}
	e = emit_begin(counters, CLASS_CREATED, true);
	if (!e)
		return 0;
	clear_created(e);
	read_creator_itself(e, c, true);
	read_links(&creator, c, true);
	read_creator(e, &creator, true, details);
	read_creator_pid_ns(e, &creator, true, details);
	e->time = bpf_ktime_get_boot_ns();
	e->have |= HAVE_FLAGS;
	e->flags = clone_flags;
	e->entry = ENTRY_IDLE;
	e->layer = LAYER_NONE;
	emit_end(e);
	return 0;
}

#endif
