/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The observation at task_newtask: which objects the child really shares.
 *
 * Sound there and nowhere later: current is the creator, which alone may change its
 * mm, files, fs, nsproxy, sighand, signal and creds and is inside copy_process; the
 * child is linked and has never run (kernel-facts A).
 */
#ifndef FORKTRACE_FACTS_H
#define FORKTRACE_FACTS_H

#include "config.h"
#include "drift.h"
#include "event.h"
#include <bpf/bpf_helpers.h>

#define CLONE_CLEAR_SIGHAND  0x100000000ULL
#define CLONE_PTRACE	     0x00002000ULL
#define CLONE_NEWUSER	     0x10000000ULL
#define CLONE_IO	     0x80000000ULL
#define SIGNAL_GROUP_EXIT    0x04 /* include/linux/sched/signal.h */
#define SIGNAL_UNKILLABLE    0x40
#define PFA_NO_NEW_PRIVS_BIT 1 /* bit 0 of atomic_flags */

/*
 * Always 0, which the verifier does not know. What a fact is differs from path to path, and
 * where the verifier follows both bits of each it meets the next with twice as many states:
 * that of 5.10 came to a million instructions. The sum with this is any number to it.
 */
volatile __u64 nothing;

struct facts {
	__u64 known;
	__u64 is;
	__u64 nothing;
};

static __always_inline void fact(struct facts *f, enum fact which, bool is)
{
	f->known |= 1ULL << which;
	f->is |= (__u64)is << which;
	f->known += f->nothing;
	f->is += f->nothing;
	barrier_var(f->is); /* decide one by one: the stack has no room for all at once */
}

/*
 * Compares two pointers to objects that not every task has; two NULLs are nothing to compare.
 * What no task that creates and no child lacks is compared without it.
 */
static __always_inline void same(struct facts *f, enum fact which, const void *a, const void *b)
{
	if (!a) {
		barrier(); /* or the compiler tests a | b, and the verifier refuses sums of pointers */
		if (!b)
			return;
	}
	fact(f, which, a == b);
}

#define NSPROXY_FACTS                                                                                        \
	(1ULL << FACT_MNT_NS | 1ULL << FACT_UTS_NS | 1ULL << FACT_IPC_NS | 1ULL << FACT_NET_NS |             \
	 1ULL << FACT_CGROUP_NS | 1ULL << FACT_TIME_NS | 1ULL << FACT_TIME_NS_FOR_CHILDREN |                 \
	 1ULL << FACT_PID_NS_FOR_CHILDREN)

static __always_inline void facts_nsproxy(struct facts *f, const struct links *child,
					  const struct links *creator, const bool whole, const bool btf)
{
	struct nsproxy *pn = child->nsproxy, *cn = creator->nsproxy;
	struct pid_namespace *for_children = RD(cn, pid_ns_for_children);

	fact(f, FACT_CREATOR_FOREIGN_PID_NS, for_children != creator->pid_ns);
	fact(f, FACT_CREATOR_FOREIGN_TIME_NS, RD(cn, time_ns) != RD(cn, time_ns_for_children));
	if (pn == cn) { /* nearly always: one comparison stands for eight */
		f->known |= NSPROXY_FACTS;
		f->is |= NSPROXY_FACTS;
	} else {
		same(f, FACT_MNT_NS, RD(pn, mnt_ns), RD(cn, mnt_ns));
		same(f, FACT_UTS_NS, RD(pn, uts_ns), RD(cn, uts_ns));
		same(f, FACT_IPC_NS, RD(pn, ipc_ns), RD(cn, ipc_ns));
		same(f, FACT_NET_NS, RD(pn, net_ns), RD(cn, net_ns));
		same(f, FACT_CGROUP_NS, RD(pn, cgroup_ns), RD(cn, cgroup_ns));
		same(f, FACT_TIME_NS, RD(pn, time_ns), RD(cn, time_ns));
		same(f, FACT_TIME_NS_FOR_CHILDREN, RD(pn, time_ns_for_children),
		     RD(cn, time_ns_for_children));
		fact(f, FACT_IN_TIME_NS_FOR_CHILDREN, RD(pn, time_ns) == RD(pn, time_ns_for_children));
		for_children = RD(pn, pid_ns_for_children);
		same(f, FACT_PID_NS_FOR_CHILDREN, for_children, RD(cn, pid_ns_for_children));
	}
	if (whole)
		fact(f, FACT_IN_PID_NS_FOR_CHILDREN, for_children == child->pid_ns);
}

