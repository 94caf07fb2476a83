// SPDX-License-Identifier: Apache-2.0
/* Requests by the bare system calls: successes, namespaces, failures. */
#define _GNU_SOURCE
#include "creations.h"

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

struct rawcase {
	const char *name;
	struct raw raw;
	const char *kind;
	int want_errno;	   /* 0: success */
	int unknown_flags; /* the kernel refuses before it reads them */
	const char *layer; /* that refuses; NULL: copy_process */
};

static const char *entry_name(long nr)
{
	if (nr == SYS_clone3)
		return "clone3";
#ifdef SYS_fork
	if (nr == SYS_fork)
		return "fork";
	if (nr == SYS_vfork)
		return "vfork";
#endif
	return "clone";
}

static void run_case(const struct rawcase *c)
{
	struct raw r = c->raw;
	long result = raw_create(&r);

	if ((result < 0) != (c->want_errno != 0) || (result < 0 && -result != c->want_errno))
		printf("{\"case\":\"%s\",\"unexpected\":%ld,\"want\":%d}\n", c->name, result, -c->want_errno);
	expect(&(struct expect){.name = c->name,
				.entry = entry_name(r.nr),
				.kind = c->kind,
				.flags = r.flags,
				.flags_known = !c->unknown_flags,
				.exit_signal = c->unknown_flags ? -1 : r.exit_signal,
				.result = result,
				.tid = syscall(SYS_gettid),
				.layer = result >= 0 ? NULL
					 : c->layer  ? c->layer
						     : "copy_process",
				.shares = 1,
				.raw = c->unknown_flags ? NULL : &c->raw});
	if (!(r.flags & (CLONE_THREAD | CLONE_PARENT)))
		reap(result);
}

static void run_cases(const struct rawcase *c, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		run_case(&c[i]);
}

#define RUN(table) run_cases(table, sizeof(table) / sizeof(table[0]))

static const struct rawcase raw_cases[] = {
#ifdef SYS_fork
    {"fork", {SYS_fork, 0, SIGCHLD}, "process"},
    {"vfork", {SYS_vfork, CLONE_VFORK | CLONE_VM, SIGCHLD}, "vfork"},
#endif
    {"clone SIGCHLD", {SYS_clone, 0, SIGCHLD}, "process"},
    {"clone VM|VFORK", {SYS_clone, CLONE_VM | CLONE_VFORK, SIGCHLD}, "vfork"},
    {"clone3 SIGCHLD", {SYS_clone3, 0, SIGCHLD}, "process"},
    {"clone3 size 64", {SYS_clone3, 0, SIGCHLD, .size = 64}, "process"},
    {"clone3 size 80", {SYS_clone3, 0, SIGCHLD, .size = 80}, "process"},
    {"clone3 size 96", {SYS_clone3, 0, SIGCHLD, .size = 96}, "process"},
    {"clone no signal", {SYS_clone, 0, 0}, "process"},
    {"clone SIGUSR1", {SYS_clone, 0, SIGUSR1}, "process"},
    {"clone3 CLEAR_SIGHAND", {SYS_clone3, CLONE_CLEAR_SIGHAND, SIGCHLD}, "process"},
    {"clone FILES|FS", {SYS_clone, CLONE_FILES | CLONE_FS, SIGCHLD}, "process"},
    {"clone VM", {SYS_clone, CLONE_VM, SIGCHLD}, NULL},
    {"clone VM|SIGHAND", {SYS_clone, CLONE_VM | CLONE_SIGHAND, SIGCHLD}, NULL},
    {"clone thread", {SYS_clone, THREAD_FLAGS, 0}, "thread"},
    {"clone3 thread", {SYS_clone3, THREAD_FLAGS, 0}, "thread"},
    {"clone SETTIDs",
     {SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, SIGCHLD},
     "process"},
    {"clone PIDFD", {SYS_clone, CLONE_PIDFD, SIGCHLD}, "process"},
    {"clone3 PIDFD", {SYS_clone3, CLONE_PIDFD, SIGCHLD}, "process"},
    {"clone SYSVSEM", {SYS_clone, CLONE_SYSVSEM, SIGCHLD}, "process"},
    {"clone IO", {SYS_clone, CLONE_IO, SIGCHLD}, "process"},
    {"clone PTRACE untraced", {SYS_clone, CLONE_PTRACE | CLONE_UNTRACED, SIGCHLD}, "process"},
    {"clone SETTLS", {SYS_clone, CLONE_SETTLS, SIGCHLD, .tls = 0x7000}, "process"},
};

/* A child made with CLONE_PARENT is its creator's sibling: a process between makes it, so that we can reap
 * it. */
