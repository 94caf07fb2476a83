// SPDX-License-Identifier: Apache-2.0
/* Targets of CLONE_INTO_CGROUP that are refused: descriptors of cgroups, and of what is none. */
#define _GNU_SOURCE
#include "creations.h"
#include <sys/stat.h>

/* Where a cgroup of version 2 can be made, the case's own one. */
static const char *cgroup_path(pid_t pid, const char *below)
{
	static char path[128];
	const char *root =
	    access("/sys/fs/cgroup/cgroup.procs", F_OK) ? "/sys/fs/cgroup/unified" : "/sys/fs/cgroup";

	snprintf(path, sizeof(path), "%s/forktrace-reason-%d%s", root, pid, below);
	return path;
}

static int open_target(const char *below)
{
	int fd = open(cgroup_path(getpid(), below), O_PATH | O_DIRECTORY);

	return fd < 0 || dup2(fd, TARGET_FD) < 0;
}

/* A file of a cgroup, which is no cgroup. */
int cgroup_file(void)
{
	int fd;

	if (mkdir(cgroup_path(getpid(), ""), 0755))
		return -1;
	fd = open(cgroup_path(getpid(), "/cgroup.procs"), O_RDONLY);
	return fd < 0 || dup2(fd, TARGET_FD) < 0;
}

int removed_cgroup(void)
{
	return mkdir(cgroup_path(getpid(), ""), 0755) || open_target("") || rmdir(cgroup_path(getpid(), ""));
}

int others_cgroup(void)
{
	return mkdir(cgroup_path(getpid(), ""), 0755) || open_target("") || ordinary_user();
}

/* A domain with a threaded cgroup below it, whose sibling thereby becomes invalid. */
static int threaded_domain(void)
{
	return mkdir(cgroup_path(getpid(), ""), 0755) || mkdir(cgroup_path(getpid(), "/threaded"), 0755) ||
	       mkdir(cgroup_path(getpid(), "/invalid"), 0755) ||
	       write_file(cgroup_path(getpid(), "/threaded/cgroup.type"), "threaded");
}

/* A domain with a controller below it: tasks may be in its leaves alone. */
int inner_cgroup(void)
{
	const char *own = cgroup_path(getpid(), "");

	if (mkdir(own, 0755) || open_target(""))
		return -1;
	/* version 2 hands controllers down level by level */
	own = cgroup_path(getpid(), "/../cgroup.subtree_control");
	if (write_file(own, "+memory"))
		return -1;
	return write_file(cgroup_path(getpid(), "/cgroup.subtree_control"), "+memory");
}

/* A cgroup without the pids controller: the tasks in it are counted, and refused, above. */
int uncounted_cgroup(void)
{
	if (mkdir(cgroup_path(getpid(), ""), 0755) ||
	    write_file(cgroup_path(getpid(), "/../cgroup.subtree_control"), "+pids") ||
	    write_file(cgroup_path(getpid(), "/pids.max"), "0") ||
	    mkdir(cgroup_path(getpid(), "/uncounted"), 0755))
		return -1;
	return open_target("/uncounted");
}

int invalid_cgroup(void)
{
	return threaded_domain() || open_target("/invalid");
}

int other_domain(void)
{
	return threaded_domain() || open_target("/threaded");
}

void remove_cgroups(pid_t pid)
{
	rmdir(cgroup_path(pid, "/threaded"));
	rmdir(cgroup_path(pid, "/invalid"));
	rmdir(cgroup_path(pid, "/uncounted"));
	rmdir(cgroup_path(pid, ""));
}
