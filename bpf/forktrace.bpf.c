// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * forktrace, kernel side. Each program is named after its hook; the loader attaches
 * those that its plan chose (tracer/hooks.go).
 */
#include "vmlinux.h"
#include "event.h"
#include "census.h"
#include "created.h"
#include "failure.h"
#include "stages.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* kernel/bpf/helpers.c, 6.2; for classic tracepoints 6.12 */
struct task_struct *bpf_task_from_pid(__s32 pid) __ksym __weak;
void bpf_task_release(struct task_struct *p) __ksym __weak;

/* Makes the types known to the BTF of the object, for the layout tests. */
const struct event *unused_event __attribute__((unused));
const struct resumed *unused_resumed __attribute__((unused));
const enum entry unused_entry __attribute__((unused));
const enum layer unused_layer __attribute__((unused));
const enum have unused_have __attribute__((unused));
const enum class unused_class __attribute__((unused));
const enum fact unused_fact __attribute__((unused));
const enum evidence_known unused_evidence_known __attribute__((unused));
const enum over unused_over __attribute__((unused));
const enum tail unused_tail __attribute__((unused));

/*
 * Fires once for every success, from every creator, inside copy_process when nothing
 * can fail any more and the child has not run: exactly as often as `processes` in
 * /proc/stat grows.
 */
SEC("tp_btf/task_newtask")
int BPF_PROG(task_newtask, struct task_struct *p, __u64 clone_flags)
{
	struct task_struct *c = bpf_get_current_task_btf();

	return created(p, clone_flags, c, (struct pt_regs *)bpf_task_pt_regs(c), true);
}

/* The same for kernels before 5.15, which lack the helpers and the additions that return a value. */
SEC("tp_btf/task_newtask")
int BPF_PROG(task_newtask_old, struct task_struct *p, __u64 clone_flags)
{
	struct task_struct *c = (void *)bpf_get_current_task();

	return created(p, clone_flags, c, regs_on_stack(c), false);
}

/*
 * The same from a classic tracepoint, where programs run with preemption disabled: for
 * kernels that let one creation preempt another inside a BTF tracepoint, and then do not
 * run the program for the second. It tells the child's number only.
 */
