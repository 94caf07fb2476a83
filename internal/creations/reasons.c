// SPDX-License-Identifier: Apache-2.0
/*
 * Refusals whose cause is made on purpose: for each, the reason that a tracer must name.
 * Every case is a process of its own, named after the reason, so that what it changes ends
 * with it and a tracer can tell the attempts apart.
 */
#define _GNU_SOURCE
#include "creations.h"
#include <fcntl.h>

#define ORDINARY_USER 54321

static int foreign_timens(void)
{
	return unshare(CLONE_NEWTIME);
}

int deadline(uint64_t flags)
{
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} a = {.size = 48,
	       .policy = 6,
	       .flags = flags,
	       .runtime = 40000000,
	       .deadline = 100000000,
	       .period = 100000000};

	return syscall(SYS_sched_setattr, 0, &a, 0);
}

static int under_deadline(void)
{
	return deadline(0);
}

static int in_chroot(void)
{
	return chroot("/proc") || chdir("/");
}

int ordinary_user(void)
{
	return setgid(ORDINARY_USER) || setuid(ORDINARY_USER);
}

int no_processes_left(void)
{
	struct rlimit none = {1, 1};

	return ordinary_user() || setrlimit(RLIMIT_NPROC, &none);
}

/* A user namespace is made with its creator's limit, which then holds above all that is allowed inside. */
static int none_left_above(void)
{
	struct rlimit one, many;

	if (getrlimit(RLIMIT_NPROC, &many))
		return -1;
	many.rlim_cur = many.rlim_max;
	one = many;
	one.rlim_cur = 1;
	return setrlimit(RLIMIT_NPROC, &one) || ordinary_user() || unshare(CLONE_NEWUSER) ||
	       setrlimit(RLIMIT_NPROC, &many);
}

static int no_descriptors_left(void)
{
	struct rlimit none = {0, 0};

	return setrlimit(RLIMIT_NOFILE, &none);
}

static int unmapped(void)
{
	return unshare(CLONE_NEWUSER);
}

/* A user namespace in which nothing more of a kind can be made. */
static int without(const char *sysctl)
{
	return unshare(CLONE_NEWUSER) || write_file("/proc/self/setgroups", "deny") ||
	       write_file("/proc/self/uid_map", "0 0 1") || write_file("/proc/self/gid_map", "0 0 1") ||
	       write_file(sysctl, "0");
}

#define WITHOUT(kind)                                                                                        \
	static int without_##kind(void)                                                                      \
	{                                                                                                    \
		return without("/proc/sys/user/max_" #kind "_namespaces");                                   \
	}

WITHOUT(user)
WITHOUT(uts)
WITHOUT(mnt)
WITHOUT(ipc)
WITHOUT(pid)
WITHOUT(net)
WITHOUT(cgroup)
WITHOUT(time)

/* As deep as user namespaces can be nested: level 33. */
static int nested_userns(void)
{
	for (int level = 1; level <= 33; level++)
		if (without("/proc/sys/user/max_time_namespaces")) /* some limit that is not in the way */
			return -1;
	return 0;
}

/* The limit is that of a user namespace further above than are told one by one. */
static int none_left_far_above(void)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %d 1", ORDINARY_USER);
	if (none_left_above() || prctl(PR_SET_DUMPABLE, 1) || write_file("/proc/self/setgroups", "deny") ||
	    write_file("/proc/self/uid_map", map) || write_file("/proc/self/gid_map", map))
		return -1;
	for (int level = 2; level <= 7; level++)
		if (without("/proc/sys/user/max_time_namespaces")) /* not in the way */
			return -1;
	return 0;
}

/* Whether clone3 knows CLONE_AUTOREAP and its like: the place for the pidfd keeps it from creating. */
static int knows_autoreap(void)
{
	struct raw r = {SYS_clone3, CLONE_AUTOREAP | CLONE_PIDFD, 0, .pidfd = NO_PLACE};

	return raw_create(&r) != -EFAULT;
}

