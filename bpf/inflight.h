/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What is known of a creation while it is inside copy_process: the request as the
 * kernel took it, and when it began. Only plans with a hook at the entry have this.
 */
#ifndef FORKTRACE_INFLIGHT_H
#define FORKTRACE_INFLIGHT_H

#include "drift.h"
#include "event.h"
#include "maps.h"
#include "request.h"
#include "task.h"
#include <bpf/bpf_helpers.h>

#define CREATES_KTHREAD	    1
#define CREATES_IO_WORKER   2
#define CREATES_USER_WORKER 4
#define CREATES_IDLE	    8
#define CREATES_HELPER	    16

struct inflight {
	__u64 start; /* CLOCK_BOOTTIME, ns */
	__u64 flags;
	__u64 stack;
	__u64 stack_size;
	__u64 parent_tidptr;
	__u64 child_tidptr;
	__u64 tls;
	__u64 pidfd;
	__u64 fn;
	__u32 have;
	__s32 exit_signal;
	__s32 cgroup_fd;
	__u32 set_tid_size;
	__s32 set_tid[SET_TID_MAX];
	__u32 creates;
	__u32 pad;
};

/* LRU, because a return that a kretprobe misses leaves its entry behind. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64); /* creator's task_struct */
	__type(value, struct inflight);
} inflights SEC(".maps");

static const struct inflight no_inflight;

/* Creators whose failure an inner function has reported while an outer one has not returned. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u8);
} reported SEC(".maps");

#define KIND_BIT(args, field) BPF_CORE_READ_BITFIELD_PROBED((struct kernel_clone_args___kinds *)(args), field)

/* Which of the kernel's own ways asked, as far as this kernel's struct tells. */
static __always_inline __u32 read_creates(struct kernel_clone_args *args)
{
	__u32 creates = 0;

	if (bpf_core_field_exists(struct kernel_clone_args___kinds, kthread) && KIND_BIT(args, kthread))
		creates |= CREATES_KTHREAD;
	if (bpf_core_field_exists(struct kernel_clone_args___kinds, io_thread) && KIND_BIT(args, io_thread))
		creates |= CREATES_IO_WORKER;
	if (bpf_core_field_exists(struct kernel_clone_args___kinds, user_worker) &&
	    KIND_BIT(args, user_worker))
		creates |= CREATES_USER_WORKER;
	if (bpf_core_field_exists(struct kernel_clone_args___kinds, idle) && KIND_BIT(args, idle))
		creates |= CREATES_IDLE;
	if (bpf_core_field_exists(struct kernel_clone_args___kinds, umh) && KIND_BIT(args, umh))
		creates |= CREATES_HELPER;
	return creates;
}

/* The function that a kernel-made task will run; for kernel threads the one that kthread() is told to. */
static __always_inline void read_fn(struct inflight *in, struct kernel_clone_args *args, bool kernel_creator)
{
	struct kernel_clone_args___fn *a = (void *)args;
	struct kthread_create_info *info = NULL;
	void *fn = NULL;

	if (!bpf_core_field_exists(struct kernel_clone_args___fn, fn)) {
		if (kernel_creator) { /* up to 5.18: in the place of the stack */
			in->fn = in->stack;
			in->have |= HAVE_FN;
		}
		return;
	}
	bpf_core_read(&fn, sizeof(fn), &a->fn);
	if (fn && (in->creates & CREATES_KTHREAD)) {
		bpf_core_read(&info, sizeof(info), &a->fn_arg);
		bpf_core_read(&fn, sizeof(fn), &info->threadfn);
	}
	if (fn) {
		in->fn = (__u64)fn;
		in->have |= HAVE_FN;
	}
}

