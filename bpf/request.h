/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What was asked for, read from the registers of the system call that current is in.
 *
 * An argument that its flag does not ask for holds leftovers: it counts as absent.
 */
#ifndef FORKTRACE_REQUEST_H
#define FORKTRACE_REQUEST_H

#include "config.h"
#include "drift.h"
#include "event.h"
#include <bpf/bpf_helpers.h>

#define SIGCHLD 17
#define CSIGNAL 0xffULL

#define VFORK_FLAGS	     0x00004100ULL /* CLONE_VFORK | CLONE_VM */
#define CLONE_FS	     0x00000200ULL
#define CLONE_FILES	     0x00000400ULL
#define CLONE_PIDFD	     0x00001000ULL
#define CLONE_VFORK	     0x00004000ULL
#define CLONE_PARENT	     0x00008000ULL
#define CLONE_THREAD	     0x00010000ULL
#define CLONE_SETTLS	     0x00080000ULL
#define CLONE_PARENT_SETTID  0x00100000ULL
#define CLONE_CHILD_CLEARTID 0x00200000ULL
#define CLONE_CHILD_SETTID   0x01000000ULL
#define CLONE_INTO_CGROUP    0x200000000ULL

/* include/uapi/linux/sched.h */
struct clone_args {
	__u64 flags;
	__u64 pidfd;
	__u64 child_tid;
	__u64 parent_tid;
	__u64 exit_signal;
	__u64 stack;
	__u64 stack_size;
	__u64 tls;
	__u64 set_tid;
	__u64 set_tid_size;
	__u64 cgroup;
};

#define CLONE_ARGS_SIZE_VER0 64
#define CLONE_ARGS_SIZE_VER1 80
#define CLONE_ARGS_SIZE_VER2 88

/* One system call of the four, in the order of clone(2)'s x86-64 arguments. */
struct call {
	__u64 flags; /* clone: flags and exit signal; clone3: address of the struct */
	__u64 stack; /* clone3: its size */
	/* the rest by call_rest() */
	__u64 parent_tidptr;
	__u64 child_tidptr;
	__u64 tls;
};

#if defined(__TARGET_ARCH_x86)

#define TS_COMPAT	0x0002	   /* arch/x86/include/asm/thread_info.h */
#define X32_SYSCALL_BIT 0x40000000 /* arch/x86/include/uapi/asm/unistd.h */

static __always_inline bool call_is_compat(struct task_struct *c, const bool btf)
{
	return RD(c, thread_info.status) & TS_COMPAT;
}

/* Whether clone3 is another function for this caller than the one that is hooked. */
static __always_inline bool clone3_elsewhere(struct task_struct *c)
{
	return call_is_compat(c, false);
}

static __always_inline enum entry call_entry(struct pt_regs *regs, struct task_struct *c, const bool btf)
{
	__u32 nr = (__u32)RD(regs, orig_ax) & ~X32_SYSCALL_BIT;

	if (nr == 435)
		return ENTRY_CLONE3;
	if (call_is_compat(c, btf))
		return nr == 120   ? ENTRY_CLONE
		       : nr == 2   ? ENTRY_FORK
		       : nr == 190 ? ENTRY_VFORK
				   : ENTRY_UNKNOWN;
	return nr == 56 ? ENTRY_CLONE : nr == 57 ? ENTRY_FORK : nr == 58 ? ENTRY_VFORK : ENTRY_UNKNOWN;
}

static __always_inline void call_args(struct call *call, struct pt_regs *regs, struct task_struct *c,
				      const bool btf)
{
	if (call_is_compat(c, btf)) {
		call->flags = (__u32)RD(regs, bx);
		call->stack = (__u32)RD(regs, cx);
		return;
	}
	call->flags = RD(regs, di);
	call->stack = RD(regs, si);
}

static __always_inline void call_rest(struct call *call, struct pt_regs *regs, struct task_struct *c,
				      const bool btf)
{
	if (call_is_compat(c, btf)) {
		call->parent_tidptr = (__u32)RD(regs, dx);
		call->tls = (__u32)RD(regs, si);
		call->child_tidptr = (__u32)RD(regs, di);
		return;
	}
	call->parent_tidptr = RD(regs, dx);
	call->child_tidptr = RD(regs, r10);
	call->tls = RD(regs, r8);
}

#elif defined(__TARGET_ARCH_arm64)

#define TIF_32BIT 22 /* arch/arm64/include/asm/thread_info.h */

static __always_inline enum entry call_entry(struct pt_regs *regs, struct task_struct *c, const bool btf)
{
	int nr = RD(regs, syscallno);

	if (nr == 435)
		return ENTRY_CLONE3;
	if (RD(c, thread_info.flags) & (1UL << TIF_32BIT))
		return nr == 120   ? ENTRY_CLONE
		       : nr == 2   ? ENTRY_FORK
		       : nr == 190 ? ENTRY_VFORK
				   : ENTRY_UNKNOWN;
	return nr == 220 ? ENTRY_CLONE : ENTRY_UNKNOWN;
}

/* 32-bit programs have the same clone3. */
static __always_inline bool clone3_elsewhere(struct task_struct *c)
{
	return false;
}

/* x0 holds the result by now. */
static __always_inline void call_args(struct call *call, struct pt_regs *regs, struct task_struct *c,
				      const bool btf)
{
	call->flags = RD(regs, orig_x0);
	call->stack = RD(regs, regs[1]);
}

/* CLONE_BACKWARDS: tls comes before the child's tid pointer. */
static __always_inline void call_rest(struct call *call, struct pt_regs *regs, struct task_struct *c,
				      const bool btf)
{
	call->parent_tidptr = RD(regs, regs[2]);
	call->tls = RD(regs, regs[3]);
	call->child_tidptr = RD(regs, regs[4]);
}

