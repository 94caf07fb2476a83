// SPDX-License-Identifier: Apache-2.0
/* Single attempts in a cgroup that the caller has filled, by creators whom another rule may concern as well.
 */
#define _GNU_SOURCE
#include "creations.h"

#define RESET_ON_FORK 1 /* SCHED_FLAG_RESET_ON_FORK, include/uapi/linux/sched.h */

static int refused(void)
{
	struct raw r = {SYS_clone, 0, SIGCHLD};

	return raw_create(&r) != -EAGAIN;
}

int run_limited_user(void)
{
	return no_processes_left() || refused();
}

/* RLIMIT_NPROC is not for root. */
int run_limited_root(void)
{
	struct rlimit none = {0, 0};

	return setrlimit(RLIMIT_NPROC, &none) ? 2 : refused();
}

/* The rule about SCHED_DEADLINE is not for a creator whose children are scheduled as ordinary ones. */
int run_reset_on_fork(void)
{
	return deadline(RESET_ON_FORK) ? NOT_HERE : refused();
}