/* Arguments that count only where a flag asks for them. */
static __always_inline void read_user_args(struct inflight *in, struct kernel_clone_args *args,
					   const bool btf)
{
	void *set_tid;

	in->stack_size = RD(args, stack_size);
	in->stack = RD(args, stack);
	/* clone3's stack has grown by its size on the way here: undo that */
	if (in->stack)
		in->stack -= in->stack_size;
	in->have |= HAVE_STACK | HAVE_STACK_SIZE;
	if (in->flags & CLONE_PIDFD) {
		in->pidfd = (__u64)RD(args, pidfd);
		in->have |= HAVE_PIDFD;
	}
	if (in->flags & CLONE_PARENT_SETTID) {
		in->parent_tidptr = (__u64)RD(args, parent_tid);
		in->have |= HAVE_PARENT_TIDPTR;
	}
	if (in->flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) {
		in->child_tidptr = (__u64)RD(args, child_tid);
		in->have |= HAVE_CHILD_TIDPTR;
	}
	if (in->flags & CLONE_SETTLS) {
		in->tls = RD(args, tls);
		in->have |= HAVE_TLS;
	}
	if (in->flags & CLONE_INTO_CGROUP) {
		in->cgroup_fd = RD(args, cgroup);
		in->have |= HAVE_CGROUP_FD;
	}
	in->set_tid_size = RD(args, set_tid_size);
	if (in->set_tid_size) {
		set_tid = RD(args, set_tid);
		bpf_probe_read_kernel(in->set_tid,
				      in->set_tid_size < SET_TID_MAX
					  ? in->set_tid_size * sizeof(in->set_tid[0])
					  : sizeof(in->set_tid),
				      set_tid);
		in->have |= HAVE_SET_TID;
	}
}

/* Makes an entry for current that says no more than which way it creates. */
static __always_inline struct inflight *note_inflight(struct kernel_clone_args *args)
{
	__u64 key = bpf_get_current_task();
	struct inflight *in;

	/* made in its place: a per-CPU buffer would not survive preemption */
	if (bpf_map_update_elem(&inflights, &key, &no_inflight, BPF_ANY))
		return NULL;
	in = bpf_map_lookup_elem(&inflights, &key);
	if (in)
		in->creates = read_creates(args);
	return in;
}

/* Reads a request from the struct that copy_process works on: what the kernel took, not what user memory says
 * now. */
static __always_inline struct inflight *read_inflight(struct kernel_clone_args *args, bool kernel_creator,
						      const bool btf)
{
	struct inflight *in = note_inflight(args);

	if (!in)
		return NULL;
	in->flags = RD(args, flags);
	in->exit_signal = RD(args, exit_signal);
	in->have = HAVE_FLAGS | HAVE_EXIT_SIGNAL;
	if (kernel_creator || in->creates) {
		if (!bpf_core_field_exists(struct kernel_clone_args___fn, fn))
			in->stack = RD(args, stack);
		read_fn(in, args, kernel_creator);
		in->stack = 0;
	} else {
		read_user_args(in, args, btf);
	}
	return in;
}

/* What a record without details has of a request. */
#define SHORT_REQUEST (HAVE_FLAGS | HAVE_EXIT_SIGNAL | HAVE_STACK)

static __always_inline void apply_inflight_details(struct event *e, const struct inflight *in)
{
	e->stack_size = in->stack_size;
	e->parent_tidptr = in->parent_tidptr;
	e->child_tidptr = in->child_tidptr;
	e->tls = in->tls;
	e->pidfd = in->pidfd;
	e->fn = in->fn;
	e->cgroup_fd = in->cgroup_fd;
	e->set_tid_size = in->set_tid_size;
	__builtin_memcpy(e->set_tid, in->set_tid, sizeof(e->set_tid));
	e->have |= in->have;
}

/* Puts the request, where a hook saw it, in the place of what registers and user memory tell. */
static __always_inline void apply_inflight(struct event *e, const struct inflight *in, const bool whole)
{
	e->exit_signal = in->exit_signal;
	e->stack = in->stack;
	e->have |= in->have & SHORT_REQUEST;
	if (whole)
		apply_inflight_details(e, in);
	/* arguments that the caller's call does not have */
	if (e->entry != ENTRY_CLONE3)
		e->have &= ~HAVE_STACK_SIZE;
	if (e->entry == ENTRY_FORK || e->entry == ENTRY_VFORK)
		e->have &= ~HAVE_STACK;
}

/* The entry that the request itself tells of; ENTRY_UNKNOWN when a system call made it, or an old kernel. */
static __always_inline enum entry entry_of_request(const struct inflight *in, bool kernel_creator)
{
	if (in->creates & CREATES_IDLE)
		return ENTRY_IDLE;
	if (in->creates & CREATES_IO_WORKER)
		return ENTRY_IO_WORKER;
	if (in->creates & CREATES_USER_WORKER)
		return ENTRY_VHOST_WORKER;
	if (in->creates & CREATES_KTHREAD)
		return ENTRY_KERNEL_THREAD;
	if (!kernel_creator)
		return ENTRY_UNKNOWN;
	if ((in->creates & CREATES_HELPER) || !(in->flags & (CLONE_FS | CLONE_FILES)))
		return ENTRY_USER_MODE_HELPER;
	return ENTRY_KERNEL_THREAD;
}

#endif
