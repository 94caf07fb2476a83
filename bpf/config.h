/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Knobs, set by the loader before the programs are verified. Each defaults to off,
 * and the verifier removes the code of what stays off.
 */
#ifndef FORKTRACE_CONFIG_H
#define FORKTRACE_CONFIG_H

#include "vmlinux.h"

/* Filters. The sets themselves are maps (maps.h). */
const volatile bool filters;	   /* there is one of these */
const volatile bool filter_tree;   /* only creators whose tgid is in `tree` */
const volatile bool filter_uid;	   /* only creators whose uid is in `uids` */
const volatile bool filter_ppid;   /* only creators whose parent's tgid is in `ppids` */
const volatile bool filter_comm;   /* only creators whose name is in `comms` */
const volatile bool filter_cgroup; /* only creators below the cgroup in `cgroups` */
const volatile bool failed_only;   /* no successes */
const volatile __u64 filter_flags; /* only requests that have all of these */

/* Children of tree members join the tree. */
const volatile bool follow;

/*
 * The process whose next child joins the tree while `launching` is set, by its number in
 * its own pid namespace and that namespace's inode number: a tracer in a container knows
 * no other. 0: none.
 */
const volatile __u32 launcher;
const volatile __u32 launcher_pid_ns;
bool launching;

/*
 * Read also what only JSON and -v show: cgroup and namespace numbers, addresses, sizes.
 * Each is a cache line that nothing else in a creation touches.
 */
const volatile bool details;

/* Of this kernel, bytes: clone3 reads no larger struct. */
const volatile __u64 page_size = 4096;

/* Where the kernel counts its tasks, and their limit (kernel/fork.c); 0: not known. */
const volatile __u64 nr_threads_at;
const volatile __u64 max_threads_at;

/*
 * Where it counts the memory that it has promised, and the sysctls vm.overcommit_memory,
 * overcommit_kbytes and overcommit_ratio are (mm/util.c); 0: not known.
 */
const volatile __u64 committed_at;
const volatile __u64 overcommit_at;
const volatile __u64 overcommit_kbytes_at;
const volatile __u64 overcommit_ratio_at;

/* Where it counts its pages, those of swap (mm/swapfile.c) and its pools of huge ones (mm/hugetlb.c). */
const volatile __u64 total_ram_at;
const volatile __u64 total_swap_at;
const volatile __u64 hstates_at;
const volatile __u64 hstates_max_at;

/* Where the sysctl fs.nr_open is (fs/file.c); 0: not known. */
const volatile __u64 nr_open_at;

/* Up to 6.13: where the pid_max of all pid namespaces is (kernel/pid.c); 0: not known. */
const volatile __u64 pid_max_at;

/* Up to 6.14 __secure_computing has a parameter, behind which fexit finds the result. */
const volatile bool seccomp_has_parameter;

/* Tell when creators run again that vfork suspended. */
const volatile bool tell_resumed;

/*
 * Follow creations through the stages of copy_process while functions in it are hooked, and
 * tell of failures how far they came; of successes too.
 */
const volatile bool stages;
const volatile bool stages_of_all;

/*
 * Which stages have a marker that is attached, and which an unwinding function: bit by
 * number. Markers are set last and cleared first: while they are not 0 all are there.
 */
__u32 markers;
__u32 unwinds;

/* Set when a hook at the entry of copy_process is attached. */
bool has_entry_hook;

/*
 * Which outer hooks there are, for whom inner ones leave a note that they have reported.
 * The outer ones report only once `armed`, a moment after notes are left: or an attempt
 * that was between the two would be reported twice.
 */
bool has_kernel_clone_hook;
bool has_clone3_hook;
bool armed;

/*
 * Bytes of unread records after which the reader is woken. 0: woken
 * as soon as it waits, which costs the traced task some 10 us a creation.
 */
const volatile __u64 wake_bytes;

#endif