static int user_knows_autoreap(void)
{
	return knows_autoreap() || ordinary_user();
}

static int autoreaped(void)
{
	struct args3 a = {.flags = CLONE_AUTOREAP};
	long pid;

	if (knows_autoreap())
		return -1;
	fflush(stdout);
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid < 0)
		return -1;
	if (pid > 0) {
		usleep(300000); /* it cannot be waited for */
		_exit(0);
	}
	return 0;
}

static int filtered(void)
{
	return refuse_call(SYS_clone3, ENOSYS);
}

/* As the profile of a sandbox, which lets none of its tasks make others. */
static int forbidden(void)
{
	return refuse_call(SYS_clone3, EPERM);
}

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static const int busy = 1, outside = -1, any[2] = {12345, 12345};

static const struct reason_case reason_cases[] = {
    {"newns-with-fs", NULL, {SYS_clone, CLONE_NEWNS | CLONE_FS, SIGCHLD}, EINVAL},
    {"newuser-with-fs", NULL, {SYS_clone, CLONE_NEWUSER | CLONE_FS, SIGCHLD}, EINVAL},
    {"thread-without-sighand", NULL, {SYS_clone, CLONE_THREAD | CLONE_VM, 0}, EINVAL},
    {"sighand-without-vm", NULL, {SYS_clone, CLONE_SIGHAND, SIGCHLD}, EINVAL},
    {"thread-with-newuser-newpid", NULL, {SYS_clone, THREAD | CLONE_NEWPID, 0}, EINVAL},
    {"newipc-with-sysvsem", NULL, {SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM, SIGCHLD}, EINVAL},
    {"pidfd-with-detached", NULL, {SYS_clone, CLONE_PIDFD | CLONE_DETACHED, SIGCHLD}, EINVAL},
    {"c3-size-gt-page", NULL, {SYS_clone3, 0, SIGCHLD, .size = 1 << 20}, E2BIG},
    {"c3-size-lt-ver0", NULL, {SYS_clone3, 0, SIGCHLD, .zero_size = 1}, EINVAL},
    {"c3-tail-nonzero", NULL, {SYS_clone3, 0, SIGCHLD, .size = 96, .tail = 1}, E2BIG},
    {"c3-tail-fault", NULL, {SYS_clone3, 0, SIGCHLD, .size = 96, .at_edge = 1}, EFAULT},
    {"c3-args-fault", NULL, {SYS_clone3, 0, SIGCHLD, .null_args = 1}, EFAULT},
    {"unknown-flag", NULL, {SYS_clone3, 1ULL << 60, SIGCHLD}, EINVAL},
    {"stack-without-size", NULL, {SYS_clone3, 0, SIGCHLD, .stack = 4096}, EINVAL},
    {"settid-busy", NULL, {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)&busy, .set_tid_size = 1}, EEXIST},
    {"settid-range",
     NULL,
     {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)&outside, .set_tid_size = 1},
     EINVAL},
    {"settid-cap",
     ordinary_user,
     {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)any, .set_tid_size = 1},
     EPERM},
    {"into-cgroup-bad-fd", NULL, {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = 1000}, EBADF},
    {"into-cgroup-bad-fd", cgroup_file, {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = TARGET_FD}, EBADF},
    {"pidfd-put-fault", NULL, {SYS_clone, CLONE_PIDFD, SIGCHLD, .pidfd = NO_PLACE}, EFAULT},
    {"pidfd-no-fd", no_descriptors_left, {SYS_clone, CLONE_PIDFD, SIGCHLD}, EMFILE},
    {"ns-needs-admin", ordinary_user, {SYS_clone, CLONE_NEWUTS, SIGCHLD}, EPERM},
    {"nproc-limit", no_processes_left, {SYS_clone, 0, SIGCHLD}, EAGAIN},
    {"nproc-limit",
     none_left_above,
     {SYS_clone, 0, SIGCHLD},
     EAGAIN,
     "RLIMIT_NPROC of each user namespace",
     .above = 1},
    {"nproc-limit",
     none_left_far_above,
     {SYS_clone, 0, SIGCHLD},
     EAGAIN,
     "RLIMIT_NPROC of each user namespace",
     .above = 7},
    {"pidns-dead", dead_pidns, {SYS_clone, 0, SIGCHLD}, ENOMEM},
    {"pidns-dying",
     dying_pidns,
     {SYS_clone, CLONE_PIDFD, SIGCHLD, .pidfd = LATE_PAGE},
     ENOMEM,
     "userfaultfd"},
    {"fs-in-exec", exec_under_way, {SYS_clone, CLONE_FS, SIGCHLD}, EAGAIN, "file leases"},
    {"thread-foreign-pidns", foreign_pidns, {SYS_clone, THREAD, 0}, EINVAL},
    {"sched-deadline", under_deadline, {SYS_clone, 0, SIGCHLD}, EAGAIN},
    {"userns-chroot", in_chroot, {SYS_clone, CLONE_NEWUSER, SIGCHLD}, EPERM},
    {"userns-unmapped", unmapped, {SYS_clone, CLONE_NEWUSER, SIGCHLD}, EPERM},
    {"userns-quota", without_user, {SYS_clone, CLONE_NEWUSER, SIGCHLD}, ENOSPC},
    {"userns-depth", nested_userns, {SYS_clone, CLONE_NEWUSER, SIGCHLD}, ENOSPC},
    {"newuts-quota", without_uts, {SYS_clone, CLONE_NEWUTS, SIGCHLD}, ENOSPC},
    {"newns-quota", without_mnt, {SYS_clone, CLONE_NEWNS, SIGCHLD}, ENOSPC},
    {"newipc-quota", without_ipc, {SYS_clone, CLONE_NEWIPC, SIGCHLD}, ENOSPC},
    {"newpid-quota", without_pid, {SYS_clone, CLONE_NEWPID, SIGCHLD}, ENOSPC},
    {"newnet-quota", without_net, {SYS_clone, CLONE_NEWNET, SIGCHLD}, ENOSPC},
    {"newcgroup-quota", without_cgroup, {SYS_clone, CLONE_NEWCGROUP, SIGCHLD}, ENOSPC},
    {"newtime-quota", without_time, {SYS_clone3, CLONE_NEWTIME, SIGCHLD}, ENOSPC},
    {"newpid-foreign-pidns", foreign_pidns, {SYS_clone, CLONE_NEWPID, SIGCHLD}, EINVAL},
    {"newpid-userns-not-descendant", in_others_pidns, {SYS_clone, CLONE_NEWPID, SIGCHLD}, EINVAL},
    {"newpid-depth", nested_pidns, {SYS_clone, CLONE_NEWPID, SIGCHLD}, ENOSPC},
    {"autoreap-with-thread",
     knows_autoreap,
     {SYS_clone3, CLONE_AUTOREAP | THREAD, 0},
     EINVAL,
     "CLONE_AUTOREAP"},
    {"autoreap-with-parent",
     knows_autoreap,
     {SYS_clone3, CLONE_AUTOREAP | CLONE_PARENT, 0},
     EINVAL,
     "CLONE_AUTOREAP"},
    {"autoreap-with-exit-signal",
     knows_autoreap,
     {SYS_clone3, CLONE_AUTOREAP, SIGCHLD},
     EINVAL,
     "CLONE_AUTOREAP"},
    {"parent-from-autoreap", autoreaped, {SYS_clone3, CLONE_PARENT, 0}, EINVAL, "CLONE_AUTOREAP"},
    {"nnp-with-thread", knows_autoreap, {SYS_clone3, CLONE_NNP | THREAD, 0}, EINVAL, "CLONE_AUTOREAP"},
    {"autokill-without-pidfd",
     knows_autoreap,
     {SYS_clone3, CLONE_PIDFD_AUTOKILL | CLONE_AUTOREAP, 0},
     EINVAL,
     "CLONE_AUTOREAP"},
    {"autokill-without-autoreap",
     knows_autoreap,
     {SYS_clone3, CLONE_PIDFD_AUTOKILL | CLONE_PIDFD, SIGCHLD},
     EINVAL,
     "CLONE_AUTOREAP"},
    {"autokill-needs-cap",
     user_knows_autoreap,
     {SYS_clone3, CLONE_PIDFD_AUTOKILL | CLONE_PIDFD | CLONE_AUTOREAP, 0},
     EPERM,
     "CLONE_AUTOREAP"},
    {"parent-from-init", as_init, {SYS_clone, CLONE_PARENT, SIGCHLD}, EINVAL},
    {"settid-size-gt-32",
     NULL,
     {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)any, .set_tid_size = 33},
     EINVAL},
    {"settid-null-with-size", NULL, {SYS_clone3, 0, SIGCHLD, .set_tid_size = 1}, EINVAL},
    {"settid-ptr-without-size", NULL, {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)any}, EINVAL},
    {"settid-fault", NULL, {SYS_clone3, 0, SIGCHLD, .set_tid = 8, .set_tid_size = 1}, EFAULT},
    {"settid-too-many-levels",
     NULL,
     {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)any, .set_tid_size = 2},
     EINVAL},
    {"settid-no-init",
     foreign_pidns,
     {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)any, .set_tid_size = 1},
     EINVAL},
    {"exit-signal-wide", NULL, {SYS_clone3, 0, 0x100}, EINVAL},
    {"exit-signal-invalid", NULL, {SYS_clone3, 0, 65}, EINVAL},
    {"exit-signal-with-thread-or-parent", NULL, {SYS_clone3, CLONE_PARENT, SIGCHLD}, EINVAL},
    {"cgroup-fd-range", NULL, {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = 1ULL << 40}, EINVAL},
    {"reserved-low-bits", NULL, {SYS_clone3, CLONE_DETACHED, SIGCHLD}, EINVAL},
    {"clear-sighand-with-sighand",
     NULL,
     {SYS_clone3, CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, SIGCHLD},
     EINVAL},
    {"stack-null-with-size", NULL, {SYS_clone3, 0, SIGCHLD, .stack_size = 4096}, EINVAL},
    {"stack-not-user",
     NULL,
     {SYS_clone3, 0, SIGCHLD, .stack = 0xffff800000000000, .stack_size = 4096},
     EINVAL},
    {"pidfd-aliases-parent-tid", NULL, {SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID, SIGCHLD}, EINVAL},
    {"vm-foreign-timens", foreign_timens, {SYS_clone, THREAD, 0}, EINVAL},
    {"pidfd-with-thread", NULL, {SYS_clone, THREAD | CLONE_PIDFD, 0}, EINVAL},
    {"into-cgroup-gone",
     removed_cgroup,
     {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = TARGET_FD},
     ENOENT},
    {"into-cgroup-denied",
     others_cgroup,
     {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = TARGET_FD},
     EACCES},
    {"into-cgroup-busy", inner_cgroup, {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = TARGET_FD}, EBUSY},
    {"pids-limit", uncounted_cgroup, {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = TARGET_FD}, EAGAIN},
    {"into-cgroup-invalid-domain",
     invalid_cgroup,
     {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = TARGET_FD},
     EOPNOTSUPP},
    {"into-cgroup-cross-domain",
     other_domain,
     {SYS_clone3, CLONE_INTO_CGROUP | THREAD, 0, .cgroup = TARGET_FD},
     EOPNOTSUPP},
#if defined(__x86_64__)
    {"tls-range", NULL, {SYS_clone, CLONE_SETTLS, SIGCHLD, .tls = 1ULL << 63}, EPERM},
#endif
    {"seccomp-denied", filtered, {SYS_clone3, CLONE_FS, SIGCHLD}, ENOSYS},
    {"seccomp-denied", forbidden, {SYS_clone3, CLONE_FS, SIGCHLD}, EPERM},
};

int run_reasons(void)
{
	return run_reason_cases(reason_cases, sizeof(reason_cases) / sizeof(reason_cases[0]));
}
