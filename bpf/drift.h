/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Fields that not every kernel has: one entry a drift, with the version that caused it. */
#ifndef FORKTRACE_DRIFT_H
#define FORKTRACE_DRIFT_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>

/*
 * Reads one member. `btf` is a compile-time constant: true where the verifier knows
 * the pointer's type (BTF tracepoint arguments and what is reached from them), so
 * that a plain load does, a tenth of the helper call's price; false elsewhere.
 */
#define RD(p, member)                                                                                        \
	({                                                                                                   \
		typeof(p) __p = (p); /* which may be a member itself, of a struct of ours */                 \
		typeof(__p->member) __v;                                                                     \
		if (btf)                                                                                     \
			__v = __p->member;                                                                   \
		else                                                                                         \
			bpf_core_read(&__v, sizeof(__v), &__p->member);                                      \
		__v;                                                                                         \
	})

/* One member of a kernel struct, by helper; 0 where it cannot be read. */
#define KREAD(p, member)                                                                                     \
	({                                                                                                   \
		typeof((p)->member) __k;                                                                     \
		__builtin_memset(&__k, 0, sizeof(__k));                                                      \
		bpf_core_read(&__k, sizeof(__k), &(p)->member);                                              \
		__k;                                                                                         \
	})

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct task_exec_state;

/* 7.2: dumpability and user_ns moved out of mm_struct into an object of their own. */
struct task_struct___exec_state {
	struct task_exec_state *exec_state;
};

/* 7.3: kernel threads and user-mode helpers may override fs; real_fs is what was copied. */
struct task_struct___real_fs {
	struct fs_struct *real_fs;
};

/* 7.1: CLONE_AUTOREAP. A one-bit field. */
struct signal_struct___autoreap {
	unsigned int autoreap : 1;
};

/*
 * The count of a user's processes: up to 5.13 in user_struct; from 5.14 on in ucounts, in
 * ucount[] with limits in ucount_max[] up to 5.18, then in rlimit[] and rlimit_max[].
 */
struct user_struct___processes {
	atomic_t processes;
};

struct cred___user {
	struct user_struct___processes *user;
};

struct ucounts___rlimit {
	struct user_namespace *ns;
	kuid_t uid;
	atomic_long_t rlimit[1];
};

struct ucounts___ucount {
	struct user_namespace *ns;
	atomic_long_t ucount[1];
};

struct cred___ucounts {
	struct ucounts *ucounts;
};

struct user_namespace___rlimit {
	long rlimit_max[1];
};

struct user_namespace___ucount {
	long ucount_max[1];
};

enum rlimit_type {
	UCOUNT_RLIMIT_NPROC,
};

enum ucount_type___nproc {
	UCOUNT_RLIMIT_NPROC___5_14,
};

/* 6.2: one context for all kinds of events */
struct task_struct___perf {
	void *perf_event_ctxp;
};

struct task_struct___perfs {
	void *perf_event_ctxp[2];
};

/* 6.14: each pid namespace has its own */
struct pid_namespace___max {
	int pid_max;
};

/*
 * 5.12: io_thread, an int; 5.19: kthread and idle, ints, and fn; 6.4: one-bit fields,
 * user_worker added; 7.3: umh. Read each by its name: CO-RE finds the form.
 */
struct kernel_clone_args___kinds {
	u32 io_thread : 1;
	u32 kthread : 1;
	u32 idle : 1;
	u32 user_worker : 1;
	u32 umh : 1;
};

struct kernel_clone_args___fn {
	void *fn;
	void *fn_arg;
};

/* kernel/kthread.c: what kthread() is told to run */
struct kthread_create_info {
	void *threadfn;
};

#pragma clang attribute pop

#endif
