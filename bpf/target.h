/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The cgroup that CLONE_INTO_CGROUP names, by a descriptor of the creator's. */
#ifndef FORKTRACE_TARGET_H
#define FORKTRACE_TARGET_H

#include "drift.h"
#include "event.h"
#include "request.h"
#include <bpf/bpf_helpers.h>

#define CGROUP2_MAGIC	 0x63677270 /* include/uapi/linux/magic.h */
#define KERNFS_TYPE_MASK 0xf	    /* include/linux/kernfs.h */
#define KERNFS_DIR	 1

/* The directory of a version 2 cgroup that c has open as fd; NULL if that is something else. */
static __always_inline struct kernfs_node *cgroup_node_at(struct task_struct *c, __s32 fd)
{
	struct files_struct *files = KREAD(c, files);
	struct fdtable *fdt = KREAD(files, fdt);
	struct file **table = KREAD(fdt, fd);
	struct file *file = NULL;
	struct dentry *dentry;
	struct inode *inode;
	struct super_block *sb;
	struct kernfs_node *kn;

	if ((__u32)fd < KREAD(fdt, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), table + (__u32)fd);
	dentry = KREAD(file, f_path.dentry); /* nothing where there is no file */
	inode = KREAD(dentry, d_inode);
	sb = KREAD(inode, i_sb);
	if (KREAD(sb, s_magic) != CGROUP2_MAGIC)
		return NULL;
	kn = KREAD(inode, i_private);
	return (KREAD(kn, flags) & KERNFS_TYPE_MASK) == KERNFS_DIR ? kn : NULL;
}

/*
 * Whether the child is in the cgroup that the request names. Told where nobody else can have
 * changed the descriptor since the kernel looked at it; and not where the child is in a
 * third one, as it may be moved from the moment that it is in any.
 */
static __always_inline void read_target(struct event *e, struct task_struct *c)
{
	struct files_struct *files;
	struct kernfs_node *target;
	__u64 id;

	/* before anything is read: hardly any request has the flag */
	if (!(e->flags & CLONE_INTO_CGROUP) || !(e->have & HAVE_CGROUP_FD) || !(e->have & HAVE_CHILD_CGROUP))
		return;
	files = KREAD(c, files);
	if (KREAD(files, count.counter) != (e->flags & CLONE_FILES ? 2 : 1))
		return;
	target = cgroup_node_at(c, e->cgroup_fd);
	id = KREAD(target, id);
	if (!id || (id != e->child_cgroup_id && e->child_cgroup_id != e->cgroup_id))
		return;
	e->facts_known |= 1ULL << FACT_IN_TARGET_CGROUP;
	if (id == e->child_cgroup_id)
		e->facts |= 1ULL << FACT_IN_TARGET_CGROUP;
}

#endif
