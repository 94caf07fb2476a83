// SPDX-License-Identifier: Apache-2.0
/* The states that a creator can be brought into before it makes a request. */
#include "executor.h"

/* Goes on in the child that was just made, and ends this process with it. */
static long descend(long pid)
{
	if (pid < 0)
		return pid;
	if (pid > 0) {
		reap(pid);
		call1(NR_exit_group, 0);
	}
	call2(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

long fork_plain(void)
{
	return call5(NR_clone, SIGCHLD, 0, 0, 0, 0);
}

const char *join(char *to, const char *a, const char *b)
{
	char *at = to;

	while (*a && at < to + MAX_PATH - 1)
		*at++ = *a++;
	while (*b && at < to + MAX_PATH - 1)
		*at++ = *b++;
	*at = 0;
	return to;
}

long write_file(const char *path, const char *text)
{
	long length = 0, ret, fd = call4(NR_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	while (text[length])
		length++;
	ret = call4(NR_write, fd, (long)text, length, 0);
	call1(NR_close, fd);
	return ret < 0 ? ret : 0;
}

static long limit(int which, unsigned long value)
{
	unsigned long both[2] = {value, value};

	return call4(NR_prlimit64, 0, which, (long)both, 0);
}

static long to_cgroup(void)
{
	char path[MAX_PATH];

	return write_file(join(path, shared->cgroup, "/cgroup.procs"), "0");
}

static long to_chroot(void)
{
	return call1(NR_chroot, (long)"/proc");
}

static long to_deadline(void)
{
	struct {
		unsigned int size, policy;
		unsigned long flags;
		int nice, priority;
		unsigned long runtime, deadline, period;
	} attr = {48, SCHED_DEADLINE, 0, 0, 0, 40000000, 100000000, 100000000};

	return call4(NR_sched_setattr, 0, (long)&attr, 0, 0);
}

static long to_user_id(unsigned int id)
{
	long ret;

	limit(RLIMIT_NPROC, ~0UL); /* it is for the limit's own setups to be at it */
	call2(NR_setgroups, 0, 0);
	ret = call4(NR_setresgid, id, id, id, 0);
	if (ret == 0)
		ret = call4(NR_setresuid, id, id, id, 0);
	call2(NR_prctl, PR_SET_DUMPABLE, 1); /* both are lost with the change of user */
	call2(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
	return ret;
}

static long to_user(void)
{
	return to_user_id(NOBODY);
}

static long to_stranger(void)
{
	return to_user_id(STRANGER);
}

static long unshare(long flags)
{
	return call1(NR_unshare, flags);
}

static long to_userns(void)
{
	return unshare(CLONE_NEWUSER);
}

/* Writes a number and returns its end. */
static char *put_number(char *at, unsigned long number)
{
	char reversed[24];
	int n = 0;

	do
		reversed[n++] = '0' + number % 10;
	while (number /= 10);
	while (n)
		*at++ = reversed[--n];
	return at;
}

/* Maps user or group 0 to id, which this process has outside. */
static long map_id(const char *path, unsigned long id)
{
	char digits[32] = "0 ", *at = put_number(digits + 2, id);

	*at++ = ' ';
	*at++ = '1';
	*at = 0;
	return write_file(path, digits);
}

static long to_mapped(void)
{
	long uid = call0(NR_getuid), gid = call0(NR_getgid), ret = to_userns();

	if (ret == 0)
		ret = map_id("/proc/self/uid_map", uid);
	if (ret == 0)
		ret = write_file("/proc/self/setgroups", "deny");
	if (ret == 0)
		ret = map_id("/proc/self/gid_map", gid);
	return ret;
}

/* These limits are those of the user namespace that this process has just made. */
static long to_quota(void)
{
	static const char *const files[] = {
	    "/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_mnt_namespaces",
	    "/proc/sys/user/max_uts_namespaces",  "/proc/sys/user/max_ipc_namespaces",
	    "/proc/sys/user/max_pid_namespaces",  "/proc/sys/user/max_cgroup_namespaces",
	    "/proc/sys/user/max_net_namespaces",  "/proc/sys/user/max_time_namespaces",
	};
	long ret = to_mapped();

	for (unsigned int i = 0; ret == 0 && i < sizeof(files) / sizeof(*files); i++)
		ret = write_file(files[i], "0");
	return ret;
}

static long to_user_depth(void)
{
	long ret = 0;

	for (int i = 0; ret == 0 && i < 33; i++)
		ret = to_mapped();
	return ret;
}

static long to_time(void)
{
	return unshare(CLONE_NEWTIME);
}

static long to_shifted_time(void)
{
	long ret = to_time();

	return ret ? ret : write_file("/proc/self/timens_offsets", "monotonic 1000000 0");
}

static long to_pid(void)
{
	return unshare(CLONE_NEWPID);
}

static long to_init(void)
{
	long ret = to_pid();

	return ret ? ret : descend(fork_plain());
}

static long to_pid_depth(void)
{
	long ret = 0;

	for (int i = 0; ret == 0 && i < 32; i++)
		ret = to_init();
	return ret;
}

/* The first process of the namespace for children is gone. */
static long to_dead(void)
{
	long ret = to_pid(), pid;

	if (ret)
		return ret;
	pid = fork_plain();
	if (pid == 0)
		call1(NR_exit_group, 0);
	if (pid > 0)
		reap(pid);
	return pid < 0 ? pid : 0;
}

/* The first fork into the namespace for children has failed, at the place for its pidfd. */
static long to_spoilt(void)
{
	long ret = to_pid();

	if (ret)
		return ret;
	ret = call5(NR_clone, CLONE_PIDFD | SIGCHLD, 0, BAD_ADDRESS, 0, 0);
	if (ret == 0)
		call1(NR_exit_group, 0);
	return ret == -EFAULT ? 0 : -EINVAL;
}

/*
 * All numbers of the pid namespace are in use: numbers begin again at 300, and 301 is the least
 * that pid_max can be. Where pid_max is one for all namespaces, only root may write it, which
 * this process, with the user namespace of an ordinary user, is not.
 */
static long to_pid_max(void)
{
	long ret = call0(NR_getuid) ? 0 : to_user(), pid = 0;

	if (ret == 0)
		ret = to_mapped();
	if (ret == 0)
		ret = to_init();
	if (ret == 0)
		ret = write_file("/proc/sys/kernel/pid_max", "301");
	while (ret == 0 && pid != 299) { /* by the cheapest of all processes: many are needed */
		pid = create(NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
		if (pid < 0)
			return pid;
		reap(pid);
	}
	if (ret)
		return ret;
	pid = fork_plain();
	if (pid == 0)
		call5(NR_ppoll, 0, 0, 0, 0, 0);
	return pid < 0 ? pid : 0;
}

static long to_autoreap(void)
{
	unsigned long args[11] = {CLONE_AUTOREAP};

	return descend(call2(NR_clone3, (long)args, sizeof(args)));
}

static long to_no_processes(void)
{
	return limit(RLIMIT_NPROC, 0);
}

static long to_one_process(void)
{
	return limit(RLIMIT_NPROC, 1);
}

static long to_two_processes(void)
{
	return limit(RLIMIT_NPROC, 2);
}

static long to_no_files(void)
{
	return limit(RLIMIT_NOFILE, 0);
}

static long to_gone(void)
{
	return call4(NR_unlinkat, AT_FDCWD, (long)shared->cgroup, AT_REMOVEDIR, 0);
}

/* Makes a pid namespace that belongs to a user namespace below this one, and keeps it. */
static void own_pidns(int made)
{
	long pid = unshare(CLONE_NEWUSER | CLONE_NEWPID);

	if (pid == 0)
		pid = fork_plain();
	call2(NR_prctl, PR_SET_PDEATHSIG, SIGKILL); /* of both; before unshare it would be forgotten */
	if (pid < 0 || (pid == 0 && call4(NR_write, made, (long)"", 1, 0) != 1))
		call1(NR_exit_group, 1);
	call5(NR_ppoll, 0, 0, 0, 0, 0);
	call1(NR_exit_group, 1);
}

/* In a pid namespace whose user namespace is not above this one's. */
static long to_others_pid(void)
{
	char path[64] = "/proc/", *at = path + 6, byte;
	const char *rest = "/ns/pid_for_children";
	int made[2];
	long owner, fd, ret = call2(NR_pipe2, (long)made, O_CLOEXEC);

	if (ret)
		return ret;
	owner = fork_plain();
	if (owner == 0)
		own_pidns(made[1]);
	call1(NR_close, made[1]);
	if (owner < 0 || call4(NR_read, made[0], (long)&byte, 1, 0) != 1)
		return -EINVAL;
	for (at = put_number(at, owner); *rest;)
		*at++ = *rest++;
	*at = 0;
	fd = call4(NR_openat, AT_FDCWD, (long)path, O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	ret = call2(NR_setns, fd, CLONE_NEWPID);
	return ret ? ret : descend(fork_plain());
}

static long to_threaded(void)
{
	return run_beside(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD);
}

static long to_shared_memory(void)
{
	return run_beside(CLONE_VM);
}

static long to_shared_handlers(void)
{
	return run_beside(CLONE_VM | CLONE_SIGHAND);
}

/* In the order in which they are done, which is that of their bits in package verify. */
static long (*const setups[])(void) = {
    to_cgroup,	      to_gone,		to_chroot,
    to_deadline,      to_user,		to_stranger,
    to_userns,	      to_mapped,	to_quota,
    to_user_depth,    to_time,		to_shifted_time,
    to_pid,	      to_init,		to_dead,
    to_spoilt,	      to_pid_depth,	to_pid_max,
    to_autoreap,      to_no_processes,	to_one_process,
    to_two_processes, to_no_files,	to_others_pid,
    to_threaded,      to_shared_memory, to_shared_handlers,
};

long prepare(struct request *r)
{
	if (r->args[10] == PLACE_CGROUP && r->call == CALL_CLONE3) {
		long fd = call4(NR_openat, AT_FDCWD, (long)shared->cgroup, O_PATH_DIRECTORY | O_CLOEXEC, 0);

		if (fd < 0)
			return fd;
		r->args[10] = fd;
	}
	for (unsigned int i = 0; i < sizeof(setups) / sizeof(*setups); i++) {
		long ret = r->setup >> i & 1 ? setups[i]() : 0;

		if (ret)
			return ret;
	}
	return 0;
}