SEC("tracepoint/task/task_newtask")
int task_newtask_classic(struct trace_event_raw_task_newtask *ctx)
{
	struct task_struct *c = bpf_get_current_task_btf();
	struct task_struct *p = bpf_task_from_pid(ctx->pid);

	if (!p)
		return created_idle(ctx->clone_flags, c);
	created(p, ctx->clone_flags, c, (struct pt_regs *)bpf_task_pt_regs(c), true);
	bpf_task_release(p);
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

/* The same where programs on BTF tracepoints can be preempted, and are then not run for another's end. */
SEC("tracepoint/sched/sched_process_exit")
int sched_process_exit_classic(void *ctx)
{
	struct task_struct *c = (void *)bpf_get_current_task();
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;

	if (BPF_CORE_READ(c, signal, live.counter) == 0)
		bpf_map_delete_elem(&tree, &tgid);
	return 0;
}

/*
 * copy_process is the one function that all creators share. Its entry has the request as
 * the kernel took it, and the time.
 */
SEC("fentry/copy_process")
int BPF_PROG(copy_process_fentry, struct pid *pid, int trace, int node, struct kernel_clone_args *args)
{
	return copy_process_begin(args, true);
}

SEC("kprobe/copy_process")
int BPF_KPROBE(copy_process_kprobe, struct pid *pid, int trace, int node, struct kernel_clone_args *args)
{
	return copy_process_begin(args, false);
}

/* A failed copy_process returns an ERR_PTR, never NULL. */
SEC("fexit/copy_process")
int BPF_PROG(copy_process_fexit, struct pid *pid, int trace, int node, struct kernel_clone_args *args,
	     long ret)
{
	return is_error(ret) ? copy_process_failed(args, ret) : 0;
}

SEC("kretprobe/copy_process")
int BPF_KRETPROBE(copy_process_kretprobe, long ret)
{
	return is_error(ret) ? copy_process_failed(NULL, ret) : 0;
}

/* kernel_clone refuses some requests itself, before copy_process. It returns a pid_t: 32 bits. */
SEC("fexit/kernel_clone")
int BPF_PROG(kernel_clone_fexit, struct kernel_clone_args *args, int ret)
{
	if (is_error(ret))
		return kernel_clone_failed(ret);
	return args->flags & CLONE_VFORK ? maybe_resumed() : 0;
}

SEC("kretprobe/kernel_clone")
int BPF_KRETPROBE(kernel_clone_kretprobe, int ret)
{
	return is_error(ret) ? kernel_clone_failed(ret) : maybe_resumed();
}

/* clone3 refuses what it cannot copy in or what is not valid, before kernel_clone. */
SEC("fexit/__x64_sys_clone3")
int BPF_PROG(clone3_fexit, struct pt_regs *regs, long ret)
{
	return is_error(ret) ? clone3_failed(ret) : 0;
}

SEC("kretprobe/__x64_sys_clone3")
int BPF_KRETPROBE(clone3_kretprobe, long ret)
{
	return is_error(ret) ? clone3_failed(ret) : 0;
}

/* Attached to each function that marks a stage of copy_process; the cookie tells which. */
SEC("kprobe")
int stage_marker(struct pt_regs *ctx)
{
	return reach_stage(bpf_get_attach_cookie(ctx));
}

/*
 * The kernel asks whether a limit is exceeded; while it creates, that is RLIMIT_NPROC
 * (kernel/ucount.c). Of a register that returns a bool the lowest byte counts.
 */
SEC("fexit/is_rlimit_overlimit")
int BPF_PROG(overlimit_fexit, struct ucounts *ucounts, int type, unsigned long limit, u8 over)
{
	return answer_over(over);
}

SEC("kretprobe/is_rlimit_overlimit")
int BPF_KRETPROBE(overlimit_kretprobe, u8 over)
{
	return answer_over(over);
}

/*
 * Runs only for system calls of tasks that have a seccomp filter. It returns -1 when the
 * call is not to be made. Up to 6.14 it has a parameter, which the loader tells.
 */
SEC("fexit/__secure_computing")
int secure_computing_fexit(unsigned long long *ctx)
{
	int ret;

	if (seccomp_has_parameter) {
		ret = ctx[1];
		barrier_var(ret); /* not one load at a computed place: the verifier wants constants */
	} else {
		ret = ctx[0];
		barrier_var(ret);
	}
	return ret ? seccomp_refused() : 0;
}

SEC("kretprobe/__secure_computing")
int BPF_KRETPROBE(secure_computing_kretprobe, int ret)
{
	return ret ? seccomp_refused() : 0;
}

/* The same from 7.3 on, by another name and the other way round: true when the call may be made. */
SEC("fexit/__seccomp_permit_syscall")
int BPF_PROG(seccomp_permit_fexit, u8 permitted)
{
	return permitted ? 0 : seccomp_refused();
}

SEC("kretprobe/__seccomp_permit_syscall")
int BPF_KRETPROBE(seccomp_permit_kretprobe, u8 permitted)
{
	return permitted ? 0 : seccomp_refused();
}

/*
 * Attached to the exit of each of the four system calls. Cheaper for all the others
 * than raw sys_exit: they pay for a test of their number, not for a program.
 */
SEC("tracepoint")
int syscalls_sys_exit(struct trace_event_raw_sys_exit *ctx)
{
	struct pt_regs *regs;

	if (!is_error(ctx->ret))
		return 0;
	regs = current_regs();
	return failed(regs, entry_of_failure(regs, NULL), NULL, ctx->ret, LAYER_UNKNOWN);
}

/* Runs at the exit of every system call: for where the four tracepoints cannot be had. */
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit, struct pt_regs *regs, long ret)
{
	enum entry entry;

	if (!is_error(ret))
		return 0;
	entry = entry_of_failure(regs, NULL);
	return entry == ENTRY_UNKNOWN ? 0 : failed(regs, entry, NULL, ret, LAYER_UNKNOWN);
}

/*
 * Fires for every task that ends, in that task, when its memory and files are still
 * there and its thread group has been told: the last one sees that no other lives.
 */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(census_exit, struct task_struct *p)
{
	return census_exited(p, true, true);
}

/* The same for kernels before 5.12, which lack the exchange. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(census_exit_old, struct task_struct *p)
{
	return census_exited(p, true, false);
}

/* The same where programs on BTF tracepoints can be preempted, and then miss others. */
SEC("tracepoint/sched/sched_process_exit")
int census_exit_classic(void *ctx)
{
	return census_exited((void *)bpf_get_current_task(), false, true);
}

/* Fires when a program has been executed, with the new name in place and the path still there. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(census_exec, struct task_struct *p, int old_pid, struct linux_binprm *bprm)
{
	return census_executed(p, bprm, true);
}

/* The same without the path: a classic tracepoint hands over no pointers. */
SEC("tracepoint/sched/sched_process_exec")
int census_exec_classic(void *ctx)
{
	return census_executed((void *)bpf_get_current_task(), NULL, false);
}

/* Visits every task once, when asked: those that were there before the hooks. */
SEC("iter/task")
int census_task(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct process_key key = {};

	if (!t || t->pid != t->tgid)
		return 0;
	process_key_of(&key, t, true);
	enter(&key, t, NULL, census_cgroup(t, true), true);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
