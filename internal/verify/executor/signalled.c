// SPDX-License-Identifier: Apache-2.0
/*
 * A request with a signal pending: what the kernel answers to it never reaches user space, which
 * makes the call again. A tracer that stops the call at its entry can send the signal there, and
 * sees the answer where the call ends.
 */
#include "executor.h"

struct syscall_info {
	unsigned char op, pad[3];
	unsigned int arch;
	unsigned long ip, sp;
	long result; /* of PTRACE_INFO_EXIT */
	unsigned long rest[7];
};

/* The creator: it waits for its tracer, and then makes nothing but the call. */
static void be_signalled(struct request *r)
{
	unsigned long usr1 = 1UL << (SIGUSR1 - 1);

	call2(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
	r->unprepared = prepare(r);
	if (!r->unprepared)
		r->unprepared = call4(NR_ptrace, PTRACE_TRACEME, 0, 0, 0);
	if (r->unprepared)
		call1(NR_exit_group, 0);
	ready(r);
	call4(NR_rt_sigprocmask, SIG_UNBLOCK, (long)&usr1, 0, sizeof(usr1));
	call2(NR_kill, call0(NR_getpid), SIGSTOP);
	issue(r);
	call1(NR_exit_group, 0);
}

/* Waits until the creator stops. */
static long stopped(long pid)
{
	int status;
	long ret;

	do
		ret = call4(NR_wait4, pid, (long)&status, WALL, 0);
	while (ret == -EINTR);
	if (ret < 0)
		return ret;
	return (status & 0xff) == 0x7f ? 0 : -ECHILD;
}

static long go_on(long pid)
{
	long ret = call4(NR_ptrace, PTRACE_SYSCALL, pid, 0, 0);

	return ret ? ret : stopped(pid);
}

static long trace(long pid, struct syscall_info *info)
{
	long ret = stopped(pid);

	if (ret == 0)
		ret = call4(NR_ptrace, PTRACE_SETOPTIONS, pid, 0, PTRACE_OPTIONS);
	if (ret == 0)
		ret = go_on(pid); /* to the entry of the call */
	if (ret == 0)
		ret = call2(NR_kill, pid, SIGUSR1);
	if (ret == 0)
		ret = go_on(pid); /* to its end */
	if (ret == 0)
		ret = call4(NR_ptrace, PTRACE_GET_INFO, pid, sizeof(*info), (long)info);
	if (ret < 0)
		return ret;
	return info->op == PTRACE_INFO_EXIT ? 0 : -EINVAL;
}

long issue_signalled(struct request *r)
{
	struct syscall_info info = {0};
	long ret, pid = fork_plain();

	if (pid == 0)
		be_signalled(r);
	if (pid < 0) {
		r->unprepared = pid; /* that was our own */
		return 0;
	}
	ret = trace(pid, &info);
	call2(NR_kill, pid, SIGKILL);
	reap(pid);
	if (ret && !r->unprepared)
		r->unprepared = ret;
	return info.result;
}
