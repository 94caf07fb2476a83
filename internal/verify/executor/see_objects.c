// SPDX-License-Identifier: Apache-2.0
/* What creator and child share, and what the child finds. */
#include "observe.h"

static volatile long own_word;

static void open_77(struct request *r)
{
	(void)r;
	call4(NR_dup3, hold[0], 77, O_CLOEXEC, 0);
}

long see_files(struct request *r)
{
	long ret = run_child(r, open_77);

	return ret < 0 ? ret : call2(NR_fcntl, 77, F_GETFD) >= 0;
}

static void change_directory(struct request *r)
{
	(void)r;
	call1(NR_chdir, (long)"/proc");
	call1(NR_umask, 0123);
}

long see_fs(struct request *r)
{
	char path[MAX_PATH];
	long ret;

	call1(NR_chdir, (long)"/");
	call1(NR_umask, 022);
	ret = run_child(r, change_directory);
	if (ret < 0)
		return ret;
	ret = call2(NR_getcwd, (long)path, sizeof(path));
	return ret < 0 ? ret : both(same(path, "/proc"), call1(NR_umask, 022) == 0123);
}

static void change_word(struct request *r)
{
	(void)r;
	own_word = 42;
}

long see_memory(struct request *r)
{
	long ret = run_child(r, change_word);

	return ret < 0 ? ret : own_word == 42;
}

static unsigned long action(int signal)
{
	struct sigaction now = {0};

	call4(NR_rt_sigaction, signal, 0, (long)&now, sizeof(now.mask));
	return now.handler;
}

static void set_action(int signal, unsigned long handler)
{
	struct sigaction new = {.handler = handler};

	call4(NR_rt_sigaction, signal, (long)&new, 0, sizeof(new.mask));
}

static void ignore_signal(struct request *r)
{
	(void)r;
	set_action(SIGUSR1, SIG_IGN);
}

long see_handlers(struct request *r)
{
	long ret = run_child(r, ignore_signal);

	return ret < 0 ? ret : action(SIGUSR1) == SIG_IGN;
}

static void tell_actions(struct request *r)
{
	(void)r;
	cells()[0] = action(SIGUSR1);
	cells()[1] = action(SIGUSR2);
}

/* A handler is gone; a signal that was ignored still is. */
long see_cleared(struct request *r)
{
	long ret;

	set_action(SIGUSR1, BAD_ADDRESS);
	set_action(SIGUSR2, SIG_IGN);
	ret = run_child(r, tell_actions);
	if (ret < 0)
		return ret;
	return cells()[1] == SIG_IGN ? cells()[0] == SIG_DFL : SEEN_OTHER;
}

static void tell_ids(struct request *r)
{
	(void)r;
	cells()[0] = call0(NR_getpid);
	cells()[1] = call0(NR_gettid);
	cells()[2] = call0(NR_getppid);
}

long see_init(struct request *r)
{
	long ret = run_child(r, tell_ids);

	return ret < 0 ? ret : both(cells()[0] == 1, cells()[2] == 0);
}

long see_tid(struct request *r)
{
	long ret = run_child(r, tell_ids);

	return ret < 0 ? ret : cells()[0] == r->tids[0];
}

static void tell_thread(struct request *r)
{
	tell_ids(r);
	shared->cells[3] = 1;
}

long see_thread(struct request *r)
{
	long tid = spawn(r, tell_thread);

	if (tid < 0)
		return tid;
	for (int i = 0; i < SECOND && !shared->cells[3]; i++)
		sleep_ms(1);
	return both(cells()[0] == call0(NR_getpid), cells()[0] != cells()[1]);
}

long see_parent_tid(struct request *r)
{
	long pid = spawn(r, nothing);

	if (pid < 0)
		return pid;
	wait_end(pid);
	return parent_place == pid ? SEEN_YES : parent_place == -1 ? SEEN_NO : SEEN_OTHER;
}

static void tell_child_place(struct request *r)
{
	(void)r;
	cells()[0] = child_place;
	cells()[1] = call0(NR_gettid);
}

long see_child_tid(struct request *r)
{
	long ret = run_child(r, tell_child_place);

	if (ret < 0)
		return ret;
	return cells()[0] == cells()[1] ? SEEN_YES : cells()[0] == -1 ? SEEN_NO : SEEN_OTHER;
}

/* The number is cleared, and who waits for that is woken. */
long see_cleared_tid(struct request *r)
{
	struct timespec patience = {0, 500 * MILLISECOND};
	long pid = spawn(r, held), woken;

	if (pid < 0)
		return pid;
	child_place = -1;
	release();
	woken = call5(NR_futex, (long)&child_place, FUTEX_WAIT, -1, (long)&patience, 0);
	wait_end(pid);
	/* -EAGAIN: the child was faster */
	return child_place == 0 ? (woken == 0 || woken == -11 ? SEEN_YES : SEEN_OTHER) : SEEN_NO;
}

static void tell_tls(struct request *r)
{
	(void)r;
#if defined(__x86_64__)
	call2(NR_arch_prctl, 0x1003 /* ARCH_GET_FS */, (long)&shared->cells[0]);
#else
	long tls;

	__asm__ volatile("mrs %0, tpidr_el0" : "=r"(tls));
	shared->cells[0] = tls;
#endif
}

long see_tls(struct request *r)
{
	long ret = run_child(r, tell_tls);

	return ret < 0 ? ret : cells()[0] == (long)r->args[7];
}

static void raise_semaphore(struct request *r)
{
	struct {
		unsigned short number;
		short by, flags;
	} op = {0, 1, SEM_UNDO};

	(void)r;
	cells()[1] = call4(NR_semop, cells()[0], (long)&op, 1, 0);
}

/* What the child did is not undone when it ends: the creator has the list too. */
long see_undo(struct request *r)
{
	long ret = call1(NR_unshare, CLONE_NEWIPC), id;

	if (ret)
		return ret;
	id = call4(NR_semget, 0, 1, IPC_CREAT | 0600, 0);
	cells()[0] = id;
	ret = id < 0 ? id : run_child(r, raise_semaphore);
	if (ret == 0)
		ret = cells()[1];
	if (ret == 0)
		ret = call4(NR_semctl, id, 0, IPC_VALUE, 0);
	call4(NR_semctl, id, 0, IPC_RMID, 0);
	return ret;
}

static void lower_priority(struct request *r)
{
	(void)r;
	cells()[0] = call4(NR_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, BE_LEVEL_5 + 1, 0);
}

long see_io(struct request *r)
{
	long ret = call4(NR_ioprio_set, 1, 0, BE_LEVEL_5, 0);

	if (ret == 0)
		ret = run_child(r, lower_priority);
	if (ret == 0)
		ret = cells()[0];
	return ret ? ret : call2(NR_ioprio_get, 1, 0) == BE_LEVEL_5 + 1;
}

static void tell_no_new_privs(struct request *r)
{
	(void)r;
	cells()[0] = call1(NR_prctl, PR_GET_NO_NEW_PRIVS);
}

long see_no_new_privs(struct request *r)
{
	long ret = call1(NR_prctl, PR_GET_NO_NEW_PRIVS);

	if (ret) /* the child would inherit it anyway */
		return -EINVAL;
	ret = run_child(r, tell_no_new_privs);
	return ret < 0 ? ret : cells()[0] == 1;
}

/* The child leaves nothing to wait for. */
