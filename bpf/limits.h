/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The limits that a failed attempt may have met: part of the evidence. */
#ifndef FORKTRACE_LIMITS_H
#define FORKTRACE_LIMITS_H

#include "drift.h"
#include "event.h"
#include "target.h"
#include <bpf/bpf_helpers.h>

#define RLIMIT_NPROC 6

/*
 * A reader that the verifier checks once, by itself, and not again for each state in which
 * it is called: loops and branches of several readers add up and do not multiply. Where a
 * function of its own cannot take a pointer (before 5.12) the loader makes it a part of
 * its callers (tracer/plan.go: try). `v` is never NULL, but up to 6.7 the verifier wants
 * to see that it is not.
 */
#define READER __attribute__((noinline)) int

/*
 * So many levels are looked at, and no more than are told one by one where readers are parts of
 * their callers: those kernels also lack this helper (5.13).
 */
#define LEVELS(most, told)                                                                                   \
	(bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_for_each_map_elem) ? (most) : (told))

/* Element of an array member, by an index that is only known at load time. */
#define KELEMENT(into, p, member, index)                                                                     \
	bpf_probe_read_kernel(                                                                               \
	    &(into), sizeof(into),                                                                           \
	    (void *)((__u64)(p) + bpf_core_field_offset(typeof(*(p)), member) + (index) * sizeof(__u64)))

#define USERNS_MOST 34 /* user namespaces have levels 0 to 33 (kernel/user_namespace.c: create_user_ns) */

/* How many more a limit allows. */
static __always_inline __u64 nproc_left(__s64 count, __u64 limit)
{
	return count < 0 || (__u64)count >= limit ? 0 : limit - count;
}

/*
 * RLIMIT_NPROC (kernel/ucount.c: is_rlimit_overlimit): the creator's limit holds in its
 * own user namespace; above, that which each namespace got when it was made.
 */
READER evidence_nproc(struct evidence *v, __u64 at)
{
	struct task_struct *c = (void *)at;
	struct cred *cred = KREAD(c, real_cred);
	struct signal_struct *signal = KREAD(c, signal);
	__u64 limit = KREAD(signal, rlim[RLIMIT_NPROC].rlim_cur);
	struct ucounts *ucounts = NULL;
	struct user_namespace *ns;
	__u32 index, levels, inum, uid;
	bool rlimit;

	if (!v)
		return 0;
	if (bpf_core_field_exists(struct user_struct___processes, processes)) {
		struct cred___user *owner = (void *)cred;
		struct user_struct___processes *user = KREAD(owner, user);

		v->nproc_count = KREAD(user, processes.counter);
		v->nproc_limit = limit;
		v->nproc_by_user = 1;
		v->known |= KNOWN_NPROC;
		return 0;
	}
	if (!bpf_core_field_exists(struct cred___ucounts, ucounts))
		return 0;
	rlimit = bpf_core_field_exists(struct ucounts___rlimit, rlimit);
	index = rlimit ? bpf_core_enum_value(enum rlimit_type, UCOUNT_RLIMIT_NPROC)
		       : bpf_core_enum_value(enum ucount_type___nproc, UCOUNT_RLIMIT_NPROC___5_14);
	ucounts = KREAD((struct cred___ucounts *)cred, ucounts);
	levels = LEVELS(USERNS_MOST, USERNS_DEPTH);
	for (__u32 up = 0; up < levels && ucounts; up++) {
		__s64 count = 0;

		if (rlimit)
			KELEMENT(count, (struct ucounts___rlimit *)ucounts, rlimit, index);
		else
			KELEMENT(count, (struct ucounts___ucount *)ucounts, ucount, index);
		ns = KREAD((struct ucounts___rlimit *)ucounts, ns);
		inum = KREAD(ns, ns.inum);
		uid = KREAD((struct ucounts___rlimit *)ucounts, uid.val);
		/* compared with what the record has: of variables the verifier follows each value */
		if (!up || nproc_left(count, limit) < nproc_left(v->nproc_count, v->nproc_limit)) {
			v->nproc_count = count;
			v->nproc_limit = limit;
			v->nproc_up = up;
			v->nproc_ns = inum;
			v->nproc_uid = uid;
		}
		if (up < USERNS_DEPTH) {
			v->nproc[up].count = count;
			v->nproc[up].limit = limit;
			v->nproc[up].ns = inum;
			v->nproc[up].uid = uid;
			v->nproc_levels = up + 1;
		}
		if (rlimit)
			KELEMENT(limit, (struct user_namespace___rlimit *)ns, rlimit_max, index);
		else
			KELEMENT(limit, (struct user_namespace___ucount *)ns, ucount_max, index);
		ucounts = KREAD(ns, ucounts);
	}
	v->known |= KNOWN_NPROC | KNOWN_NPROC_LEVEL;
	if (!ucounts)
		v->known |= KNOWN_NPROC_ALL;
	return 0;
}

static __always_inline __u64 css_cgroup_id(struct cgroup_subsys_state *css)
{
	struct cgroup *cgroup = KREAD(css, cgroup);
	struct kernfs_node *kn = KREAD(cgroup, kn);

	return KREAD(kn, id);
}

#define CGROUP_MOST 32 /* there is no limit but cgroup.max.depth */

/* How many more a limit allows; none where it was lowered to less than there are. No branch. */
static __always_inline __s64 pids_left(__s64 count, __s64 limit)
{
	__s64 left = limit - count;

	return left & ~(left >> 63);
}

/*
 * pids.max of a cgroup and of all above it but the root, which has none and counts nothing.
 * The css is the first member of struct pids_cgroup.
 */
