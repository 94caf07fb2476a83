/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Whose counters: finds and makes rows, and enters processes. */
#ifndef FORKTRACE_CENSUS_ROWS_H
#define FORKTRACE_CENSUS_ROWS_H

#include "census_maps.h"
#include "config.h"
#include "drift.h"
#include "task.h"
#include <bpf/bpf_helpers.h>

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
		return css_set_cgroup_id(RD(t, cgroups), btf);
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

/*
 * Makes an entry for a process that runs already; of a new one `creator` is known. False
 * if there is no room.
 */
static __always_inline bool enter(struct process_key *key, struct task_struct *t, struct row_key *creator,
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
	return bpf_map_update_elem(&census_processes, key, &l, BPF_NOEXIST) != -7 /* E2BIG */;
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
	} else if (!enter(&key->process, c, NULL, key->cgroup, btf)) {
		return shared_row(key->cgroup, true); /* nobody would see that it has ended */
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

#endif