#endif

#define POINTER_FLAGS                                                                                        \
	(CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS)

/* Arguments that count only where a flag asks for them. */
static __always_inline void request_pointers(struct event *e, __u64 flags, __u64 pidfd, __u64 parent_tidptr,
					     __u64 child_tidptr, __u64 tls)
{
	if (flags & CLONE_PIDFD) {
		e->pidfd = pidfd;
		e->have |= HAVE_PIDFD;
	}
	if (flags & CLONE_PARENT_SETTID) {
		e->parent_tidptr = parent_tidptr;
		e->have |= HAVE_PARENT_TIDPTR;
	}
	if (flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) {
		e->child_tidptr = child_tidptr;
		e->have |= HAVE_CHILD_TIDPTR;
	}
	if (flags & CLONE_SETTLS) {
		e->tls = tls;
		e->have |= HAVE_TLS;
	}
}

static __always_inline void request_clone(struct event *e, struct call *call, struct pt_regs *regs,
					  struct task_struct *c, const bool whole, const bool btf)
{
	__u32 flags = call->flags; /* bits above are dropped by the kernel */

	if (!(e->have & HAVE_FLAGS)) {
		e->flags = flags & ~CSIGNAL;
		e->have |= HAVE_FLAGS;
	}
	e->exit_signal = flags & CSIGNAL;
	e->stack = call->stack;
	e->have |= HAVE_EXIT_SIGNAL | HAVE_STACK;
	if (!whole)
		return;
	/* clone(2) returns the pidfd through the parent's tid pointer */
	if (!(e->flags & POINTER_FLAGS))
		return;
	call_rest(call, regs, c, btf);
	request_pointers(e, e->flags, call->parent_tidptr, call->parent_tidptr, call->child_tidptr,
			 call->tls);
}

/* Whether the kernel reads a struct clone_args of this size at all. */
static __always_inline bool is_read(__u64 size)
{
	return size >= CLONE_ARGS_SIZE_VER0 && size <= page_size;
}

/* The struct is read a second time here, after the kernel did: hence HAVE_REREAD. */
static __always_inline void request_clone3(struct event *e, struct call *call, const bool whole)
{
	struct clone_args a = {};
	__u64 size = call->stack;

	if (!is_read(size))
		return;
	if (size > CLONE_ARGS_SIZE_VER2)
		size = CLONE_ARGS_SIZE_VER2;
	if (bpf_probe_read_user(&a, size, (void *)call->flags))
		return;
	if (!(e->have & HAVE_FLAGS)) {
		e->flags = a.flags;
		e->have |= HAVE_FLAGS;
	}
	e->exit_signal = a.exit_signal;
	e->stack = a.stack;
	e->have |= HAVE_REREAD | HAVE_STACK;
	if (!(a.exit_signal >> 31))
		e->have |= HAVE_EXIT_SIGNAL;
	if (!whole)
		return;
	e->stack_size = a.stack_size;
	e->have |= HAVE_STACK_SIZE;
	request_pointers(e, a.flags, a.pidfd, a.parent_tid, a.child_tid, a.tls);
	if (size >= CLONE_ARGS_SIZE_VER1 && a.set_tid_size) {
		__u32 n = a.set_tid_size < SET_TID_MAX ? a.set_tid_size : SET_TID_MAX;

		if (!(a.set_tid_size >> 32) &&
		    !bpf_probe_read_user(e->set_tid, n * sizeof(e->set_tid[0]), (void *)a.set_tid)) {
			e->set_tid_size = a.set_tid_size;
			e->have |= HAVE_SET_TID;
		}
	}
	if (size >= CLONE_ARGS_SIZE_VER2 && (a.flags & CLONE_INTO_CGROUP) && !(a.cgroup >> 31)) {
		e->cgroup_fd = a.cgroup;
		e->have |= HAVE_CGROUP_FD;
	}
}

/* The flags alone, for filters; 0 where the kernel did not read them either. */
static __always_inline __u64 request_flags(enum entry entry, struct pt_regs *regs, struct task_struct *c,
					   const bool btf)
{
	struct call call;
	__u64 flags = 0;

	if (entry == ENTRY_VFORK)
		return VFORK_FLAGS;
	if (entry == ENTRY_FORK)
		return 0;
	call_args(&call, regs, c, btf);
	if (entry == ENTRY_CLONE)
		return (__u32)call.flags & ~CSIGNAL;
	if (is_read(call.stack))
		bpf_probe_read_user(&flags, sizeof(flags), (void *)call.flags);
	return flags;
}

/* Reads what the system call was asked for, as far as the hook has not told it; details only for a whole
 * record. */
static __always_inline void read_request(struct event *e, enum entry entry, struct pt_regs *regs,
					 struct task_struct *c, const bool btf, const bool whole)
{
	struct call call;

	e->entry = entry;
	switch (entry) {
	case ENTRY_FORK:
	case ENTRY_VFORK:
		e->flags = entry == ENTRY_VFORK ? VFORK_FLAGS : 0;
		e->exit_signal = SIGCHLD;
		e->have |= HAVE_FLAGS | HAVE_EXIT_SIGNAL;
		break;
	case ENTRY_CLONE:
		call_args(&call, regs, c, btf);
		request_clone(e, &call, regs, c, whole, btf);
		break;
	case ENTRY_CLONE3:
		call_args(&call, regs, c, btf);
		request_clone3(e, &call, whole);
		break;
	default:
		break;
	}
}

#endif
