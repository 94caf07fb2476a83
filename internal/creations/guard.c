// SPDX-License-Identifier: Apache-2.0
/* Seccomp filters, as container runtimes install them. */
#define _GNU_SOURCE
#include "creations.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

int refuse_call(long nr, int err)
{
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("seccomp");
		return -1;
	}
	return 0;
}

/* clone3 answers ENOSYS and fork EPERM before the kernel looks at them: Docker's profile does the first. */
void group_seccomp(void)
{
	struct raw clone3 = {SYS_clone3, CLONE_FS, SIGCHLD};
	struct raw clone = {SYS_clone, CLONE_FILES, SIGCHLD};
	long pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (refuse_call(SYS_clone3, ENOSYS) || refuse_call(SYS_clone, EPERM))
			_exit(1);
		expect(&(struct expect){.name = "seccomp clone3",
					.entry = "clone3",
					.kind = "process",
					.flags = CLONE_FS,
					.flags_known = 1,
					.exit_signal = SIGCHLD,
					.layer = "seccomp",
					.result = raw_create(&clone3),
					.tid = getpid()});
		expect(&(struct expect){.name = "seccomp clone",
					.entry = "clone",
					.kind = "process",
					.flags = CLONE_FILES,
					.flags_known = 1,
					.exit_signal = SIGCHLD,
					.layer = "seccomp",
					.result = raw_create(&clone),
					.tid = getpid()});
		fflush(stdout);
		_exit(0);
	}
	expect(&(struct expect){.name = "seccomp fork",
				.entry = "clone",
				.kind = "process",
				.call = "fork",
				.flags = CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
				.flags_known = 1,
				.exit_signal = SIGCHLD,
				.result = pid,
				.tid = getpid(),
				.shares = 1});
	reap(pid);
}

int run_without_bpf(char **argv)
{
	if (refuse_call(SYS_bpf, EPERM))
		return 1;
	execvp(argv[0], argv);
	perror(argv[0]);
	return 127;
}
