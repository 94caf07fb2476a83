/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* How full pid namespaces are, the initial one excepted: /proc tells of that. */
#ifndef FORKTRACE_CENSUS_PIDNS_H
#define FORKTRACE_CENSUS_PIDNS_H

#include "census_maps.h"
#include "drift.h"
#include "event.h"
#include <bpf/bpf_helpers.h>

/* Notes the namespace that c's children get their innermost number in. */
static __always_inline void note_pidns(struct task_struct *c, const bool btf)
{
	struct nsproxy *nsproxy = RD(c, nsproxy);
	struct pid_namespace *ns;
	struct pidns_use use = {};
	__u32 inum;

	if (!nsproxy)
		return;
	ns = RD(nsproxy, pid_ns_for_children);
	if (!RD(ns, level))
		return;
	inum = RD(ns, ns.inum);
	use.at = bpf_ktime_get_boot_ns();
	use.used = RD(ns, pid_allocated) & ~PIDNS_ADDING;
	if (bpf_core_field_exists(struct pid_namespace___max, pid_max))
		bpf_core_read(&use.max, sizeof(use.max), &((struct pid_namespace___max *)ns)->pid_max);
	bpf_map_update_elem(&census_pidns, &inum, &use, BPF_ANY);
}

#endif