static void clone_parent(void)
{
	long pid;
	int st;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run_case(&(struct rawcase){"clone PARENT", {SYS_clone, CLONE_PARENT, SIGCHLD}, "process"});
		fflush(stdout);
		_exit(0);
	}
	expect_fork("process between", pid);
	while ((pid = waitpid(-1, &st, __WALL)) > 0 || errno == EINTR)
		;
}

void group_raw(void)
{
	RUN(raw_cases);
	clone_parent();
}

static const struct rawcase namespace_cases[] = {
    {"NEWUSER", {SYS_clone, CLONE_NEWUSER, SIGCHLD}, NULL},
    {"NEWNS", {SYS_clone, CLONE_NEWNS, SIGCHLD}, NULL},
    {"NEWUTS", {SYS_clone, CLONE_NEWUTS, SIGCHLD}, NULL},
    {"NEWIPC", {SYS_clone, CLONE_NEWIPC, SIGCHLD}, NULL},
    {"NEWNET", {SYS_clone, CLONE_NEWNET, SIGCHLD}, NULL},
    {"NEWCGROUP", {SYS_clone, CLONE_NEWCGROUP, SIGCHLD}, NULL},
    {"NEWPID", {SYS_clone, CLONE_NEWPID, SIGCHLD}, NULL},
    {"clone3 NEWTIME", {SYS_clone3, CLONE_NEWTIME, SIGCHLD}, NULL},
    {"container",
     {SYS_clone3, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET,
      SIGCHLD},
     "container"},
};

void group_namespaces(void)
{
	RUN(namespace_cases);
}

static const int busy_tid = 1, bad_tid = -1;

static const struct rawcase failure_cases[] = {
    {"NEWNS|FS", {SYS_clone, CLONE_NEWNS | CLONE_FS, SIGCHLD}, NULL, EINVAL},
    {"THREAD without SIGHAND", {SYS_clone, CLONE_THREAD | CLONE_VM, 0}, NULL, EINVAL},
    {"SIGHAND without VM", {SYS_clone, CLONE_SIGHAND, SIGCHLD}, NULL, EINVAL},
    {"clone3 SIGHAND without VM", {SYS_clone3, CLONE_SIGHAND, SIGCHLD}, NULL, EINVAL},
    {"clone3 size 0", {SYS_clone3, 0, SIGCHLD, .zero_size = 1}, NULL, EINVAL, 1, "syscall"},
    {"clone3 size 1 MiB", {SYS_clone3, 0, SIGCHLD, .size = 1 << 20}, NULL, E2BIG, 1, "syscall"},
    {"clone3 tail", {SYS_clone3, 0, SIGCHLD, .size = 96, .tail = 1}, NULL, E2BIG, 0, "syscall"},
    {"clone3 bad pointer", {SYS_clone3, 0, SIGCHLD, .null_args = 1}, NULL, EFAULT, 1, "syscall"},
    {"clone3 unknown flag", {SYS_clone3, 1ULL << 60, SIGCHLD}, NULL, EINVAL, 0, "syscall"},
    {"clone3 CLEAR_SIGHAND|SIGHAND",
     {SYS_clone3, CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, SIGCHLD},
     NULL,
     EINVAL,
     0,
     "syscall"},
    {"clone3 stack without size", {SYS_clone3, 0, SIGCHLD, .stack = 4096}, NULL, EINVAL, 0, "syscall"},
    {"PIDFD bad pointer", {SYS_clone, CLONE_PIDFD, SIGCHLD, .pidfd = NO_PLACE}, NULL, EFAULT},
    {"set_tid busy",
     {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)&busy_tid, .set_tid_size = 1},
     NULL,
     EEXIST},
    {"set_tid range",
     {SYS_clone3, 0, SIGCHLD, .set_tid = (uintptr_t)&bad_tid, .set_tid_size = 1},
     NULL,
     EINVAL},
    {"INTO_CGROUP bad fd", {SYS_clone3, CLONE_INTO_CGROUP, SIGCHLD, .cgroup = 1000}, NULL, EBADF},
};

void group_failures(void)
{
	RUN(failure_cases);
}

static const struct rawcase unprivileged_cases[] = {
    {"NEWPID unprivileged", {SYS_clone, CLONE_NEWPID, SIGCHLD}, NULL, EPERM},
    {"RLIMIT_NPROC", {SYS_clone, 0, SIGCHLD}, NULL, EAGAIN},
};

/* As an ordinary user that nobody else is, with room for no process but itself. */
void group_unprivileged(void)
{
	struct rlimit none = {1, 1};
	long pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (setgid(54321) || setuid(54321)) {
			perror("setuid");
			_exit(1);
		}
		run_case(&unprivileged_cases[0]);
		setrlimit(RLIMIT_NPROC, &none);
		run_case(&unprivileged_cases[1]);
		fflush(stdout);
		_exit(0);
	}
	expect_fork("ordinary user", pid);
	reap(pid);
}
