/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Limits of the whole machine, read at addresses that the loader knows: part of the evidence. */
#ifndef FORKTRACE_MACHINE_H
#define FORKTRACE_MACHINE_H

#include "config.h"
#include "event.h"
#include "limits.h"
#include <bpf/bpf_helpers.h>

/* The machine's tasks and their limit: no types tell where the kernel has them. */
static __always_inline void evidence_threads(struct evidence *v)
{
	if (!nr_threads_at || !max_threads_at)
		return;
	if (!bpf_probe_read_kernel(&v->threads, sizeof(v->threads), (void *)nr_threads_at) &&
	    !bpf_probe_read_kernel(&v->threads_max, sizeof(v->threads_max), (void *)max_threads_at))
		v->known |= KNOWN_THREADS;
}

/* A variable of the kernel's, by its address; false: it could not be read. */
#define READ_AT(into, at) ((at) && !bpf_probe_read_kernel(&(into), sizeof(into), (void *)(at)))

#define HSTATES 4 /* sizes of huge pages that are looked at: HUGE_MAX_HSTATE of arm64, x86 has 2 */

/* How many pages are in the pools of huge pages (mm/hugetlb.c: hugetlb_total_pages); false: not known. */
static __always_inline bool huge_pages(__u64 *pages)
{
	__s32 n;

	*pages = 0;
	if (!bpf_core_field_exists(struct hstate, nr_huge_pages)) /* else empty, or not there */
		return true;
	if (!hstates_at || !READ_AT(n, hstates_max_at))
		return false;
	for (int i = 0; i < HSTATES; i++) {
		struct hstate *h = (void *)(hstates_at + i * bpf_core_type_size(struct hstate));

		if (i < n)
			*pages += KREAD(h, nr_huge_pages) << (KREAD(h, order) & 63);
	}
	return n <= HSTATES;
}

/* How many pages may be promised (mm/util.c: vm_commit_limit). */
static __always_inline void evidence_commit_limit(struct evidence *v)
{
	__u64 kbytes, ram, huge, swap, limit;
	__s32 ratio;

	if (!READ_AT(kbytes, overcommit_kbytes_at) || !READ_AT(swap, total_swap_at))
		return;
	if (kbytes) {
		limit = kbytes / (page_size / 1024);
	} else {
		if (!READ_AT(ratio, overcommit_ratio_at) || !READ_AT(ram, total_ram_at) || !huge_pages(&huge))
			return;
		limit = (ram - huge) * ratio / 100;
	}
	v->commit_limit = limit + swap;
	v->known |= KNOWN_COMMIT_LIMIT;
}

/* The memory that the machine has promised, and may (mm/util.c: __vm_enough_memory). */
READER evidence_committed(struct evidence *v)
{
	__u64 count = committed_at + bpf_core_field_offset(struct percpu_counter, count);
	__s32 overcommit;

	if (!v || !committed_at)
		return 0;
	if (READ_AT(v->committed, count) && READ_AT(overcommit, overcommit_at)) {
		v->overcommit = overcommit;
		v->known |= KNOWN_COMMITTED;
	}
	evidence_commit_limit(v);
	return 0;
}

/* The sysctl fs.nr_open: so many descriptors a copied table can have. */
static __always_inline void evidence_nr_open(struct evidence *v)
{
	__u32 nr_open;

	if (READ_AT(nr_open, nr_open_at)) {
		v->nr_open = nr_open;
		v->known |= KNOWN_NR_OPEN;
	}
}

#endif
