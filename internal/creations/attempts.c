// SPDX-License-Identifier: Apache-2.0
/*
 * Attempts that mean something together: a clone after a refused clone3, and one attempt
 * that signals interrupt again and again.
 */
#define _GNU_SOURCE
#include "creations.h"
#include <sys/ptrace.h>

/* What the C library does where a filter does not know clone3. */
int run_fallback(void)
{
	struct raw clone3 = {SYS_clone3, 0, SIGCHLD}, clone = {SYS_clone, 0, SIGCHLD};
	long refused, created;

	if (refuse_call(SYS_clone3, ENOSYS))
		return 1;
	refused = raw_create(&clone3);
	created = raw_create(&clone);
	printf("{\"pid\":%d,\"refused\":%ld,\"created\":%ld}\n", getpid(), refused, created);
	reap(created);
	return created > 0 ? 0 : 1;
}

static void no_news(int signal)
{
	(void)signal;
}

/* Is interrupted in its one attempt, which goes on behind the signal handler. */
static void interrupted(void)
{
	struct raw clone = {SYS_clone, 0, SIGCHLD};
	struct sigaction a = {.sa_handler = no_news};

	if (sigaction(SIGUSR2, &a, NULL) || ptrace(PTRACE_TRACEME, 0, 0, 0) || raise(SIGSTOP))
		_exit(1);
	reap(raw_create(&clone));
	_exit(0);
}

/*
 * A child that is about to enter clone gets a signal, n times: the kernel gives the attempt
 * up, runs the handler and makes the call again.
 */
int run_livelock(long n)
{
	pid_t child = fork();
	long sent = 0, created = 0;
	int status, deliver = 0, in_clone = 0;

	if (child < 0)
		return 1;
	if (child == 0)
		interrupted();
	if (waitpid(child, &status, 0) != child ||
	    ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		return 1;
	while (!ptrace(PTRACE_SYSCALL, child, 0, deliver) && waitpid(child, &status, 0) == child &&
	       WIFSTOPPED(status)) {
		struct __ptrace_syscall_info info = {};

		deliver = WSTOPSIG(status) == SIGUSR2 ? SIGUSR2 : 0;
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info);
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
			in_clone = info.entry.nr == SYS_clone;
			if (in_clone && sent < n)
				sent += !kill(child, SIGUSR2);
		} else if (in_clone && info.exit.rval > 0 && !created) {
			created = info.exit.rval;
		}
	}
	printf("{\"pid\":%d,\"sender\":%d,\"restarts\":%ld,\"created\":%ld}\n", child, getpid(), sent,
	       created);
	return 0;
}
