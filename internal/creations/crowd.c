// SPDX-License-Identifier: Apache-2.0
/* A user whose processes come and go at the limit, so that a count read after a refusal is often below it. */
#define _GNU_SOURCE
#include "creations.h"

#define CROWD	 8
#define ATTEMPTS 200

static void fork_and_reap(void)
{
	for (int i = 0; i < ATTEMPTS; i++) {
		struct raw r = {SYS_clone, 0, SIGCHLD};

		reap(raw_create(&r));
	}
	_exit(0);
}

int run_crowd(void)
{
	struct rlimit few = {CROWD, CROWD};
	int status, failed = 0;

	for (int i = 0; i < CROWD - 1; i++) {
		fflush(stdout);
		if (fork() == 0) {
			if (ordinary_user() || setrlimit(RLIMIT_NPROC, &few))
				_exit(1);
			fork_and_reap();
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	return failed != 0; /* somebody could not become the user */
}
