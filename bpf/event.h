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
	HAVE_CHILD = 1 << 12,	     /* child_* before the details */
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
	HAVE_CHILD_DETAILS = 1 << 19,	/* child_* among the details, ns_pids */
	HAVE_STAGES = 1 << 20,		/* progress */
	HAVE_CREATOR_DETAILS = 1 << 21, /* cap_effective, creator_level */
	HAVE_LEADER = 1 << 22,		/* leader_signal */
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
	FACT_IN_TARGET_CGROUP,
	FACT_IN_PID_NS_FOR_CHILDREN,
	FACT_IN_TIME_NS_FOR_CHILDREN,
	FACT_USER_NS_NESTED,
	FACT_TRACED_ALIKE,
	/* what is true of the creator */
	FACT_CREATOR_FOREIGN_PID_NS,
	FACT_CREATOR_FOREIGN_TIME_NS,
	FACT_CREATOR_PTRACED,
	FACT_CREATOR_NS_INIT,
	FACT_CREATOR_AUTOREAP,
	FACT_MAX,
};

/* What of the evidence could be read: bits of evidence.known. */
enum evidence_known {
	KNOWN_CREATOR = 1 << 0,	       /* cap_effective, euid, user_level, policy, seccomp_mode, fs_in_exec */
	KNOWN_SIGNALS = 1 << 1,	       /* pending, blocked */
	KNOWN_NPROC = 1 << 2,	       /* nproc_* */
	KNOWN_PIDS = 1 << 3,	       /* pids_*: the pids controller is there */
	KNOWN_PIDNS = 1 << 4,	       /* pidns_* */
	KNOWN_CHROOT = 1 << 5,	       /* chrooted */
	KNOWN_UNMAPPED = 1 << 6,       /* unmapped */
	KNOWN_MEMORY = 1 << 7,	       /* memory_* */
	KNOWN_ARGS = 1 << 8,	       /* args, args_size, args_fault, tail */
	KNOWN_TARGET = 1 << 9,	       /* target_bad: the descriptor of CLONE_INTO_CGROUP was looked at */
	KNOWN_PARENT_CHAIN = 1 << 10,  /* all cgroups above were looked at, not only the lowest PIDS_DEPTH */
	KNOWN_FILES = 1 << 11,	       /* nofile_limit */
	KNOWN_SET_TID = 1 << 12,       /* set_tid_fault */
	KNOWN_SENDER = 1 << 13,	       /* sender_* */
	KNOWN_PGTABLES = 1 << 14,      /* pgtables_bytes */
	KNOWN_RESET = 1 << 15,	       /* reset_on_fork */
	KNOWN_TARGET_ACCESS = 1 << 16, /* target_owner, target_mode, fsuid */
	KNOWN_PIDNS_LAST = 1 << 17,    /* pidns_last */
	KNOWN_MM = 1 << 18,	       /* mm_alone */
	KNOWN_PERF = 1 << 19,	       /* perf_events */
	KNOWN_THREADS = 1 << 20,       /* threads, threads_max */
	KNOWN_FULLEST = 1 << 21,       /* fullest_*: all pid namespaces above were looked at */
	KNOWN_COMMITTED = 1 << 22,     /* committed, overcommit */
	KNOWN_COMMIT_LIMIT = 1 << 23,  /* commit_limit */
	KNOWN_NR_OPEN = 1 << 24,       /* nr_open */
	KNOWN_NPROC_LEVEL = 1 << 25,   /* nproc_ns, nproc_uid */
	KNOWN_NPROC_ALL = 1 << 26,     /* all user namespaces above were looked at */
};

/* What is behind the fields of clone_args that this kernel may know. */
enum tail {
	TAIL_ZERO,
	TAIL_NONZERO,
	TAIL_FAULT,
	TAIL_OPEN, /* longer than was looked at */
};

#define CLONE_ARGS_WORDS 11 /* of 64 bits: CLONE_ARGS_SIZE_VER2 */
#define CGROUP_DEPTH	 8  /* cgroups told one by one, from the task's own upwards */
#define MEMORY_DEPTH	 2  /* memory cgroups likewise */
#define USERNS_DEPTH	 4  /* user namespaces told one by one */

/* RLIMIT_NPROC in one user namespace. */
struct nproc_level {
	__s64 count;
	__u64 limit;
	__u32 ns;  /* inode number */
	__u32 uid; /* whose processes and threads are counted */
};