READER evidence_pids(struct evidence *v, __u64 at)
{
	struct cgroup_subsys_state *css = (void *)at, *parent;
	__u32 up, levels = LEVELS(CGROUP_MOST, CGROUP_DEPTH);

	if (!v || !css)
		return 0;
	for (up = 0; up < levels; up++) {
		struct pids_cgroup *pids = (void *)css;
		__s64 count, limit;
		__u64 id;

		parent = KREAD(css, parent);
		if (!parent)
			break;
		count = KREAD(pids, counter.counter);
		limit = KREAD(pids, limit.counter);
		id = css_cgroup_id(css);
		/* of several that are full the lowest refuses */
		if (!up || pids_left(count, limit) < pids_left(v->pids_count, v->pids_limit)) {
			v->pids_count = count;
			v->pids_limit = limit;
			v->pids_up = up;
			v->pids_cgroup = id;
		}
		if (up < CGROUP_DEPTH) {
			v->pids[up].count = count;
			v->pids[up].limit = limit;
			v->pids[up].cgroup = id;
			v->pids_levels = up + 1;
		}
		v->known |= KNOWN_PIDS;
		css = parent;
	}
	if (up < levels)
		v->known |= KNOWN_PARENT_CHAIN;
	return 0;
}

/* memory.max likewise: which cgroup has least left. */
READER evidence_memory(struct evidence *v, __u64 at)
{
	struct cgroup_subsys_state *css = (void *)at;

	if (!v)
		return 0;
	for (__u32 up = 0; up < MEMORY_DEPTH && css; up++) {
		struct mem_cgroup *memcg = (void *)css;
		__s64 usage = KREAD(memcg, memory.usage.counter);
		__s64 limit = KREAD(memcg, memory.max);

		if (!up || limit - usage < v->memory_limit - v->memory_usage) {
			v->memory_usage = usage;
			v->memory_limit = limit;
			v->memory_failcnt = KREAD(memcg, memory.failcnt);
			v->memory_cgroup = css_cgroup_id(css);
		}
		v->known |= KNOWN_MEMORY;
		css = KREAD(css, parent);
	}
	return 0;
}

/* Who may move tasks into a cgroup: who may write its cgroup.procs. Without attributes of its own it is
 * root's. */
static __always_inline void evidence_target(struct evidence *v, struct cgroup *target, struct task_struct *c)
{
	struct kernfs_node *procs = KREAD(target, procs_file.kn);
	struct kernfs_iattrs *attributes = KREAD(procs, iattr);
	struct cred *cred = KREAD(c, cred);

	if (!procs)
		return;
	v->target_mode = KREAD(procs, mode) & 07777;
	v->target_owner = KREAD(attributes, ia_uid.val);
	v->fsuid = KREAD(cred, fsuid.val);
	v->known |= KNOWN_TARGET_ACCESS;
}

/* The cgroup that CLONE_INTO_CGROUP names, by the creator's file descriptor; NULL if it is none. */
static __always_inline struct cgroup *target_cgroup(struct event *e, struct task_struct *c)
{
	struct evidence *v = &e->evidence;
	struct kernfs_node *kn;

	if (!(e->have & HAVE_CGROUP_FD))
		return NULL;
	kn = cgroup_node_at(c, e->cgroup_fd);
	v->known |= KNOWN_TARGET;
	v->target_bad = !kn;
	if (kn)
		evidence_target(v, KREAD(kn, priv), c);
	return KREAD(kn, priv);
}

#define BARE_DEPTH 4 /* cgroups without the pids controller that are passed by */

/* Who counts the tasks of a cgroup: on v2 one above it, where it lacks the pids controller. */
static __always_inline struct cgroup_subsys_state *pids_of(__u64 cgroup, __u64 index)
{
	struct cgroup_subsys_state *css = NULL;

	for (int up = 0; up < BARE_DEPTH && cgroup && !css; up++) {
		struct cgroup *at = (void *)cgroup;
		struct cgroup_subsys_state *parent = KREAD(at, self.parent);

		bpf_probe_read_kernel(
		    &css, sizeof(css),
		    (void *)(cgroup + bpf_core_field_offset(struct cgroup, subsys) + index));
		/* cgroup.self is a css whose cgroup is itself */
		cgroup = (__u64)(parent ? KREAD(parent, cgroup) : NULL);
	}
	return css;
}

/* Of the cgroup that counts for the child: that which CLONE_INTO_CGROUP names, or the creator's. */
static __always_inline void evidence_cgroups(struct event *e, struct task_struct *c)
{
	struct evidence *v = &e->evidence;
	struct css_set *set = KREAD(c, cgroups);
	struct cgroup_subsys_state *css = NULL;
	struct mm_struct *mm = KREAD(c, mm);

	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
		__u64 at = (__u64)set + bpf_core_field_offset(struct css_set, subsys);
		__u64 index = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id) * sizeof(css);

		if (e->flags & CLONE_INTO_CGROUP)
			css = pids_of((__u64)target_cgroup(e, c), index);
		else
			bpf_probe_read_kernel(&css, sizeof(css), (void *)(at + index));
		evidence_pids(v, (__u64)css);
	}
	if (bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id)) {
		css = NULL;
		KELEMENT(css, set, subsys, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
		evidence_memory(v, (__u64)css);
	}
	if (mm) {
		v->pgtables_bytes = KREAD(mm, pgtables_bytes.counter);
		v->mm_alone = KREAD(mm, mm_users.counter) == 1;
		v->known |= KNOWN_PGTABLES | KNOWN_MM;
	}
}

#endif
