/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counting, reserving and handing over records. */
#ifndef FORKTRACE_EMIT_H
#define FORKTRACE_EMIT_H

#include "config.h"
#include "maps.h"

static __always_inline struct cpu_counters *my_counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

/*
 * Room in the ring, zeroed but for successes. What a success has not, as `have` says, holds
 * leftovers of the ring, which the reader clears: to clear it here were a sixteenth of a
 * record's price, as a processor holds back only so many stores while it waits for the cache lines,
 * which the reader had last.
 * A function of several branches: the loader sets the knobs on which the size depends, and
 * the verifier keeps the one branch that it knows to run.
 */
static __always_inline struct event *reserve(enum class class)
{
	struct event *e;

	if (class == CLASS_CREATED ? stages_of_all : stages) {
		e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
		if (e) { /* in two: the compiler writes no more than 1024 bytes at once */
			__builtin_memset(e, 0, EVENT_FAILURE);
			barrier();
			__builtin_memset(&e->progress, 0, sizeof(e->progress));
		}
	} else if (class != CLASS_CREATED) {
		e = bpf_ringbuf_reserve(&events, EVENT_FAILURE, 0);
		if (e)
			__builtin_memset(e, 0, EVENT_FAILURE);
	} else if (details) {
		e = bpf_ringbuf_reserve(&events, EVENT_DETAILS, 0);
	} else {
		e = bpf_ringbuf_reserve(&events, EVENT_SHORT, 0);
	}
	return e;
}

/* Clears bytes of a record from one member up to another. */
#define CLEAR(e, from, to)                                                                                   \
	__builtin_memset(&(e)->from, 0,                                                                      \
			 __builtin_offsetof(struct event, to) - __builtin_offsetof(struct event, from))

/* Clears all that a success can have but what emit_begin() wrote. */
static __always_inline void clear_created(struct event *e)
{
	CLEAR(e, time, seq);
	CLEAR(e, flags, cpu);
	CLEAR(e, result, stack_size);
	if (details)
		CLEAR(e, stack_size, evidence);
}

/*
 * Reserves a record and fills in what every record has, or counts the loss. The
 * additions are atomic although the counters are this CPU's own: from 7.0 on a
 * tracepoint program may be preempted by another one. `fetch` says that this kernel has
 * additions that return a value (5.12): without, two that preempt each other may get the
 * same number.
 */
static __always_inline struct event *emit_begin(struct cpu_counters *c, enum class class, const bool fetch)
{
	struct event *e;
	__u64 seq;

	if (fetch) {
		seq = __sync_fetch_and_add(&c->seq, 1);
	} else {
		seq = c->seq;
		__sync_fetch_and_add(&c->seq, 1);
	}

	if (class != CLASS_CREATED)
		__sync_fetch_and_add(class == CLASS_FAILED ? &c->failed : &c->restarted, 1);
	e = reserve(class);
	if (!e) {
		__sync_fetch_and_add(&c->dropped[class], 1);
		__sync_fetch_and_add(&c->lost, 1);
		return NULL;
	}
	e->seq = seq;
	e->lost = c->lost;
	e->cpu = bpf_get_smp_processor_id();
	return e;
}

/* How often the fill level is looked at: every so many records of a CPU; a power of two. */
#define WAKE_EVERY 16

/*
 * Waking the reader costs more than all the rest, so it is done when a share of the
 * buffer is full, and then not for every record; a reader that is not woken looks by
 * itself every 100 ms or sooner.
 */
static __always_inline void emit_end(struct event *e)
{
	__u64 flags = 0;

	if (wake_bytes) {
		flags = BPF_RB_NO_WAKEUP;
		if (!(e->seq & (WAKE_EVERY - 1)) &&
		    bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wake_bytes)
			flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(e, flags);
}

#endif
