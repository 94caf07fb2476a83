// SPDX-License-Identifier: Apache-2.0
#ifndef CREATIONS_H
#define CREATIONS_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_AUTOREAP /* 7.1 */
#define CLONE_AUTOREAP	     0x400000000ULL
#define CLONE_NNP	     0x800000000ULL
#define CLONE_PIDFD_AUTOKILL 0x1000000000ULL
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* struct clone_args of 5.7, by a name of our own: libc headers differ in what they have */
struct args3 {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

/* Addresses: one that is never mapped, and one that dying_pidns maps. */
#define NO_PLACE  8
#define LATE_PAGE 0x20000000UL

struct raw {
	long nr;	/* SYS_clone, SYS_clone3, SYS_fork, SYS_vfork */
	uint64_t flags; /* without the exit signal */
	int exit_signal;
	uint64_t size; /* clone3: of the struct; 0: 88 */
	uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
	uint64_t pidfd; /* place for the pidfd, NO_PLACE for one that cannot be written; 0: the usual one */
	int null_args;	/* clone3: the struct cannot be read */
	int tail;	/* clone3: a non-zero byte behind the known struct */
	int zero_size;	/* clone3: size 0 */
	int at_edge;	/* clone3: no memory behind the known struct */
};

/* raw.c: a creation by the bare system call, whose child ends at once */
long raw_create(const struct raw *r);
/* prints what of the request the flags ask for, as a member of an object */
void print_request(const struct raw *r);
/* reaps a child, whatever its exit signal; nothing to do for threads */
void reap(long pid);

/* expect.c: prints one expectation */
struct expect {
	const char *name;
	const char *entry;
	const char *kind; /* NULL: not compared */
	const char *call; /* NULL: not compared */
	uint64_t flags;
	int flags_known;       /* 0: the tracer cannot know them */
	int exit_signal;       /* -1: not compared */
	long result;	       /* child's tid or -errno */
	long tid;	       /* creator */
	const char *layer;     /* that refuses, for tracers that can know it; NULL: not compared */
	int shares;	       /* print what the flags promise */
	const struct raw *raw; /* NULL: the request is not compared */
};
void expect(const struct expect *e);
/* calls.c: one for a fork() of the C library */
void expect_fork(const char *name, long pid);

void group_calls(void);
void group_raw(void);
void group_compat(void);
void group_namespaces(void);
void group_failures(void);
void group_unprivileged(void);
void group_seccomp(void);
/* guard.c: from here on a system call answers with an error, by a seccomp filter */
int refuse_call(long nr, int err);
int run_load(int procs, int n);
int run_tree(int depth, int width);
int run_kernel(void);

/* reasons.c: a refusal whose cause is made on purpose; rows of one reason differ in how they come to it */
struct reason_case {
	const char *reason;   /* its id */
	int (*prepare)(void); /* NULL: nothing to prepare */
	struct raw raw;
	int want_errno;
	const char *needs;     /* what a kernel may lack; NULL: nothing but the reason itself */
	void (*restore)(void); /* in the parent, for what prepare changed of the whole machine */
	int above;	       /* user namespaces between the creator's and that whose limit is reached */
	int hold;	       /* keep it for as long as a tracer may take to read limits that BPF cannot */
};
int run_reason_cases(const struct reason_case *cases, unsigned n);
/* of the case under way, as the kernel has it; 0: it is of no account */
extern unsigned long commit_limit_kb;
int write_file(const char *file, const char *text);
/* becomes a user without privileges */
int ordinary_user(void);
/* becomes one whose RLIMIT_NPROC is reached */
int no_processes_left(void);
/* comes under SCHED_DEADLINE, with SCHED_FLAG_* */
int deadline(uint64_t flags);
int run_reasons(void);
/* pidns.c: goes on as the first process of a new pid namespace; the one before waits for it */
int as_init(void);
int foreign_pidns(void);
int dead_pidns(void);
int dying_pidns(void);
int nested_pidns(void);
int in_others_pidns(void);
/* moments.c */
int exec_under_way(void);
int run_killed(void);
/* targets.c: puts a descriptor of a cgroup at TARGET_FD */
#define TARGET_FD 900
int cgroup_file(void);
int removed_cgroup(void);
int others_cgroup(void);
int inner_cgroup(void);
int uncounted_cgroup(void);
int invalid_cgroup(void);
int other_domain(void);
void remove_cgroups(pid_t pid);
/* containers.c */
int run_containers(const char *self, int depth);
/* machine.c: causes that take the whole machine, and are made in guests only */
int run_machine_reasons(void);
int run_pid_exhausted(void);
int run_memory_limit(const char *usage, const char *limit);
/* limited.c: single attempts in a cgroup that is full */
#define NOT_HERE 77 /* exit status: what it takes cannot be had */
int run_limited_user(void);
int run_limited_root(void);
int run_reset_on_fork(void);
/* crowd.c */
int run_crowd(void);
/* attempts.c */
int run_fallback(void);
int run_livelock(long n);
/* storms.c */
/* pid_max, of each pid namespace: NULL: as it is */
int run_storm(const char *program, const char *name, int most, int seconds, const char *pid_max);
int run_job(const char *program);
int run_work(long us);
int run_bench(const char *what, long n);
int run_without_bpf(char **argv);

#endif
