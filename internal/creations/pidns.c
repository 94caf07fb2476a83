// SPDX-License-Identifier: Apache-2.0
/* Pid namespaces in which numbers are refused: dead ones, dying ones, too deep ones, others'. */
#define _GNU_SOURCE
#include "creations.h"
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

int dead_pidns(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -1;
	pid = fork();
	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid ? 0 : -1;
}

int foreign_pidns(void)
{
	return unshare(CLONE_NEWPID);
}

/* Goes on as the first process of a new pid namespace; the one before waits for it. */
int as_init(void)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -1;
	if (pid > 0) {
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	return 0;
}

/* In a pid namespace that a user namespace below the own one owns. */
int in_others_pidns(void)
{
	int made[2], fd;
	char file[64], byte;
	pid_t owner, pid;

	if (pipe(made))
		return -1;
	fflush(stdout);
	owner = fork();
	if (owner == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID))
			_exit(1);
		pid = fork(); /* the namespace's first process, which ends when its parent does */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pid < 0 || (pid == 0 && write(made[1], "x", 1) != 1))
			_exit(1);
		pause();
		_exit(0);
	}
	close(made[1]);
	snprintf(file, sizeof(file), "/proc/%d/ns/pid_for_children", owner);
	if (owner < 0 || read(made[0], &byte, 1) != 1)
		return -1;
	fd = open(file, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWPID))
		return -1;
	pid = fork();
	if (pid > 0) {
		waitpid(pid, NULL, 0);
		kill(owner, SIGKILL);
		_exit(0);
	}
	return pid;
}

/* As deep as pid namespaces can be nested: level 32. */
int nested_pidns(void)
{
	for (int level = 1; level <= 32; level++)
		if (as_init())
			return -1;
	return 0;
}

/* How long the kernel may take from a kill until the namespace gives no number out any more. */
#define DIES_US 300000

/* Kills the process that it is told, when the page is first touched, and then lets it be read. */
static void kill_at_fault(int faults, int told)
{
	struct uffdio_zeropage page = {.range = {LATE_PAGE, sysconf(_SC_PAGESIZE)}};
	struct uffd_msg fault;
	pid_t init;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(told, &init, sizeof(init)) == sizeof(init) && init > 0 &&
	    read(faults, &fault, sizeof(fault)) == sizeof(fault)) {
		kill(init, SIGKILL);
		usleep(DIES_US);
		ioctl(faults, UFFDIO_ZEROPAGE, &page);
	}
	_exit(0);
}

/* A page whose first touch waits for somebody who reads the descriptor; -1: cannot be had. */
static int late_page(void)
{
	long size = sysconf(_SC_PAGESIZE);
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.range = {LATE_PAGE, size}, .mode = UFFDIO_REGISTER_MODE_MISSING};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	void *at = mmap((void *)LATE_PAGE, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (fd < 0 || at != (void *)LATE_PAGE || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &reg))
		return -1;
	return fd;
}

/*
 * The init ends when a number has been taken already: the attempt has its place for the
 * pidfd where touching it first waits for that.
 */
int dying_pidns(void)
{
	int told[2], faults = late_page();
	pid_t killer, init;

	if (faults < 0 || pipe(told))
		return -1;
	fflush(stdout);
	killer = fork();
	if (killer == 0)
		kill_at_fault(faults, told[0]);
	if (killer < 0 || unshare(CLONE_NEWPID))
		return -1;
	init = fork();
	if (init == 0)
		for (;;)
			pause();
	return write(told[1], &init, sizeof(init)) != sizeof(init) || init < 0;
}
