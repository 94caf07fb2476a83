// SPDX-License-Identifier: Apache-2.0
/* Containers within containers, as their runtimes make them, with processes and threads inside. */
#define _GNU_SOURCE
#include "creations.h"
#include <sys/mount.h>

#define ALL_NEW                                                                                              \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC |           \
	 CLONE_NEWCGROUP | CLONE_NEWTIME)

/* The ids of a user namespace in which there is none yet: root is who made it. */
static int map_root(pid_t pid, int uid, int gid)
{
	char file[64], map[64];

	snprintf(file, sizeof(file), "/proc/%d/setgroups", pid);
	write_file(file, "deny");
	snprintf(file, sizeof(file), "/proc/%d/uid_map", pid);
	snprintf(map, sizeof(map), "0 %d 1", uid);
	if (write_file(file, map))
		return -1;
	snprintf(file, sizeof(file), "/proc/%d/gid_map", pid);
	snprintf(map, sizeof(map), "0 %d 1", gid);
	return write_file(file, map);
}

static int enter(const char *self, int depth);

/* What runs in a container: its own /proc, a load, a program, and the next container. */
static int inside(const char *self, int depth)
{
	pid_t pid;
	int status;

	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	sethostname("inside", 6);
	if (run_load(2, 20))
		return 1;
	pid = vfork();
	if (pid == 0) {
		execl(self, self, "exit", "0", (char *)NULL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return 1;
	return depth > 1 ? enter(self, depth - 1) : 0;
}

static int wait_for(pid_t pid)
{
	int status;

	return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

/* By unshare and a fork, as unshare(1) does. */
static int by_unshare(const char *self, int depth)
{
	int uid = getuid(), gid = getgid();
	pid_t pid;

	if (unshare(ALL_NEW) || map_root(getpid(), uid, gid))
		return 1;
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(inside(self, depth));
	return wait_for(pid);
}

/* By one clone3, as container runtimes do: the child waits until it has ids. */
static int by_clone3(const char *self, int depth)
{
	struct args3 a = {.flags = ALL_NEW & ~CLONE_NEWTIME, .exit_signal = SIGCHLD};
	int go[2], uid = getuid(), gid = getgid();
	pid_t pid;
	char byte;

	if (pipe(go))
		return 1;
	fflush(stdout);
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0)
		_exit(read(go[0], &byte, 1) != 1 || inside(self, depth));
	if (pid < 0 || map_root(pid, uid, gid) || write(go[1], "x", 1) != 1)
		return 1;
	return wait_for(pid);
}

static int enter(const char *self, int depth)
{
	return depth % 2 ? by_clone3(self, depth) : by_unshare(self, depth);
}

int run_containers(const char *self, int depth)
{
	pid_t pid;

	if (depth < 1 || depth > 16) {
		fprintf(stderr, "containers: 1 to 16 deep\n");
		return 2;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(enter(self, depth));
	return wait_for(pid);
}
