/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What the census counts, what it remembers of processes, and the maps for that. */
#ifndef FORKTRACE_CENSUS_MAPS_H
#define FORKTRACE_CENSUS_MAPS_H

#include "event.h"
#include <bpf/bpf_helpers.h>

/* Count instead of recording. */
const volatile bool census;

/* The pids controller is on a version 1 hierarchy: its cgroups are those that matter. */
const volatile bool census_v1;

/* What was made, coarsely: an index of tally.created. */
enum census_kind {
	CENSUS_PROCESS,
	CENSUS_VFORK,
	CENSUS_THREAD,
	CENSUS_KERNEL, /* kernel threads, user-mode helpers, idle tasks */
	CENSUS_IO_WORKER,
	CENSUS_USER_WORKER,
	CENSUS_KINDS,
};

/* The errnos of failed creations: an index of tally.failed. */
enum census_error {
	CENSUS_EAGAIN,
	CENSUS_ENOMEM,
	CENSUS_EPERM,
	CENSUS_EINVAL,
	CENSUS_ENOSPC,
	CENSUS_ERROR_OTHER,
	CENSUS_RESTARTED, /* no failure: a signal came first */
	CENSUS_ERRORS,
};

#define LIFETIMES 24 /* bucket n: from 2^n us to below 2^(n+1); the last: 2^23 us (8.4 s) and more */

struct tally {
	__u64 created[CENSUS_KINDS];
	__u64 failed[CENSUS_ERRORS];
	__u64 exits;	    /* of processes that it created */
	__u64 nonzero;	    /* those of them with another status than 0 */
	__u64 thread_exits; /* of its own threads, the first one excepted */
	__u64 execs;	    /* by processes that it created */
	__u64 same_execs;   /* those of them that have the name of the one before */
	__u64 lifetimes[LIFETIMES];
	__u64 took;	 /* ns, sum over the successes from the entry of copy_process to task_newtask */
	__u64 took_most; /* ns, the longest */
	__s64 alive;	 /* of what it has created since the census began */
	char last_exec[TASK_COMM_LEN]; /* the name of the child that executed last */
};

/* A process, for ever: numbers are used again. */
struct process_key {
	__u64 start; /* start_boottime of its first thread, ns */
	__u32 pid;   /* tgid in the initial namespace */
	__u32 pad;
};

/* A creating process in a cgroup. */
struct row_key {
	struct process_key process;
	__u64 cgroup;
};

#define FILE_LEN 64

/* What is known of a process, whether it lives or has ended. */
struct lineage {
	struct row_key creator; /* whose row counts its end */
	struct process_key parent;
	__u64 ended; /* CLOCK_BOOTTIME ns, 0: it lives */
	__u64 cgroup;
	__u32 uid;
	__u32 claimed; /* its end has been counted */
	__u8 creates;  /* it has a row, or may have had one: user space removes it */
	__u8 seeded;   /* it was there before the census */
	__u8 pad[6];
	char comm[TASK_COMM_LEN];
	char file[FILE_LEN]; /* what it executed, as the caller of exec wrote it */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tally);
} census_total SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tally);
} census_other SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct row_key);
	__type(value, struct tally);
} census_rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct tally);
} census_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct process_key);
	__type(value, struct lineage);
} census_processes SEC(".maps");

/* How full a pid namespace was when somebody last created in it, or failed to. */
struct pidns_use {
	__u64 at;   /* CLOCK_BOOTTIME ns */
	__u32 used; /* numbers that are taken */
	__u32 max;  /* its pid_max; 0: the machine's counts (before 6.14) */
};

/* By inode number. When it is full those that were quiet for longest are forgotten. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pidns_use);
} census_pidns SEC(".maps");

static const struct tally no_tally;

#define COUNT(x) __sync_fetch_and_add(&(x), 1)

#endif
