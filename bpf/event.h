/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The wire record: what the kernel side writes and decode/wire.go reads.
 *
 * One record is one creation attempt, written when its outcome is known. A value
 * that the hook could not read is not zero but absent: a bit of `have` (groups of
 * fields) or of `facts_known` (single observations) says what is there.
 *
 * decode/ mirrors every enum and field by hand; tracer/layout_test.go compares
 * both with the BTF inside the committed objects.
 */
#ifndef FORKTRACE_EVENT_H
#define FORKTRACE_EVENT_H

#define TASK_COMM_LEN 16
#define NS_PIDS_MAX   8 /* outermost levels kept; `child_level` tells of more */
#define SET_TID_MAX   8 /* likewise, `set_tid_size` */

/* How the attempt reached copy_process() (kernel-facts B). */
enum entry {
	ENTRY_UNKNOWN,
	ENTRY_FORK,
	ENTRY_VFORK,
	ENTRY_CLONE,
	ENTRY_CLONE3,
	ENTRY_KERNEL_THREAD,
	ENTRY_USER_MODE_HELPER,
	ENTRY_IO_WORKER,
	ENTRY_VHOST_WORKER,
	ENTRY_IDLE,
};

/* Which layer of the kernel refused a failed attempt. */
enum layer {
	LAYER_UNKNOWN,
	LAYER_NONE, /* it succeeded */
	LAYER_SECCOMP,
	LAYER_SYSCALL, /* clone3's copy-in and its argument checks */
	LAYER_KERNEL_CLONE,
	LAYER_COPY_PROCESS,
};

/* Groups of fields that a hook filled in: bits of event.have. */
enum have {
	HAVE_FLAGS = 1 << 0,	     /* flags */
	HAVE_EXIT_SIGNAL = 1 << 1,   /* exit_signal as requested */
	HAVE_STACK = 1 << 2,	     /* stack */
	HAVE_STACK_SIZE = 1 << 3,    /* stack_size */
	HAVE_PARENT_TIDPTR = 1 << 4, /* parent_tidptr */
	HAVE_CHILD_TIDPTR = 1 << 5,  /* child_tidptr */
	HAVE_TLS = 1 << 6,	     /* tls */
	HAVE_PIDFD = 1 << 7,	     /* pidfd */
	HAVE_SET_TID = 1 << 8,	     /* set_tid_size, set_tid */
	HAVE_CGROUP_FD = 1 << 9,     /* cgroup_fd */
	HAVE_FN = 1 << 10,	     /* fn */
	HAVE_DURATION = 1 << 11,     /* duration */
	HAVE_CHILD = 1 << 12,	     /* child_*, ns_pids */
	HAVE_CHILD_TLS = 1 << 13,    /* child_tls */
	HAVE_CGROUP = 1 << 14,	     /* cgroup_id */
	HAVE_CHILD_CGROUP = 1 << 15, /* child_cgroup_id */
	HAVE_START_TIME = 1 << 16,   /* start_time, child_start_time */
	HAVE_NAMESPACES = 1 << 17,   /* pid_ns, user_ns, mnt_ns */
	/*
	 * The request was read again from the caller's memory after the kernel had
	 * read it (clone3 in plans without a hook on copy_process): another thread
	 * may have changed it meanwhile.
	 */
	HAVE_REREAD = 1 << 18,
};

/*
 * Single observations at task_newtask, when the child is linked and has never
 * run and current is its creator: bits of event.facts, valid where the same bit
 * of event.facts_known is set. kernel-facts A gives the comparison per flag and
 * why it is sound at that point.
 */
enum fact {
	/* child and creator point to the same object */
	FACT_MM,
	FACT_EXEC_STATE,
	FACT_FS,
	FACT_FILES,
	FACT_SIGHAND,
	FACT_SIGNAL,
	FACT_THREAD_GROUP,
	FACT_REAL_PARENT,
	FACT_UNDO_LIST,
	FACT_IO_CONTEXT,
	FACT_MNT_NS,
	FACT_UTS_NS,
	FACT_IPC_NS,
	FACT_NET_NS,
	FACT_CGROUP_NS,
	FACT_TIME_NS,
	FACT_TIME_NS_FOR_CHILDREN,
	FACT_PID_NS,
	FACT_PID_NS_FOR_CHILDREN,
	FACT_USER_NS,
	FACT_CGROUP,
	/* what is true of the child */
	FACT_CHILD_OF_CREATOR,
	FACT_PTRACED,
	FACT_NO_NEW_PRIVS,
	FACT_AUTOREAP,
	FACT_NS_INIT,
	FACT_HANDLERS_CLEARED,
	/* what is true of the creator */
	FACT_CREATOR_FOREIGN_PID_NS,
	FACT_CREATOR_FOREIGN_TIME_NS,
	FACT_CREATOR_PTRACED,
	FACT_CREATOR_NS_INIT,
	FACT_CREATOR_AUTOREAP,
	FACT_MAX,
};

struct event {
	/* identity */
	/*
	 * CLOCK_BOOTTIME, ns, when the outcome was known. For a success that is the
	 * child's start_boottime, which copy_process takes when nothing slow is left to
	 * do; reading the clock again would be a sixth of this record's price.
	 */
	__u64 time;
	__u64 duration; /* ns inside copy_process */
	__u64 seq;	/* number of this record among its CPU's, lost ones too */
	__u64 lost;	/* records that this CPU had dropped before this one */
	/* request */
	__u64 flags; /* clone_flags, without the exit signal */
	__u64 stack;
	__u64 stack_size;
	__u64 parent_tidptr;
	__u64 child_tidptr;
	__u64 tls;
	__u64 pidfd;
	__u64 fn; /* kernel address that a kernel-made task runs */
	/* creator */
	__u64 start_time; /* CLOCK_BOOTTIME, ns */
	__u64 cgroup_id;  /* on the default (v2) hierarchy */
	/* child */
	__u64 child_start_time;
	__u64 child_cgroup_id;
	__u64 child_set_child_tid;
	__u64 child_clear_child_tid;
	__u64 child_tls;
	/* observation */
	__u64 facts;
	__u64 facts_known;

	__u32 have;
	__u32 cpu;
	__s32 result; /* the child's tid, or a negative errno */
	__s32 exit_signal;
	__s32 cgroup_fd;
	__u32 set_tid_size;
	__s32 set_tid[SET_TID_MAX]; /* innermost namespace first, as clone3 has it */
	__u32 pid;		    /* creator's tgid */
	__u32 tid;
	__u32 ppid; /* tgid of its real_parent */
	__u32 uid;
	__u32 gid;
	__u32 task_flags; /* PF_*: creator */
	__u32 pid_ns;	  /* creator's namespaces, inode numbers */
	__u32 user_ns;
	__u32 mnt_ns;
	__u32 child_pid;    /* tgid */
	__u32 child_level;  /* of its pid namespace; 0 is the initial one */
	__u32 child_ptrace; /* PT_* */
	__u32 child_task_flags;
	__u32 child_ppid; /* tgid of its real_parent */
	__u32 child_ptid; /* tid of its real_parent */
	__s32 child_exit_signal;
	__u32 ns_pids[NS_PIDS_MAX]; /* outermost first; [0] is the host's tid */
	__u32 child_pid_ns;
	__u8 entry; /* enum entry */
	__u8 layer; /* enum layer */
	__u8 stage; /* reached inside copy_process, kernel-facts D; 0 unknown */
	__u8 pad;
	char comm[TASK_COMM_LEN];
};

_Static_assert(sizeof(struct event) == 344, "wire size");

#endif
