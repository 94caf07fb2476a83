/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Maps and counters. Sizes that depend on options are set by the loader. */
#ifndef FORKTRACE_MAPS_H
#define FORKTRACE_MAPS_H

#include "event.h"
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

/* Outcomes, counted apart. */
enum class {
	CLASS_CREATED,
	CLASS_FAILED,
	/* ERESTART*: a signal came first and the system call starts again */
	CLASS_RESTARTED,
	CLASS_MAX,
};

/*
 * One per CPU. A success that is recorded costs one addition: how many there were is
 * what `seq` has more than the two other classes together.
 */
struct cpu_counters {
	/* attempts that passed the filters, of all classes */
	__u64 seq;
	/* those of them for which the ring had no room */
	__u64 lost;
	__u64 failed;
	__u64 restarted;
	/* attempts that the filters refused */
	__u64 rejected[CLASS_MAX];
	__u64 dropped[CLASS_MAX];
	/* entries of copy_process whose return no hook saw, found at the task's next entry */
	__u64 missed;
	/* ends of a suspension for which the ring had no room; they are in no other number */
	__u64 resumed_lost;
	/* processes that should have joined the tree and found it full */
	__u64 tree_full;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_counters);
} counters SEC(".maps");

/* tgids whose creations are wanted */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} tree SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} ppids SEC(".maps");

struct comm_key {
	char comm[TASK_COMM_LEN];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct comm_key);
	__type(value, __u8);
} comms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} cgroups SEC(".maps");

#endif
