/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The census: counters that lose nothing, for every creating process, kept beside or
 * instead of the stream. Whoever has no room for a counter of its own is counted in that
 * of its cgroup, and where even that has none, in `other`: the sum over all rows is
 * always the total. Nothing is counted before all hooks are `armed`: who begins with one
 * must end with another.
 */
#ifndef FORKTRACE_CENSUS_H
#define FORKTRACE_CENSUS_H

#include "census_pidns.h"
#include "census_rows.h"
#include "config.h"
#include "request.h"
#include <bpf/bpf_helpers.h>

static __always_inline enum census_kind census_kind(__u32 child_flags, __u32 creator_flags, __u64 clone_flags)
{
	if (is_io_worker(child_flags))
		return CENSUS_IO_WORKER;
	if (is_user_worker(child_flags))
		return CENSUS_USER_WORKER;
	if (creator_flags & PF_KTHREAD)
		return CENSUS_KERNEL;
	if (clone_flags & CLONE_THREAD)
		return CENSUS_THREAD;
	return clone_flags & CLONE_VFORK ? CENSUS_VFORK : CENSUS_PROCESS;
}

/*
 * `fetch` says that this kernel has exchanges (5.12). Without, of two at once the longer may
 * be forgotten. It is the program's, not a question to CO-RE: 5.10 refuses a program for an
 * exchange that it never reaches.
 */
static __always_inline void keep_longest(__u64 *most, __u64 took, const bool fetch)
{
	__u64 was = *most;

	if (was >= took)
		return;
	if (!fetch) {
		*most = took;
		return;
	}
	for (int i = 0; i < 4; i++) {
		__u64 seen = __sync_val_compare_and_swap(most, was, took);

		if (seen == was || seen >= took)
			return;
		was = seen;
	}
}

static __always_inline void count_creation(struct tally *t, __u32 kind, __u64 took, const bool fetch)
{
	COUNT(t->created[kind]);
	COUNT(t->alive);
	if (!took)
		return;
	__sync_fetch_and_add(&t->took, took);
	keep_longest(&t->took_most, took, fetch);
}

/* Counts a creation of c's. `took` is the time in copy_process, ns; 0 where it is not known. */
static __always_inline bool census_counted(__u32 kind, struct row_key *key, struct task_struct *c, __u64 took,
					   const bool btf)
{
	__u32 zero = 0;
	struct tally *all = bpf_map_lookup_elem(&census_total, &zero), *row;

	if (!armed || !all || kind >= CENSUS_KINDS)
		return false;
	count_creation(all, kind, took, btf);
	row_key_of(key, c, btf);
	row = row_of(key, c, btf);
	if (row)
		count_creation(row, kind, took, btf);
	return true;
}

static __always_inline int census_created(struct task_struct *p, __u64 clone_flags, struct task_struct *c,
					  __u64 took, const bool btf)
{
	__u32 kind = census_kind(RD(p, flags), RD(c, flags), clone_flags);
	struct process_key child = {};
	struct row_key key = {};

	if (!census_counted(kind, &key, c, took, btf))
		return 0;
	note_pidns(c, btf);
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

	if (!armed || !all || error >= CENSUS_ERRORS)
		return 0;
	COUNT(all->failed[error]);
	row_key_of(&key, c, false);
	row = row_of(&key, c, false);
	if (row)
		COUNT(row->failed[error]);
	note_pidns(c, false);
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
 * see that no other is left. Without `fetch` no exchange tells them apart.
 */
static __always_inline bool claim(struct lineage *l, const bool fetch)
{
	if (fetch)
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
static __always_inline void process_ended(struct tally *all, struct task_struct *p, __u64 now, const bool btf,
					  const bool fetch)
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
		if (!claim(l, fetch))
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

static __always_inline int census_exited(struct task_struct *p, const bool btf, const bool fetch)
{
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 zero = 0;
	struct tally *all = bpf_map_lookup_elem(&census_total, &zero);
	struct signal_struct *signal = RD(p, signal);

	if (!armed || !all)
		return 0;
	if (RD(p, pid) != RD(p, tgid))
		thread_ended(all, p, lifetime_bucket(now - RD(p, start_boottime)), btf);
	if (!RD(signal, live.counter))
		process_ended(all, p, now, btf, fetch);
	return 0;
}

static __always_inline void name_exec(struct tally *all, struct tally *row, const char comm[TASK_COMM_LEN])
{
	const __u64 *name = (const __u64 *)comm;
	__u64 *last = (__u64 *)row->last_exec;

	if (last[0] == name[0] && last[1] == name[1]) {
		COUNT(row->same_execs);
		COUNT(all->same_execs);
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

	if (!armed || !all)
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
		name_exec(all, row, comm);
	}
	return 0;
}

#endif
