/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * How far a creation has come inside copy_process, and when: functions that it calls on
 * its way in are markers of its stages, functions that it calls on its way out of a failure
 * tell which cleanup label it jumped to (decode/stage.go has both tables). Most of these
 * functions run for other purposes, too: they are hooked while failures are to be explained.
 */
#ifndef FORKTRACE_STAGES_H
#define FORKTRACE_STAGES_H

#include "config.h"
#include "event.h"
#include <bpf/bpf_helpers.h>

/* What a hook's cookie says: a stage, and whether it is passed on the way in or out; or the entry. */
#define COOKIE_STAGE  31
#define COOKIE_UNWIND 32
#define COOKIE_BEGIN  64

/* LRU, because a return that a kretprobe misses leaves its entry behind. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64); /* creator's task_struct */
	__type(value, struct progress);
} progresses SEC(".maps");

static const struct progress no_progress;

/* Current has entered copy_process. */
static __always_inline int begin_stages(void)
{
	__u64 key = bpf_get_current_task();
	struct progress *p;

	if (!markers || bpf_map_update_elem(&progresses, &key, &no_progress, BPF_ANY))
		return 0;
	p = bpf_map_lookup_elem(&progresses, &key);
	if (p)
		p->start = bpf_ktime_get_boot_ns();
	return 0;
}

/* Current passes a marker. Nearly always it is not creating anything. */
static __always_inline int reach_stage(__u64 cookie)
{
	__u64 key = bpf_get_current_task();
	__u64 stage = cookie & COOKIE_STAGE, ns;
	struct progress *p;

	if (cookie & COOKIE_BEGIN)
		return begin_stages();
	p = bpf_map_lookup_elem(&progresses, &key);
	if (!p || stage >= STAGE_MAX)
		return 0;
	if (cookie & COOKIE_UNWIND) {
		__u32 bit = 1U << stage;

		if (p->unwound & (bit - 1))
			p->late |= bit;
		else
			p->unwound |= bit;
		return 0;
	}
	if (p->unwound || p->at[stage])
		return 0;
	ns = bpf_ktime_get_boot_ns() - p->start;
	p->at[stage] = ns > 0xffffffffULL ? 0xffffffffU : ns ? ns : 1;
	return 0;
}

/* The kernel has compared current's user's count with RLIMIT_NPROC. */
static __always_inline int answer_over(bool over)
{
	__u64 key = bpf_get_current_task();
	struct progress *p = bpf_map_lookup_elem(&progresses, &key);

	if (p)
		p->over = over ? OVER_LIMIT : OVER_NOT;
	return 0;
}

/* Moves what is known of current's creation into its record. */
static __always_inline void apply_stages(struct event *e)
{
	__u64 key = bpf_get_current_task();
	struct progress *p;

	if (!stages || !markers)
		return;
	p = bpf_map_lookup_elem(&progresses, &key);
	if (!p)
		return;
	e->progress = *p;
	e->progress.markers = markers;
	e->progress.unwinds = unwinds;
	e->have |= HAVE_STAGES;
}

/* Current has left copy_process. */
static __always_inline void end_stages(void)
{
	__u64 key;

	if (!stages || !markers)
		return;
	key = bpf_get_current_task();
	bpf_map_delete_elem(&progresses, &key);
}

#endif
