/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The census: counters that lose nothing, for every creating process, kept beside or
 * instead of the stream. Whoever has no room for a counter of its own is counted in that
 * of its cgroup, and where even that has none, in `other`: the sum over all rows is
 * always the total.
 */
#ifndef FORKTRACE_CENSUS_H
#define FORKTRACE_CENSUS_H

#include "config.h"
#include "drift.h"
#include "event.h"
#include "request.h"
#include "task.h"
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
	__s64 alive;		       /* of what it has created since the census began */
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

static const struct tally no_tally;

#define COUNT(x) __sync_fetch_and_add(&(x), 1)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct cgroup_subsys_state___census {
	struct cgroup *cgroup;
};

struct css_set___census {
	struct cgroup_subsys_state___census *subsys[1];
};

struct task_struct___census {
	int exit_code;
};

struct linux_binprm {
	const char *filename;
};

#pragma clang attribute pop

enum cgroup_subsys_id___census {
	pids_cgrp_id___census = 1,
};

/* The id of the cgroup that limits a task's creations, or of the one that systemd manages. */
static __always_inline __u64 census_cgroup(struct task_struct *t, const bool btf)
{
	struct css_set___census *set;
	struct cgroup_subsys_state___census *css = NULL;
	struct kernfs_node *kn = NULL;
	struct cgroup *cgrp = NULL;
	__u64 id = 0;

	if (!census_v1)
		return task_cgroup_id(t, btf);
	set = (void *)RD(t, cgroups);
	/* how many there are depends on the configuration */
	bpf_probe_read_kernel(
	    &css, sizeof(css),
	    (void *)set + bpf_core_field_offset(set->subsys) +
		8 * bpf_core_enum_value(enum cgroup_subsys_id___census, pids_cgrp_id___census));
	bpf_core_read(&cgrp, sizeof(cgrp), &css->cgroup);
	bpf_core_read(&kn, sizeof(kn), &cgrp->kn);
	bpf_core_read(&id, sizeof(id), &kn->id);
	return id;
}

static __always_inline void process_key_of(struct process_key *key, struct task_struct *t, const bool btf)
{
	struct task_struct *leader = RD(t, group_leader);

	key->pid = RD(t, tgid);
	key->start = RD(leader, start_boottime);
}

/* Makes an entry for a process that runs already; of a new one `creator` is known. */
static __always_inline void enter(struct process_key *key, struct task_struct *t, struct row_key *creator,
				  __u64 cgroup, const bool btf)
{
	struct task_struct *leader = RD(t, group_leader);
	struct task_struct *parent = RD(leader, real_parent);
	struct cred *cred = RD(t, real_cred);
	struct lineage l = {};

	process_key_of(&l.parent, parent, btf);
	if (creator) {
		l.creator = *creator;
	} else {
		l.creator.process = l.parent;
		l.creator.cgroup = cgroup;
		l.seeded = 1;
		l.creates = 1;
	}
	l.cgroup = cgroup;
	l.uid = RD(cred, uid.val);
	bpf_core_read(l.comm, sizeof(l.comm), &leader->comm);
	bpf_map_update_elem(&census_processes, key, &l, BPF_NOEXIST);
}

/* The counters for a cgroup, or `other`. */
static __always_inline struct tally *shared_row(__u64 cgroup, bool make)
{
	struct tally *row = bpf_map_lookup_elem(&census_cgroups, &cgroup);
	__u32 zero = 0;

	if (!row && make) {
		bpf_map_update_elem(&census_cgroups, &cgroup, &no_tally, BPF_NOEXIST);
		row = bpf_map_lookup_elem(&census_cgroups, &cgroup);
	}
	return row ? row : bpf_map_lookup_elem(&census_other, &zero);
}

/* The counters where the past of a process is counted. */
static __always_inline struct tally *find_row(struct row_key *key)
{
	struct tally *row = bpf_map_lookup_elem(&census_rows, key);

	return row ? row : shared_row(key->cgroup, false);
}

