// SPDX-License-Identifier: Apache-2.0
/*
 * Performs process creations, one of every kind and of every cheap failure, and prints
 * for each, as one JSON object a line, what a tracer must say about it. Used by the
 * privileged tests; built by internal/creations.
 *
 *	creations cases [GROUP…]     one of each; groups: as in the table below
 *	creations load PROCS N       PROCS processes make N creations in all, of mixed kinds
 *	creations tree DEPTH WIDTH   every process forks WIDTH others and ends, DEPTH generations deep
 *	creations containers DEPTH   containers within each other, with processes and threads in each
 *	creations kernel             makes the kernel create: io worker, kernel thread, user-mode helper
 *	creations reasons            makes the causes of refusals and prints the reason to be named
 *	creations machine-reasons    the same for causes that take the whole machine: in guests only
 *	creations pid-exhausted      the same for a pid namespace of its own without a free number
 *	creations memory-limit USAGE LIMIT
 *	                             one attempt in a memory cgroup, whose files these are, without room
 *	creations limited-user       one attempt of a user whose RLIMIT_NPROC is reached
 *	creations limited-root       one attempt of root's whose RLIMIT_NPROC is reached
 *	creations reset-on-fork      one attempt under SCHED_DEADLINE with reset-on-fork; status 77: not here
 *	creations killed             creators that are killed while they create
 *	creations crowd              processes of a user who has as many as he may fork and end
 *	creations fallback           a clone3 that a filter refuses, and the clone in its place
 *	creations livelock N         one attempt that a signal interrupts N times
 *	creations bench-fork N | bench-thread N | bench-getppid N
 *	                             timed loops: prints ns per round
 *	creations storm NAME N SECONDS [PID_MAX]
 *	                             a storm of at most N attempts, in a pid namespace of its own,
 *	                             with a pid_max of its own (where each has one: 6.14):
 *	                             tree respawn retry threads io-workers fanout churn livelock modest
 *	creations job | work US | exit STATUS
 *	                             parts of storms
 *	creations seccomp-bpf CMD…   runs CMD with bpf(2) refused by a seccomp filter
 */
#define _GNU_SOURCE
#include "creations.h"

static const struct group {
	const char *name;
	void (*run)(void);
} groups[] = {
    {"calls", group_calls},	      {"raw", group_raw},	    {"compat", group_compat},
    {"namespaces", group_namespaces}, {"failures", group_failures}, {"unprivileged", group_unprivileged},
    {"seccomp", group_seccomp},
};

static int cases(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		int wanted = argc == 0;

		for (int a = 0; a < argc; a++)
			wanted |= !strcmp(argv[a], groups[i].name);
		if (wanted)
			groups[i].run();
	}
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGUSR1, SIG_IGN); /* some children tell of their end by it */
	if (argc >= 2 && !strcmp(argv[1], "cases"))
		return cases(argc - 2, argv + 2);
	if (argc >= 2 && !strcmp(argv[1], "exit"))
		return argc > 2 ? atoi(argv[2]) : 0;
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "storm"))
		return run_storm(argv[0], argv[2], atoi(argv[3]), atoi(argv[4]), argv[5]);
	if (argc == 2 && !strcmp(argv[1], "job"))
		return run_job(argv[0]);
	if (argc == 3 && !strcmp(argv[1], "work"))
		return run_work(atol(argv[2]));
	if (argc == 4 && !strcmp(argv[1], "load"))
		return run_load(atoi(argv[2]), atoi(argv[3]));
	if (argc == 4 && !strcmp(argv[1], "tree"))
		return run_tree(atoi(argv[2]), atoi(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "containers"))
		return run_containers(argv[0], atoi(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "kernel"))
		return run_kernel();
	if (argc == 2 && !strcmp(argv[1], "reasons"))
		return run_reasons();
	if (argc == 2 && !strcmp(argv[1], "machine-reasons"))
		return run_machine_reasons();
	if (argc == 2 && !strcmp(argv[1], "pid-exhausted"))
		return run_pid_exhausted();
	if (argc == 4 && !strcmp(argv[1], "memory-limit"))
		return run_memory_limit(argv[2], argv[3]);
	if (argc == 2 && !strcmp(argv[1], "limited-user"))
		return run_limited_user();
	if (argc == 2 && !strcmp(argv[1], "limited-root"))
		return run_limited_root();
	if (argc == 2 && !strcmp(argv[1], "reset-on-fork"))
		return run_reset_on_fork();
	if (argc == 2 && !strcmp(argv[1], "killed"))
		return run_killed();
	if (argc == 2 && !strcmp(argv[1], "crowd"))
		return run_crowd();
	if (argc == 2 && !strcmp(argv[1], "fallback"))
		return run_fallback();
	if (argc == 3 && !strcmp(argv[1], "livelock"))
		return run_livelock(atol(argv[2]));
	if (argc == 3 && !strncmp(argv[1], "bench-", 6))
		return run_bench(argv[1] + 6, atol(argv[2]));
	if (argc >= 3 && !strcmp(argv[1], "seccomp-bpf"))
		return run_without_bpf(argv + 2);
	fprintf(stderr,
		"usage: creations cases [GROUP...] | load PROCS N | tree DEPTH WIDTH | "
		"containers DEPTH | kernel | "
		"reasons | machine-reasons | pid-exhausted | memory-limit USAGE LIMIT | "
		"limited-user | limited-root | reset-on-fork | killed | crowd | fallback | livelock N | "
		"bench-KIND N | storm NAME N SECONDS [PID_MAX] | seccomp-bpf CMD...\n");
	return 2;
}