/* pids.max of one cgroup. */
struct pids_level {
	__u64 cgroup; /* id */
	__s64 count;
	__s64 limit;
};

#define PIDNS_ADDING (1U << 31) /* in pid_allocated: include/linux/pid_namespace.h */

/*
 * Why an attempt may have failed, read at the failure and only there (kernel-facts D).
 * Counts are those of a moment later than the refusal: what it had charged is given back.
 */
struct evidence {
	__u64 cap_effective; /* in the creator's user namespace */
	__u64 pending;	     /* signals of the thread and of the process, bit 0 is signal 1 */
	__u64 blocked;
	/*
	 * Of the user's processes and threads: in the user namespace where the limit is
	 * reached, or, if it is nowhere, where it is nearest. nproc_up: so many namespaces
	 * above the creator's.
	 */
	__s64 nproc_count;
	__u64 nproc_limit;
	/*
	 * Of the tasks of the lowest cgroup that has reached its limit, or, if none has,
	 * of the one that has least left. pids_up: so many above the task's own.
	 */
	__u64 pids_cgroup;
	__s64 pids_count;
	__s64 pids_limit;
	/* Of the memory cgroup with least left, in pages. */
	__u64 memory_cgroup;
	__s64 memory_usage;
	__s64 memory_limit;
	__u64 memory_failcnt; /* how often its limit has been met */
	__u64 nofile_limit;
	__u64 args_size;
	__u64 args[CLONE_ARGS_WORDS]; /* struct clone_args as it is in user memory now */
	__u32 known;
	__u32 nproc_up;
	__u32 pids_up;
	__u32 user_level; /* of the creator's user namespace */
	__s32 policy;	  /* SCHED_* */
	__u32 pidns;	  /* for children: inode number */
	__u32 pidns_level;
	__u32 pidns_allocated; /* numbers in use, and PIDNS_ADDING */
	__u32 pidns_max;       /* 0: not a member of the namespace (before 6.14) */
	__u32 euid;
	__u8 seccomp_mode;
	__u8 pidns_init; /* it has, or had, a first process */
	__u8 chrooted;
	__u8 unmapped; /* the creator's effective user or group has no number in its user namespace */
	__u8 args_fault;
	__u8 set_tid_fault;
	__u8 tail; /* enum tail */
	__u8 target_bad;
	__u8 fs_in_exec;    /* a task that shares the creator's fs_struct executes a program */
	__u8 reset_on_fork; /* the creator's children are scheduled as ordinary ones */
	__u8 nproc_by_user; /* up to 5.13: one count for the user in all user namespaces */
	__u8 mm_alone;	    /* no other task shares the creator's memory */
	__u32 max_fds;	    /* size of the creator's table of files */
	/* the first queued signal that is not blocked: siginfo_t's si_signo, si_code, si_pid and si_uid */
	__s32 sender_signal;
	__s32 sender_code;
	__s32 sender_pid;
	__u32 sender_uid;
	__u64 pgtables_bytes; /* of the creator's memory: what a copy of it takes first */
	/* the limits one by one, from the creator's user namespace and the child's cgroup upwards */
	struct nproc_level nproc[USERNS_DEPTH];
	struct pids_level pids[CGROUP_DEPTH]; /* not the root, which counts nothing */
	__u32 nproc_levels;
	__u32 pids_levels;
	__u32 pidns_last;   /* the number that the pid namespace gave out last */
	__u32 fsuid;	    /* the creator's */
	__u32 target_owner; /* of cgroup.procs of the cgroup that CLONE_INTO_CGROUP names */
	__u16 target_mode;
	__u8 perf_events; /* the creator has some, which its child may inherit */
	__u8 pad;
	__s32 threads; /* tasks of the machine */
	__s32 threads_max;
	/* of the pid namespaces from that for children upwards the one that has least left */
	__u32 fullest_pidns; /* inode number */
	__u32 fullest_used;  /* numbers in use */
	__u32 fullest_max;   /* its pid_max, or that of all; 0: not known */
	__u32 fullest_level;
	__s64 committed;    /* pages of memory that are promised: the count that the kernel compares */
	__u64 overcommit;   /* the sysctl vm.overcommit_memory */
	__u64 commit_limit; /* pages that may be promised where that is 2 */
	__u64 nr_open;	    /* the sysctl fs.nr_open */
	__u32 nproc_ns;	    /* of nproc_count: the user namespace, inode number */
	__u32 nproc_uid;    /* and whose processes and threads are counted */
};