/* The counters of a task that creates, made when there are none. */
static __always_inline struct tally *row_of(struct row_key *key, struct task_struct *c, const bool btf)
{
	struct task_struct *leader = RD(c, group_leader);
	struct tally *row = bpf_map_lookup_elem(&census_rows, key);
	struct lineage *l;

	if (row)
		return row;
	/* before the row, so that who sees it finds out whose it is */
	l = bpf_map_lookup_elem(&census_processes, &key->process);
	if (l) {
		l->creates = 1;
		bpf_core_read(l->comm, sizeof(l->comm), &leader->comm);
	} else {
		enter(&key->process, c, NULL, key->cgroup, btf);
	}
	bpf_map_update_elem(&census_rows, key, &no_tally, BPF_NOEXIST);
	row = bpf_map_lookup_elem(&census_rows, key);
	return row ? row : shared_row(key->cgroup, true);
}

static __always_inline void row_key_of(struct row_key *key, struct task_struct *t, const bool btf)
{
	process_key_of(&key->process, t, btf);
	key->cgroup = census_cgroup(t, btf);
}

static __always_inline enum census_kind census_kind(__u32 child_flags, __u32 creator_flags, __u64 clone_flags)
{
	if (child_flags & PF_IO_WORKER)
		return CENSUS_IO_WORKER;
	if (child_flags & PF_USER_WORKER)
		return CENSUS_USER_WORKER;
	if (creator_flags & PF_KTHREAD)
		return CENSUS_KERNEL;
	if (clone_flags & CLONE_THREAD)
		return CENSUS_THREAD;
	return clone_flags & CLONE_VFORK ? CENSUS_VFORK : CENSUS_PROCESS;
}

static __always_inline int census_created(struct task_struct *p, __u64 clone_flags, struct task_struct *c,
					  const bool btf)
{
	__u32 kind = census_kind(RD(p, flags), RD(c, flags), clone_flags), zero = 0;
	struct tally *all = bpf_map_lookup_elem(&census_total, &zero), *row;
	struct process_key child = {};
	struct row_key key = {};

	if (!all || kind >= CENSUS_KINDS)
		return 0;
	COUNT(all->created[kind]);
	COUNT(all->alive);
	row_key_of(&key, c, btf);
	row = row_of(&key, c, btf);
	if (row) {
		COUNT(row->created[kind]);
		COUNT(row->alive);
	}
	if (!RD(p, pid) || (clone_flags & CLONE_THREAD))
		return 0;
	process_key_of(&child, p, btf);
	enter(&child, p, &key, census_cgroup(p, btf), btf);
	return 0;
}

static __always_inline enum census_error census_error(long ret)
{
	switch (ret) {
	case -11:
		return CENSUS_EAGAIN;
	case -12:
		return CENSUS_ENOMEM;
	case -1:
		return CENSUS_EPERM;
	case -22:
		return CENSUS_EINVAL;
	case -28:
		return CENSUS_ENOSPC;
	}
	return ret <= -512 && ret >= -516 ? CENSUS_RESTARTED : CENSUS_ERROR_OTHER;
}

/* An attempt of current has failed. */
static __always_inline int census_failed(long ret)
{
	struct task_struct *c = (void *)bpf_get_current_task();
	__u32 error = census_error(ret), zero = 0;
	struct tally *all = bpf_map_lookup_elem(&census_total, &zero), *row;
	struct row_key key = {};

	if (!all || error >= CENSUS_ERRORS)
		return 0;
	COUNT(all->failed[error]);
	row_key_of(&key, c, false);
	row = row_of(&key, c, false);
	if (row)
		COUNT(row->failed[error]);
	return 0;
}

/* log2 of a duration in microseconds */
static __always_inline __u32 lifetime_bucket(__u64 ns)
{
	__u64 us = ns / 1000;
	__u32 n = 0;

	if (us >> 23)
		return LIFETIMES - 1;
	if (us >> 16) {
		n += 16;
		us >>= 16;
	}
	if (us >> 8) {
		n += 8;
		us >>= 8;
	}
	if (us >> 4) {
		n += 4;
		us >>= 4;
	}
	if (us >> 2) {
		n += 2;
		us >>= 2;
	}
	return us >> 1 ? n + 1 : n;
}

static __always_inline void count_lifetime(struct tally *t, __u32 bucket)
{
	if (bucket < LIFETIMES)
		COUNT(t->lifetimes[bucket]);
}

/*
 * Whether the caller is the first to count an end. Two threads that end at once can both
 * see that no other is left. Before 5.12 no exchange tells them apart.
 */