static __always_inline bool autoreap(struct signal_struct *signal)
{
	struct signal_struct___autoreap *s = (void *)signal;

	return BPF_CORE_READ_BITFIELD_PROBED(s, autoreap);
}

static __always_inline void facts_signal(struct facts *f, struct signal_struct *ps, struct signal_struct *cs,
					 const bool btf)
{
	__u32 flags = RD(ps, flags);

	barrier_var(flags);
	fact(f, FACT_SIGNAL, ps == cs);
	/* read once: a SIGKILL, which can come at once, writes over all flags */
	if (!(flags & SIGNAL_GROUP_EXIT))
		fact(f, FACT_NS_INIT, flags & SIGNAL_UNKILLABLE);
	fact(f, FACT_CREATOR_NS_INIT, RD(cs, flags) & SIGNAL_UNKILLABLE);
	if (bpf_core_field_exists(struct signal_struct___autoreap, autoreap)) {
		fact(f, FACT_AUTOREAP, autoreap(ps));
		fact(f, FACT_CREATOR_AUTOREAP, autoreap(cs));
	}
}

/*
 * Only for CLONE_CLEAR_SIGHAND: 64 loads. SIG_DFL is 0 and SIG_IGN is 1. The indices
 * are literal because CO-RE relocates no others, and the values are compared one by one
 * because the verifier takes them for pointers, which must not be or-ed.
 */
#define CLEARED(n)                                                                                           \
	({                                                                                                   \
		__u64 __h = (__u64)RD(sighand, action[n].sa.sa_handler);                                     \
		barrier_var(__h);                                                                            \
		if (__h > 1)                                                                                 \
			return false;                                                                        \
	})
#define CLEARED_8(n)                                                                                         \
	CLEARED(n);                                                                                          \
	CLEARED(n + 1);                                                                                      \
	CLEARED(n + 2);                                                                                      \
	CLEARED(n + 3);                                                                                      \
	CLEARED(n + 4);                                                                                      \
	CLEARED(n + 5);                                                                                      \
	CLEARED(n + 6);                                                                                      \
	CLEARED(n + 7)

static __always_inline bool handlers_cleared(struct task_struct *p, const bool btf)
{
	struct sighand_struct *sighand = RD(p, sighand);

	CLEARED_8(0);
	CLEARED_8(8);
	CLEARED_8(16);
	CLEARED_8(24);
	CLEARED_8(32);
	CLEARED_8(40);
	CLEARED_8(48);
	CLEARED_8(56);
	return true;
}

/* Members that depend on the kernel's version or configuration. */
static __always_inline void facts_optional(struct facts *f, __u64 flags, struct task_struct *p,
					   struct task_struct *c, const bool btf)
{
	if (bpf_core_field_exists(struct task_struct___exec_state, exec_state)) {
		struct task_struct___exec_state *px = (void *)p, *cx = (void *)c;

		same(f, FACT_EXEC_STATE, RD(px, exec_state), RD(cx, exec_state));
	}
	if (bpf_core_field_exists(struct task_struct___real_fs, real_fs)) {
		struct task_struct___real_fs *pf = (void *)p, *cf = (void *)c;

		same(f, FACT_FS, RD(pf, real_fs), RD(cf, real_fs));
	} else {
		same(f, FACT_FS, RD(p, fs), RD(c, fs));
	}
	if (bpf_core_field_exists(struct task_struct, sysvsem))
		same(f, FACT_UNDO_LIST, RD(p, sysvsem.undo_list), RD(c, sysvsem.undo_list));
	if (bpf_core_field_exists(struct task_struct, io_context)) {
		void *mine = RD(c, io_context), *its = RD(p, io_context);

		/*
		 * Without one of its own the creator has none to share, and another task can give
		 * it one after the child was made (ioprio_set): then the child has none.
		 */
		if (mine && (its || !(flags & CLONE_IO)))
			fact(f, FACT_IO_CONTEXT, its == mine);
	}
}

