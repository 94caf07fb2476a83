// SPDX-License-Identifier: Apache-2.0
/* Creations by the C library, as programs make them. */
#define _GNU_SOURCE
#include "creations.h"

extern char **environ;

#if defined(__x86_64__)
#define VFORK_ENTRY "vfork"
#define VFORK_KIND  "vfork"
#else
#define VFORK_ENTRY "clone"
#define VFORK_KIND  "vfork"
#endif

/* glibc has clone3 for arm64 from 2.37 on */
#if defined(__x86_64__) || __GLIBC_PREREQ(2, 37)
#define LIBC_ENTRY "clone3"
#define LIBC_SPAWN "posix_spawn"
#else
#define LIBC_ENTRY "clone"
#define LIBC_SPAWN "posix_spawn/vfork"
#endif

void expect_fork(const char *name, long pid)
{
	expect(&(struct expect){.name = name,
				.entry = "clone",
				.kind = "process",
				.call = "fork",
				.flags = CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
				.flags_known = 1,
				.exit_signal = SIGCHLD,
				.result = pid,
				.tid = getpid(),
				.shares = 1});
}

static void libc_fork(void)
{
	long pid = fork();

	if (pid == 0)
		_exit(0);
	expect_fork("libc fork", pid);
	reap(pid);
}

static void libc_vfork(void)
{
	long pid = vfork();

	if (pid == 0)
		_exit(0);
	expect(&(struct expect){.name = "libc vfork",
				.entry = VFORK_ENTRY,
				.kind = VFORK_KIND,
				.flags = CLONE_VFORK | CLONE_VM,
				.flags_known = 1,
				.exit_signal = SIGCHLD,
				.result = pid,
				.tid = getpid(),
				.shares = 1});
	reap(pid);
}

static void *thread(void *tid)
{
	*(long *)tid = syscall(SYS_gettid);
	return NULL;
}

static void libc_thread(void)
{
	pthread_t t;
	long tid;

	if (pthread_create(&t, NULL, thread, &tid)) {
		perror("pthread_create");
		exit(1);
	}
	pthread_join(t, NULL);
	expect(&(struct expect){.name = "pthread_create",
				.entry = LIBC_ENTRY,
				.kind = "thread",
				.call = "pthread_create",
				.flags = 0x3d0f00,
				.flags_known = 1,
				.exit_signal = 0,
				.result = tid,
				.tid = getpid(),
				.shares = 1});
}

static void libc_spawn(void)
{
	char *argv[] = {"creations", "exit", "0", NULL};
	pid_t pid;

	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ)) {
		perror("posix_spawn");
		exit(1);
	}
	/* clone3 from glibc 2.34 on, CLEAR_SIGHAND from 2.38 on */
	expect(&(struct expect){.name = "posix_spawn",
				.entry = LIBC_ENTRY,
				.kind = "vfork",
				.call = LIBC_SPAWN,
				.flags = CLONE_VFORK | CLONE_VM,
				.flags_known = !__GLIBC_PREREQ(2, 38),
				.exit_signal = SIGCHLD,
				.result = pid,
				.tid = getpid(),
				.shares = 1});
	reap(pid);
}

void group_calls(void)
{
	libc_fork();
	libc_vfork();
	libc_thread();
	libc_spawn();
}