static __always_inline bool claim(struct lineage *l)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return !__sync_lock_test_and_set(&l->claimed, 1);
	if (l->claimed)
		return false;
	l->claimed = 1;
	return true;
}

/* A thread of a process, not its first, has ended. */
static __always_inline void thread_ended(struct tally *all, struct task_struct *p, __u32 bucket,
					 const bool btf)
{
	struct row_key key = {};
	struct tally *row;

	COUNT(all->thread_exits);
	count_lifetime(all, bucket);
	__sync_fetch_and_add(&all->alive, -1);
	row_key_of(&key, p, btf);
	row = find_row(&key);
	if (!row)
		return;
	COUNT(row->thread_exits);
	count_lifetime(row, bucket);
	__sync_fetch_and_add(&row->alive, -1);
}

/* The last thread of a process ends. */
static __always_inline void process_ended(struct tally *all, struct task_struct *p, __u64 now, const bool btf)
{
	struct task_struct___census *x = (void *)p;
	struct process_key key = {};
	struct row_key creator = {};
	struct tally *row;
	struct lineage *l;
	int code = 0;
	__u32 bucket;
	bool seeded = true;

	process_key_of(&key, p, btf);
	bucket = lifetime_bucket(now - key.start);
	l = bpf_map_lookup_elem(&census_processes, &key);
	if (l) {
		if (!claim(l))
			return;
		creator = l->creator;
		seeded = l->seeded;
	}
	bpf_core_read(&code, sizeof(code), &x->exit_code);
	COUNT(all->exits);
	count_lifetime(all, bucket);
	row = find_row(&creator);
	if (row) {
		COUNT(row->exits);
		count_lifetime(row, bucket);
	}
	if (code) {
		COUNT(all->nonzero);
		if (row)
			COUNT(row->nonzero);
	}
	if (!seeded) {
		__sync_fetch_and_add(&all->alive, -1);
		if (row)
			__sync_fetch_and_add(&row->alive, -1);
	}
	if (!l)
		return;
	/* nobody's ancestor: who has created is kept until user space has seen it */
	if (l->creates)
		l->ended = now;
	else
		bpf_map_delete_elem(&census_processes, &key);
}

static __always_inline int census_exited(struct task_struct *p, const bool btf)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 zero = 0;
	struct tally *all = bpf_map_lookup_elem(&census_total, &zero);
	struct signal_struct *signal = RD(p, signal);

	if (!all)
		return 0;
	if (RD(p, pid) != RD(p, tgid))
		thread_ended(all, p, lifetime_bucket(now - RD(p, start_boottime)), btf);
	if (!RD(signal, live.counter))
		process_ended(all, p, now, btf);
	return 0;
}

static __always_inline void name_exec(struct tally *row, const char comm[TASK_COMM_LEN])
{
	const __u64 *name = (const __u64 *)comm;
	__u64 *last = (__u64 *)row->last_exec;

	if (last[0] == name[0] && last[1] == name[1]) {
		COUNT(row->same_execs);
		return;
	}
	last[0] = name[0];
	last[1] = name[1];
}

/* Current has executed a program. */
static __always_inline int census_executed(struct task_struct *c, struct linux_binprm *bprm, const bool btf)
{
	__u32 zero = 0;
	struct tally *all = bpf_map_lookup_elem(&census_total, &zero), *row;
	char comm[TASK_COMM_LEN] __attribute__((aligned(8))) = {};
	struct row_key creator = {};
	struct process_key key = {};
	const char *file = NULL;
	struct lineage *l;

	if (!all)
		return 0;
	COUNT(all->execs);
	process_key_of(&key, c, btf);
	bpf_core_read(comm, sizeof(comm), &c->comm);
	l = bpf_map_lookup_elem(&census_processes, &key);
	if (l) {
		creator = l->creator;
		__builtin_memcpy(l->comm, comm, sizeof(comm));
		if (bprm) {
			bpf_core_read(&file, sizeof(file), &bprm->filename);
			bpf_probe_read_kernel_str(l->file, sizeof(l->file), file);
		}
	}
	row = find_row(&creator);
	if (row) {
		COUNT(row->execs);
		name_exec(row, comm);
	}
	return 0;
}

#endif
