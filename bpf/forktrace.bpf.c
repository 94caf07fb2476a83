// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * forktrace, kernel side. Each program is named after its hook; the loader attaches
 * those that its plan chose (tracer/hooks.go).
 */
#include "vmlinux.h"
#include "event.h"
#include "config.h"
#include "drift.h"
#include "maps.h"
#include "emit.h"
#include "filter.h"
#include "task.h"
#include "facts.h"
#include "request.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Makes the types known to the BTF of the object, for the layout tests. */
const struct event *unused_event __attribute__((unused));
const enum entry unused_entry __attribute__((unused));
const enum layer unused_layer __attribute__((unused));
const enum have unused_have __attribute__((unused));
const enum fact unused_fact __attribute__((unused));

/* Requests come from a system call, or from the kernel itself: then the child tells which part. */
static __always_inline enum entry entry_of_child(__u32 child_flags, __u64 clone_flags, __s32 child,
						 __u32 creator_flags)
{
	if (!child)
		return ENTRY_IDLE;
	if (child_flags & PF_IO_WORKER)
		return ENTRY_IO_WORKER;
	if (child_flags & PF_USER_WORKER)
		return ENTRY_VHOST_WORKER;
	if (!(creator_flags & PF_KTHREAD))
		return ENTRY_UNKNOWN;
	/* up to 5.18 a user-mode helper keeps PF_KTHREAD until it execs, but shares neither */
	if (!(child_flags & PF_KTHREAD) || !(clone_flags & (CLONE_FS | CLONE_FILES)))
		return ENTRY_USER_MODE_HELPER;
	return ENTRY_KERNEL_THREAD;
}

static __always_inline void record_created(struct event *e, struct task_struct *p, __u64 clone_flags,
					   struct task_struct *c, struct pt_regs *regs, const bool btf)
{
	struct active_pid_ns c_pid_ns = {}, p_pid_ns = {};
	enum entry entry;

	e->have = HAVE_FLAGS;
	e->flags = clone_flags;
	e->layer = LAYER_NONE;
	read_pid_ns(&c_pid_ns, c, btf);
	read_pid_ns(&p_pid_ns, p, btf);
	read_creator(e, c, &c_pid_ns, btf);
	read_child(e, p, c, &p_pid_ns, btf);
	e->time = e->child_start_time;
	read_facts(e, p, c, p_pid_ns.ns, c_pid_ns.ns, btf);
	entry = entry_of_child(e->child_task_flags, clone_flags, e->result, e->task_flags);
	if (entry == ENTRY_UNKNOWN)
		entry = call_entry(regs, c, btf);
	e->entry = entry;
	/* what names the call: clone's exit signal, which the child need not get, and vfork's stack */
	if (details || entry == ENTRY_CLONE || (clone_flags & CLONE_VFORK))
		read_request(e, entry, regs, c, btf);
	/* what clone_flags said at the hook is what counted, also after a second reading */
	if (entry != ENTRY_CLONE && !(clone_flags & (CLONE_THREAD | CLONE_PARENT))) {
		e->exit_signal = e->child_exit_signal;
		e->have |= HAVE_EXIT_SIGNAL;
	}
}

/*
 * Fires once for every success, from every creator, inside copy_process when nothing
 * can fail any more and the child has not run: exactly as often as `processes` in
 * /proc/stat grows.
 */
SEC("tp_btf/task_newtask")
int BPF_PROG(task_newtask, struct task_struct *p, __u64 clone_flags)
{
	struct task_struct *c = bpf_get_current_task_btf();
	struct cpu_counters *counters = my_counters();
	struct event *e;

	if (!counters)
		return 0;
	if (follow || launcher)
		tree_follow(counters, p->tgid);
	if (!wanted(CLASS_CREATED, clone_flags)) {
		__sync_fetch_and_add(&counters->rejected[CLASS_CREATED], 1);
		return 0;
	}
	e = emit_begin(counters, CLASS_CREATED);
	if (!e)
		return 0;
	record_created(e, p, clone_flags, c, (struct pt_regs *)bpf_task_pt_regs(c), true);
	emit_end(e);
	return 0;
}

/* The last thread of a process takes it out of the tree. Attached only when a tree is traced. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(sched_process_exit, struct task_struct *p)
{
	__u32 tgid = p->tgid;

	if (p->signal->live.counter == 0)
		bpf_map_delete_elem(&tree, &tgid);
	return 0;
}

#define MAX_ERRNO     4095
#define ERESTARTSYS   512
#define ERESTART_LAST 516 /* ERESTART_RESTARTBLOCK, include/linux/errno.h */

/* A system call of the four has returned an error. current is the creator. */
static __always_inline int syscall_failed(struct pt_regs *regs, enum entry entry, long ret)
{
	enum class class = ret <= -ERESTARTSYS && ret >= -ERESTART_LAST ? CLASS_RESTARTED : CLASS_FAILED;
	struct task_struct *c = bpf_get_current_task_btf();
	struct cpu_counters *counters = my_counters();
	struct active_pid_ns pid_ns = {};
	struct event *e;

	if (!counters)
		return 0;
	if (!wanted(class, filter_flags ? request_flags(entry, regs, c, true) : 0)) {
		__sync_fetch_and_add(&counters->rejected[class], 1);
		return 0;
	}
	e = emit_begin(counters, class);
	if (!e)
		return 0;
	e->time = bpf_ktime_get_boot_ns();
	e->result = ret;
	e->layer = LAYER_UNKNOWN;
	read_pid_ns(&pid_ns, c, true);
	read_creator(e, c, &pid_ns, true);
	read_request(e, entry, regs, c, true);
	emit_end(e);
	return 0;
}

/*
 * Attached to the exit of each of the four system calls. Cheaper for all the others
 * than raw sys_exit: they pay for a test of their number, not for a program.
 */
SEC("tracepoint")
int syscalls_sys_exit(struct trace_event_raw_sys_exit *ctx)
{
	struct task_struct *c;
	struct pt_regs *regs;

	if (ctx->ret >= 0)
		return 0;
	c = bpf_get_current_task_btf();
	regs = (struct pt_regs *)bpf_task_pt_regs(c);
	return syscall_failed(regs, call_entry(regs, c, true), ctx->ret);
}

/* Runs at the exit of every system call: for where the four tracepoints cannot be had. */
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	enum entry entry;

	if (ret >= 0 || ret < -MAX_ERRNO)
		return 0;
	entry = call_entry(regs, bpf_get_current_task_btf(), true);
	if (entry == ENTRY_UNKNOWN)
		return 0;
	return syscall_failed(regs, entry, ret);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
