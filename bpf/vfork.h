/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How long vfork keeps its caller: from task_newtask, where nothing can fail any more, to
 * the return of kernel_clone, before which it waits for the child to exec or exit
 * (kernel/fork.c: wait_for_vfork_done).
 */
#ifndef FORKTRACE_VFORK_H
#define FORKTRACE_VFORK_H

#include "config.h"
#include "emit.h"

struct suspension {
	__u64 since; /* CLOCK_BOOTTIME, ns */
	__s32 child;
	__u32 pad;
};

/* LRU, because a creator may be killed while it waits. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64); /* creator's task_struct */
	__type(value, struct suspension);
} suspensions SEC(".maps");

/* A creation was recorded. */
static __always_inline void maybe_suspended(__u64 creator, __u64 clone_flags, __u64 since, __s32 child)
{
	struct suspension s = {.since = since, .child = child};

	if ((clone_flags & CLONE_VFORK) && tell_resumed && has_kernel_clone_hook)
		bpf_map_update_elem(&suspensions, &creator, &s, BPF_ANY);
}

/* kernel_clone has returned a child. */
static __always_inline int maybe_resumed(void)
{
	__u64 key, id, now;
	struct suspension *s;
	struct resumed *r;

	if (!tell_resumed)
		return 0;
	key = bpf_get_current_task();
	s = bpf_map_lookup_elem(&suspensions, &key);
	if (!s)
		return 0;
	r = bpf_ringbuf_reserve(&events, sizeof(*r), 0);
	if (r) {
		now = bpf_ktime_get_boot_ns();
		id = bpf_get_current_pid_tgid();
		r->time = now;
		r->suspended = now - s->since;
		r->pid = id >> 32;
		r->tid = (__u32)id;
		r->child = s->child;
		r->cpu = bpf_get_smp_processor_id();
		bpf_ringbuf_submit(r, wake_bytes ? BPF_RB_NO_WAKEUP : 0);
	} else {
		struct cpu_counters *c = my_counters();

		if (c)
			__sync_fetch_and_add(&c->resumed_lost, 1);
	}
	bpf_map_delete_elem(&suspensions, &key);
	return 0;
}

#endif
