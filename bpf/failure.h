/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The record of a failure. Failures are rare and come from hooks of every sort, so the
 * code reads without BTF pointers: one form that every kernel loads.
 */
#ifndef FORKTRACE_FAILURE_H
#define FORKTRACE_FAILURE_H

#include "census.h"
#include "config.h"
#include "emit.h"
#include "evidence.h"
#include "filter.h"
#include "inflight.h"
#include "regs.h"
#include "request.h"
#include "stages.h"
#include "task.h"

#define MAX_ERRNO     4095
#define ERESTARTSYS   512
#define ERESTART_LAST 516 /* ERESTART_RESTARTBLOCK, include/linux/errno.h */

static __always_inline bool is_error(long ret)
{
	return ret < 0 && ret >= -MAX_ERRNO;
}

static __always_inline __u32 task_flags(struct task_struct *c)
{
	const bool btf = false;

	return RD(c, flags);
}

/*
 * The same number, of which the verifier knows nothing any more. Up to 6.3 it walks what
 * follows once for each value that it knows a number to have: where a ring's record is
 * reserved, from where on no two paths are alike to it, that would be for each entry.
 */
static __always_inline __u32 anonymous(__u32 known)
{
	__u64 unknown = bpf_get_current_task(), mixed = known ^ unknown;

	barrier_var(mixed);
	return mixed ^ unknown;
}

/* How current came to ask: the request tells of the kernel's own ways, the registers of a system call. */
static __always_inline enum entry entry_of_failure(struct pt_regs *regs, const struct inflight *in)
{
	struct task_struct *c = (void *)bpf_get_current_task();
	bool kernel_creator = task_flags(c) & PF_KTHREAD;
	enum entry entry = ENTRY_UNKNOWN;

	if (in)
		entry = entry_of_request(in, kernel_creator);
	if (entry == ENTRY_UNKNOWN && !kernel_creator && regs)
		entry = call_entry(regs, c, false);
	return anonymous(entry);
}

static __always_inline void record_failure(struct event *e, struct pt_regs *regs, enum entry entry,
					   const struct inflight *in, long ret, enum layer layer)
{
	struct task_struct *c = (void *)bpf_get_current_task();
	struct links creator = {};

	e->time = bpf_ktime_get_boot_ns();
	e->result = ret;
	e->layer = layer;
	e->entry = entry;
	read_links(&creator, c, false);
	read_creator_itself(e, c, false);
	read_creator(e, &creator, false, true);
	read_creator_pid_ns(e, &creator, false, true);
	if (entry == ENTRY_CLONE3)
		read_clone_args(e, regs, c);
	if (in) {
		e->flags = in->flags;
		apply_inflight(e, in, true);
		if (in->start) {
			e->duration = e->time - in->start;
			e->have |= HAVE_DURATION;
		}
	} else {
		read_request(e, entry, regs, c, false, true);
	}
	read_evidence(e, c, &creator);
	if (ret <= -ERESTARTSYS && layer != LAYER_SECCOMP)
		evidence_sender(&e->evidence, (__u64)c);
	if (layer == LAYER_COPY_PROCESS)
		apply_stages(e);
}

/* An attempt of current has failed. `in` is its request, if a hook saw it; else it is read from `regs`. */
static __always_inline int failed(struct pt_regs *regs, enum entry entry, const struct inflight *in, long ret,
				  enum layer layer)
{
	/* a filter that answers so restarts nothing */
	bool restarted = ret <= -ERESTARTSYS && ret >= -ERESTART_LAST && layer != LAYER_SECCOMP;
	enum class class = restarted ? CLASS_RESTARTED : CLASS_FAILED;
	struct cpu_counters *counters = my_counters();
	struct event *e;
	__u64 flags = 0;

	if (census)
		return census_failed(ret);
	if (!counters)
		return 0;
	if (filter_flags)
		flags = in ? in->flags : request_flags(entry, regs, (void *)bpf_get_current_task(), false);
	if (!wanted(class, flags)) {
		__sync_fetch_and_add(&counters->rejected[class], 1);
		return 0;
	}
	e = emit_begin(counters, class, false);
	if (!e)
		return 0;
	record_failure(e, regs, entry, in, ret, layer);
	emit_end(e);
	return 0;
}