/* What is seen for a flag that hardly anyone asks for, and takes loads of its own. */
static __always_inline void facts_of_flags(struct facts *f, __u64 flags, struct task_struct *p,
					   struct task_struct *c, const bool btf)
{
	if (flags & CLONE_CLEAR_SIGHAND)
		fact(f, FACT_HANDLERS_CLEARED, handlers_cleared(p, btf));
	if (flags & CLONE_NEWUSER) {
		struct cred *pcred = RD(p, cred), *ccred = RD(c, cred);
		struct user_namespace *mine = RD(ccred, user_ns), *ns = RD(pcred, user_ns);

		fact(f, FACT_USER_NS_NESTED,
		     RD(ns, parent) == mine && RD(ns, level) == RD(mine, level) + 1 &&
			 RD(ns, owner.val) == RD(ccred, euid.val));
	}
	if ((flags & CLONE_PTRACE) && RD(p, ptrace) && RD(c, ptrace))
		fact(f, FACT_TRACED_ALIKE, RD(p, ptrace) == RD(c, ptrace) && RD(p, parent) == RD(c, parent));
}

/*
 * What the task_structs themselves tell, through trusted pointers (WALKABLE() says why that is not
 * done everywhere). A comparison is a branch, whose paths the verifier joins again unless others follow
 * at once: mm and files have two each, so what is compared until there is read before them. With all
 * of this, what read_links() reads included, it looks some thirty fields up.
 */
static __always_inline void facts_of_tasks(struct facts *f, __u64 flags, struct task_struct *p,
					   struct task_struct *c, const bool btf)
{
	struct task_struct *parent = RD(p, real_parent), *mine = RD(c, real_parent);
	void *mm = RD(p, mm), *my_mm = RD(c, mm), *files = RD(p, files), *my_files = RD(c, files);

	fact(f, FACT_SIGHAND, RD(p, sighand) == RD(c, sighand));
	fact(f, FACT_THREAD_GROUP, RD(p, group_leader) == RD(c, group_leader));
	if (btf)
		barrier(); /* keeps the loads above before the branches below */
	same(f, FACT_MM, mm, my_mm);
	same(f, FACT_FILES, files, my_files);
	/* one that exits hands its children over one by one, creator and child too */
	if (parent == mine || parent == c || !((RD(parent, flags) | RD(mine, flags)) & PF_EXITING))
		fact(f, FACT_REAL_PARENT, parent == mine);
	fact(f, FACT_CHILD_OF_CREATOR, parent == c);
	facts_optional(f, flags, p, c, btf);
	fact(f, FACT_PTRACED, RD(p, ptrace));
	fact(f, FACT_CREATOR_PTRACED, RD(c, ptrace));
	fact(f, FACT_NO_NEW_PRIVS, RD(p, atomic_flags) & PFA_NO_NEW_PRIVS_BIT);
	barrier(); /* parents exit at any time: their numbers are read anew, so that a change spoils these or
		      the facts, not both */
}

static __always_inline void read_facts(struct event *e, struct facts *f, const struct links *child,
				       const struct links *creator, const bool whole, const bool btf)
{
	fact(f, FACT_CGROUP, child->cgroups == creator->cgroups);
	fact(f, FACT_USER_NS, child->user_ns == creator->user_ns);
	fact(f, FACT_PID_NS, child->pid_ns == creator->pid_ns); /* of the thread_pids, which never change */
	facts_nsproxy(f, child, creator, whole, btf);
	facts_signal(f, child->signal, creator->signal, btf);
	facts_of_flags(f, e->flags, child->walked, creator->walked, btf);
	e->facts = f->is;
	e->facts_known = f->known;
}

#endif