#define STAGE_MAX 29 /* of copy_process, numbered as in kernel-facts D and decode/stage.go */

/* What the kernel found when it compared the user's count with RLIMIT_NPROC. */
enum over {
	OVER_UNKNOWN,
	OVER_NOT,
	OVER_LIMIT,
};

/* How far a creation came inside copy_process. */
struct progress {
	__u64 start;	     /* CLOCK_BOOTTIME, ns */
	__u32 markers;	     /* stages whose marker was attached, bit by number */
	__u32 unwinds;	     /* likewise the functions that undo them */
	__u32 unwound;	     /* which of these were called, before any of an earlier stage */
	__u32 at[STAGE_MAX]; /* ns from start until the stage's marker was passed; 0: it was not */
	__u32 over;	     /* enum over */
	__u32 late;	     /* which of the unwinds were called after one of an earlier stage */
};

/*
 * What every record has comes first: about successes nothing else is written unless
 * `details` are wanted, and the ring holds EVENT_SHORT or EVENT_DETAILS bytes. Failures
 * come with evidence.
 */
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
	/* creator and child, CLOCK_BOOTTIME, ns */
	__u64 start_time;
	__u64 child_start_time;
	/* observation */
	__u64 facts;
	__u64 facts_known;

	__u32 have;
	__u32 cpu;
	__s32 result; /* the child's tid, or a negative errno */
	__s32 exit_signal;
	__u32 pid; /* creator's tgid */
	__u32 tid;
	__u32 ppid; /* tgid of its real_parent */
	__u32 uid;
	__u32 gid;
	__u32 task_flags;  /* PF_*: creator */
	__u32 child_pid;   /* tgid */
	__u32 child_level; /* of its pid namespace; 0 is the initial one */
	__u32 child_task_flags;
	__s32 child_exit_signal;
	char comm[TASK_COMM_LEN];
	__u8 entry; /* enum entry */
	__u8 layer; /* enum layer */
	__u16 pad;

	/* details */
	__s32 cgroup_fd;
	__u64 stack_size;
	__u64 parent_tidptr;
	__u64 child_tidptr;
	__u64 tls;
	__u64 pidfd;
	__u64 fn;	 /* kernel address that a kernel-made task runs */
	__u64 cgroup_id; /* creator's, on the default (v2) hierarchy */
	__u64 child_cgroup_id;
	__u64 child_set_child_tid;
	__u64 child_clear_child_tid;
	__u64 child_tls;
	__u32 set_tid_size;
	__s32 set_tid[SET_TID_MAX]; /* innermost namespace first, as clone3 has it */
	__u32 pid_ns;		    /* creator's namespaces, inode numbers */
	__u32 user_ns;
	__u32 mnt_ns;
	__u32 child_pid_ns;
	__u32 child_ptrace;	    /* PT_* */
	__u32 child_ppid;	    /* tgid of its real_parent */
	__u32 child_ptid;	    /* tid of its real_parent */
	__u32 ns_pids[NS_PIDS_MAX]; /* outermost first; [0] is the host's tid */
	__u64 cap_effective;	    /* creator's, in its user namespace; if flags ask for a namespace */
	__s32 leader_signal;	    /* exit signal of the creator's thread group leader */
	__u32 creator_level;	    /* of the creator's own pid namespace */

	/* failures */
	struct evidence evidence;

	/* all whose stages are told */
	struct progress progress;
};

/* Length of a record without details, without evidence, and without progress. */
#define EVENT_SHORT   160
#define EVENT_DETAILS 360
#define EVENT_FAILURE 1016

_Static_assert(__builtin_offsetof(struct event, stack_size) == EVENT_SHORT,
	       "wire size of a record without details");
_Static_assert(__builtin_offsetof(struct event, evidence) == EVENT_DETAILS, "wire size without evidence");
_Static_assert(__builtin_offsetof(struct event, progress) == EVENT_FAILURE, "wire size without progress");
_Static_assert(sizeof(struct event) == 1160, "wire size");

/* The other sort of record, told apart by its length: a creator that vfork suspended runs again. */
struct resumed {
	__u64 time;	 /* CLOCK_BOOTTIME, ns */
	__u64 suspended; /* ns since the child was made */
	__u32 pid;	 /* creator's tgid */
	__u32 tid;
	__s32 child; /* its tid */
	__u32 cpu;
};

_Static_assert(sizeof(struct resumed) == 32, "wire size");

#endif
