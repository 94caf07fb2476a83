// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the cases of reasons.c and machine.c: each in a process of its own, which says what it
 * attempted and what the kernel answered.
 */
#define _GNU_SOURCE
#include "creations.h"
#include <fcntl.h>

int write_file(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	close(fd);
	return n < 0 ? -1 : 0;
}

#define HOLD_US 400000

unsigned long commit_limit_kb;

static void attempt(const struct reason_case *c)
{
	struct raw r = c->raw;
	int failed;
	long result;

	char comm[16]; /* by which its attempt is told from others: numbers of its own pid namespace do not */

	snprintf(comm, sizeof(comm), "%.10s-%04x", c->reason, (unsigned)(getpid() & 0xffff));
	prctl(PR_SET_NAME, comm);
	failed = c->prepare && c->prepare();
	result = failed ? 0 : raw_create(&r);
	printf("{\"reason\":\"%s\",\"prepared\":%s,\"result\":%ld,\"want\":%d,\"needs\":\"%s\","
	       "\"comm\":\"%s\",\"commit_limit_kb\":%lu,\"above\":%d}\n",
	       c->reason, failed ? "false" : "true", result, -c->want_errno, c->needs ? c->needs : c->reason,
	       comm, commit_limit_kb, c->above);
	fflush(stdout);
	if (c->hold)
		usleep(HOLD_US);
	_exit(0);
}

int run_reason_cases(const struct reason_case *cases, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		pid_t pid;

		fflush(stdout);
		pid = fork();
		if (pid == 0)
			attempt(&cases[i]);
		if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
			perror("fork");
			return 1;
		}
		if (cases[i].restore)
			cases[i].restore();
		remove_cgroups(pid);
	}
	return 0;
}