/*
 * One failure passes the returns of several functions: copy_process, kernel_clone, the
 * system call. The innermost hook reports it and leaves a note for the outer ones; the
 * outermost takes the note away.
 */
static __always_inline void note_reported(void)
{
	__u64 key = bpf_get_current_task();
	__u8 one = 1;

	bpf_map_update_elem(&reported, &key, &one, BPF_ANY);
}

static __always_inline bool was_reported(bool outermost)
{
	__u64 key = bpf_get_current_task();

	if (!bpf_map_lookup_elem(&reported, &key))
		return false;
	if (outermost)
		bpf_map_delete_elem(&reported, &key);
	return true;
}

/* copy_process has been entered. */
static __always_inline int copy_process_begin(struct kernel_clone_args *args, const bool btf)
{
	struct task_struct *c = (void *)bpf_get_current_task();
	struct cpu_counters *counters = my_counters();
	__u64 key = (__u64)c;
	struct inflight *in;

	/* not before all hooks are there that see how it ends */
	if (!armed)
		return 0;
	/* a task is in copy_process once at a time: what is still there has left unseen */
	if (counters && bpf_map_lookup_elem(&inflights, &key))
		__sync_fetch_and_add(&counters->missed, 1);
	in = census ? note_inflight(args) : read_inflight(args, task_flags(c) & PF_KTHREAD, btf);
	if (in)
		in->start = bpf_ktime_get_boot_ns();
	return 0;
}

/* copy_process has returned an error. `args` is NULL where the hook cannot know them. */
static __always_inline int copy_process_failed(struct kernel_clone_args *args, long ret)
{
	__u64 key = bpf_get_current_task();
	struct pt_regs *regs = current_regs();
	struct inflight *in = bpf_map_lookup_elem(&inflights, &key);

	if (!in && args)
		in = read_inflight(args, task_flags((void *)key) & PF_KTHREAD, false);
	failed(regs, entry_of_failure(regs, in), in, ret, LAYER_COPY_PROCESS);
	/* io workers, vhost tasks and idle tasks do not come by kernel_clone */
	if (has_kernel_clone_hook &&
	    !(in && (in->creates & (CREATES_IO_WORKER | CREATES_USER_WORKER | CREATES_IDLE))))
		note_reported();
	bpf_map_delete_elem(&inflights, &key);
	end_stages();
	return 0;
}

/*
 * kernel_clone has returned an error that no inner hook has reported. If what the entry
 * of copy_process left is still there, the kernel did not run the hook on its return.
 */
static __always_inline int kernel_clone_failed(long ret)
{
	__u64 key = bpf_get_current_task();
	struct inflight *in = NULL;
	struct pt_regs *regs = current_regs();
	enum entry entry = entry_of_failure(regs, NULL);
	bool outermost =
	    anonymous(!(has_clone3_hook && entry == ENTRY_CLONE3 && !clone3_elsewhere((void *)key)));

	if (was_reported(outermost) || !armed)
		return 0;
	if (has_entry_hook)
		in = bpf_map_lookup_elem(&inflights, &key);
	if (in)
		in->start = 0; /* what it took is not known */
	/* one call for both cases: its code is large, and the verifier walks every path */
	failed(regs, entry, in, ret, in ? LAYER_COPY_PROCESS : LAYER_KERNEL_CLONE);
	bpf_map_delete_elem(&inflights, &key);
	end_stages();
	if (!outermost)
		note_reported();
	return 0;
}

static __always_inline int clone3_failed(long ret)
{
	if (was_reported(true) || !armed)
		return 0;
	return failed(current_regs(), ENTRY_CLONE3, NULL, ret, LAYER_SYSCALL);
}

/* A seccomp filter has decided that current's system call is not made, and what it returns instead. */
static __always_inline int seccomp_refused(void)
{
	struct pt_regs *regs = current_regs();
	enum entry entry = entry_of_failure(regs, NULL);
	long ret = regs ? regs_result(regs) : 0;

	if (entry == ENTRY_UNKNOWN || !is_error(ret))
		return 0;
	return failed(regs, entry, NULL, ret, LAYER_SECCOMP);
}

#endif
