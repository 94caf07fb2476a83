/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel types that forktrace reads, and of each only the members it reads.
 * CO-RE finds their real offsets in the running kernel's BTF, so order and
 * neighbours do not matter here. Members that moved or changed are in drift.h.
 */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;
typedef _Bool bool;
#define true  1
#define false 0
#define NULL  ((void *)0)

/* include/uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};
enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};
enum {
	BPF_RB_AVAIL_DATA = 0,
};

/* Helpers that not every kernel has: CO-RE asks the running one for their names. */
enum bpf_func_id {
	BPF_FUNC_get_current_task_btf = 158, /* 5.11 */
	BPF_FUNC_for_each_map_elem = 164,    /* 5.13 */
	BPF_FUNC_task_pt_regs = 175,	     /* 5.15 */
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	unsigned int val;
} kgid_t;

struct ns_common {
	unsigned int inum;
};

struct uts_namespace;
struct ipc_namespace;
struct net;
struct time_namespace;
struct cgroup_namespace;
struct dentry;
struct sem_undo_list;
struct io_context;

struct mnt_namespace {
	struct ns_common ns;
};

struct uid_gid_extent {
	u32 first;
	u32 lower_first;
	u32 count;
};

struct uid_gid_map {
	u32 nr_extents;
	struct uid_gid_extent extent[5]; /* of a union; with more extents they are elsewhere */
};

struct ucounts;

struct user_namespace {
	struct ns_common ns;
	int level;
	struct uid_gid_map uid_map;
	struct uid_gid_map gid_map;
	struct user_namespace *parent;
	kuid_t owner;
	struct ucounts *ucounts;
};

struct idr {
	unsigned int idr_next;
};

struct pid_namespace {
	struct idr idr;
	unsigned int level;
	struct ns_common ns;
	unsigned int pid_allocated;
	struct task_struct *child_reaper;
	struct pid_namespace *parent;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct nsproxy {
	struct uts_namespace *uts_ns;
	struct ipc_namespace *ipc_ns;
	struct mnt_namespace *mnt_ns;
	struct pid_namespace *pid_ns_for_children;
	struct net *net_ns;
	struct time_namespace *time_ns;
	struct time_namespace *time_ns_for_children;
	struct cgroup_namespace *cgroup_ns;
};

/* two u32 up to 6.2, then a u64: the same bits */
typedef struct {
	u64 val;
} kernel_cap_t;

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	kuid_t fsuid;
	struct user_namespace *user_ns;
	kernel_cap_t cap_effective;
};

/* fs/kernfs/kernfs-internal.h */
struct kernfs_iattrs {
	kuid_t ia_uid;
};

struct kernfs_node {
	__u64 id;
	void *priv;
	unsigned short flags;
	unsigned short mode;
	struct kernfs_iattrs *iattr;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_file {
	struct kernfs_node *kn;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_file procs_file;
	struct cgroup_subsys_state *subsys[1]; /* as many as are built in */
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct cgroup_subsys_state *subsys[1];
};

enum cgroup_subsys_id {
	memory_cgrp_id,
	pids_cgrp_id,
};

typedef struct {
	s64 counter;
} atomic64_t;

typedef struct {
	long counter;
} atomic_long_t;

/* kernel/cgroup/pids.c */
struct pids_cgroup {
	atomic64_t counter;
	atomic64_t limit;
};

struct page_counter {
	atomic_long_t usage;
	unsigned long max;
	unsigned long failcnt;
};

struct mem_cgroup {
	struct page_counter memory;
};

struct vfsmount {
	struct dentry *mnt_root;
};

/* fs/mount.h */
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	void *i_private;
	struct super_block *i_sb;
};

struct dentry {
	struct inode *d_inode;
};

struct file {
	struct path f_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct mm_struct {
	atomic_t mm_users;
	atomic_long_t pgtables_bytes;
};

struct files_struct {
	atomic_t count;
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	int in_exec;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct list_head {
	struct list_head *next, *prev;
};

struct kernel_siginfo {
	int si_signo;
	int si_errno;
	int si_code;
};

struct sigqueue {
	struct list_head list;
	struct kernel_siginfo info;
};

struct sigpending {
	struct list_head list;
	sigset_t signal;
};

struct rlimit {
	unsigned long rlim_cur;
};

struct seccomp {
	int mode;
};

struct sigaction {
	void *sa_handler;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

struct signal_struct {
	atomic_t live;
	unsigned int flags;
	struct sigpending shared_pending;
	struct rlimit rlim[16];
};

struct sysv_sem {
	struct sem_undo_list *undo_list;
};

#if defined(__TARGET_ARCH_x86)

struct thread_info {
	u32 status;
};

struct thread_struct {
	unsigned long fsbase;
};

struct pt_regs {
	unsigned long bx;
	unsigned long r10;
	unsigned long r8;
	unsigned long ax;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned short cs;
};

#elif defined(__TARGET_ARCH_arm64)

struct thread_info {
	unsigned long flags;
};

struct thread_uw {
	unsigned long tp_value;
};

struct thread_struct {
	struct thread_uw uw;
};

/* what kprobe programs see of the registers */
struct user_pt_regs {
	u64 regs[31];
	u64 sp;
	u64 pc;
	u64 pstate;
};

struct pt_regs {
	u64 regs[31];
	u64 pstate;
	u64 orig_x0;
	int syscallno;
};

#endif

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	unsigned int ptrace;
	struct mm_struct *mm;
	int exit_signal;
	unsigned long atomic_flags;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	int *set_child_tid;
	int *clear_child_tid;
	u64 start_boottime;
	struct cred *real_cred;
	struct cred *cred;
	char comm[16];
	struct sysv_sem sysvsem;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	struct io_context *io_context;
	struct css_set *cgroups;
	struct thread_struct thread;
	struct sigpending pending;
	sigset_t blocked;
	unsigned int policy;
	unsigned int sched_reset_on_fork : 1;
	struct seccomp seccomp;
};

/* include/linux/sched/task.h; what moved is in drift.h */
struct kernel_clone_args {
	u64 flags;
	int *pidfd;
	int *child_tid;
	int *parent_tid;
	int exit_signal;
	unsigned long stack;
	unsigned long stack_size;
	unsigned long tls;
	int *set_tid;
	unsigned long set_tid_size;
	int cgroup;
};

/* include/linux/bpf.h, 5.8 */
struct bpf_iter__task {
	struct task_struct *task;
};

struct percpu_counter {
	s64 count;
};

/* include/linux/hugetlb.h, with CONFIG_HUGETLB_PAGE: the pool of one size of huge pages */
struct hstate {
	unsigned int order;
	unsigned long nr_huge_pages;
};

/* include/trace/events/task.h, the classic tracepoint's record */
struct trace_event_raw_task_newtask {
	int pid;
	unsigned long clone_flags; /* 64 bit everywhere from 6.18 on */
};

/* include/trace/events/syscalls.h, the classic tracepoint's record */
struct trace_event_raw_sys_exit {
	long id;
	long ret;
};

#pragma clang attribute pop

#endif
