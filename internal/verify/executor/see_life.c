// SPDX-License-Identifier: Apache-2.0
/* Who waits for whom, and who ends with whom. */
#include "observe.h"

/* All signals are blocked here: those that come wait. */
long see_exit_signal(struct request *r)
{
	unsigned long all = ~0UL;
	struct siginfo info = {0};
	struct timespec now = {0};
	long pid = spawn(r, nothing), signal;

	if (pid < 0)
		return pid;
	if (wait_end(pid) < 0)
		return SEEN_OTHER;
	signal = call4(NR_rt_sigtimedwait, (long)&all, (long)&info, (long)&now, sizeof(all));
	if (signal < 0)
		return SEEN_NO;
	return (unsigned long)signal == r->args[4] && info.pid == pid ? SEEN_YES : SEEN_OTHER;
}

static void tell_parent(struct request *r)
{
	(void)r;
	cells()[0] = call0(NR_getppid);
	wait_held();
}

long see_sibling(struct request *r)
{
	long pid = spawn(r, tell_parent), waited;

	if (pid < 0)
		return pid;
	release();
	poll_one(alive[0], 2 * SECOND);
	waited = wait_end(pid);
	return both(cells()[0] == call0(NR_getppid), waited == -ECHILD);
}

/* The pidfd becomes readable when the child ends, not before, and can be waited for. */
long see_pidfd(struct request *r)
{
	struct siginfo info = {0};
	long pid = spawn(r, held), before, after;

	if (pid < 0)
		return pid;
	if (!(call2(NR_fcntl, pidfd_place, F_GETFD) & FD_CLOEXEC))
		return SEEN_OTHER;
	before = poll_one(pidfd_place, 0);
	release();
	after = poll_one(pidfd_place, SECOND);
	if (call5(NR_waitid, P_PIDFD, pidfd_place, (long)&info, WEXITED | WALL, 0))
		return SEEN_OTHER;
	return both(!before && (after & POLLIN),
		    info.pid == pid && info.code == CLD_EXITED && info.status == 42);
}

/* Looks for a sign of the creator for a while. */
static void look_for_creator(struct request *r)
{
	(void)r;
	for (int i = 0; i < 300 && !shared->cells[0]; i++)
		sleep_ms(1);
	shared->cells[1] = shared->cells[0] ? SEEN_NO : SEEN_YES;
}

long see_suspended(struct request *r)
{
	long pid = spawn(r, look_for_creator);

	if (pid < 0)
		return pid;
	shared->cells[0] = 1;
	wait_end(pid);
	return shared->cells[1];
}

void be_executed(void)
{
	call5(NR_ppoll, 0, 0, 0, 0, 0);
	call1(NR_exit_group, 0);
}

static void execute(struct request *r)
{
	static const char *const argv[] = {"forktrace-executor", "wait", 0};

	(void)r;
	shared->cells[0] = 1;
	shared->cells[1] = call4(NR_execve, (long)"/proc/self/exe", (long)argv, (long)&argv[2], 0);
}

/* The creator goes on although the child, which has executed a program, is there. */
long see_resumed(struct request *r)
{
	struct siginfo info = {0};
	long pid = spawn(r, execute), seen;

	if (pid < 0)
		return pid;
	call5(NR_waitid, 1 /* P_PID */, pid, (long)&info, WEXITED | WALL | WNOHANG | WNOWAIT, 0);
	seen = shared->cells[0] == 1 && info.pid == 0;
	call2(NR_kill, pid, SIGKILL);
	wait_end(pid);
	return shared->cells[1] ? shared->cells[1] : seen;
}

static void leave_member(struct request *r)
{
	(void)r;
	if (call5(NR_clone, SIGCHLD, 0, 0, 0, 0) == 0)
		for (;;)
			call5(NR_ppoll, 0, 0, 0, 0, 0);
}

/* The child leaves a process behind, which is killed with it. */
long see_member_killed(struct request *r)
{
	long ret = run_child(r, leave_member);

	return ret < 0 ? ret : (poll_one(alive[0], 200) & POLLHUP) != 0;
}

long see_autoreaped(struct request *r)
{
	long pid = spawn(r, held), ret;

	if (pid < 0)
		return pid;
	release();
	ret = wait_end(pid);
	return ret == -ECHILD ? SEEN_YES : ret == 42 << 8 ? SEEN_NO : SEEN_OTHER;
}

/* The child is killed when the creator closes its pidfd. */
long see_autokilled(struct request *r)
{
	long pid = spawn(r, held);

	if (pid < 0)
		return pid;
	call1(NR_close, pidfd_place);
	return (poll_one(alive[0], 300) & POLLHUP) != 0;
}

/* The child is in the cgroup, and lives until it ends by itself. */
long see_cgroup(struct request *r)
{
	char path[MAX_PATH], text[4096];
	long pid = spawn(r, held), fd, length, number = 0;
	int there = 0;

	if (pid < 0)
		return pid;
	fd = call4(NR_openat, AT_FDCWD, (long)join(path, shared->cgroup, "/cgroup.procs"),
		   O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	length = call4(NR_read, fd, (long)text, sizeof(text), 0);
	for (long i = 0; i < length; i++) {
		there |= text[i] == '\n' && number == pid;
		number = text[i] == '\n' ? 0 : number * 10 + text[i] - '0';
	}
	release();
	return both(there, wait_end(pid) == 42 << 8);
}

long see_life(struct request *r)
{
	long pid = spawn(r, held);

	if (pid < 0)
		return pid;
	release();
	return wait_end(pid) == 42 << 8;
}
