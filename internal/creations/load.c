// SPDX-License-Identifier: Apache-2.0
/* Loads, bounded in count, and timed loops. */
#define _GNU_SOURCE
#include "creations.h"

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

/* One worker: n attempts in turn by fork, vfork-like clone, clone3, thread, and one that fails. */
static void worker(int n, int counts[2])
{
	static const struct raw kinds[] = {
	    {SYS_clone, 0, SIGCHLD},
	    {SYS_clone, CLONE_VM | CLONE_VFORK, SIGCHLD},
	    {SYS_clone3, 0, SIGCHLD},
	    {SYS_clone, THREAD_FLAGS, 0},
	    {SYS_clone, CLONE_SIGHAND, SIGCHLD}, /* EINVAL */
	};

	for (int made = 0, i = 0; made < n; i++) {
		const struct raw *r = &kinds[i % 5];
		long pid = raw_create(r);

		if (pid < 0) {
			counts[1]++;
			if (pid != -EINVAL)
				usleep(1000); /* threads end by themselves; give them time */
			continue;
		}
		made++;
		counts[0]++;
		if (!(r->flags & CLONE_THREAD))
			reap(pid);
	}
}

int run_load(int procs, int n)
{
	int(*counts)[2] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int created = procs, failed = 0;

	if (counts == MAP_FAILED || procs < 1 || procs > 64 || n < procs * 2 || n > 10000000) {
		fprintf(stderr, "load: 1 to 64 processes, at least two creations each\n");
		return 2;
	}
	for (int p = 0; p < procs; p++) {
		int share = (n - procs) / procs + (p < (n - procs) % procs);

		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL); /* whoever ends the load ends all of it */
			worker(share, counts[p]);
			_exit(0);
		}
	}
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
	for (int p = 0; p < procs; p++) {
		created += counts[p][0];
		failed += counts[p][1];
	}
	printf("{\"created\":%d,\"failed\":%d}\n", created, failed);
	return 0;
}

/* Nobody waits for anybody, so that most processes outlive their creators. */
static void grow(int depth, int width, int counts[2])
{
	for (int i = 0; i < width; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (depth > 1)
				grow(depth - 1, width, counts);
			_exit(0);
		}
		__atomic_add_fetch(&counts[pid < 0], 1, __ATOMIC_RELAXED);
	}
}

int run_tree(int depth, int width)
{
	int *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (counts == MAP_FAILED || depth < 1 || depth > 8 || width < 1 || width > 8) {
		fprintf(stderr, "tree: 1 to 8 generations of 1 to 8 each\n");
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	grow(depth, width, counts);
	while (waitpid(-1, NULL, __WALL) > 0 || errno == EINTR)
		;
	printf("{\"created\":%d,\"failed\":%d}\n", counts[0], counts[1]);
	return 0;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void *nothing(void *x)
{
	return x;
}

static void round_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	reap(pid);
}

static void round_thread(void)
{
	pthread_t t;

	if (!pthread_create(&t, NULL, nothing, NULL))
		pthread_join(t, NULL);
}

static void round_getppid(void)
{
	syscall(SYS_getppid);
}

static void round_clone(void)
{
	static const struct raw thread = {SYS_clone, THREAD_FLAGS | CLONE_VFORK, 0};

	raw_create(&thread);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/*
 * Prints what a round takes, ns: the lower quartile of 40 chunks, which leaves out those
 * that other users of the machine disturbed. All on one CPU, or it would depend on where
 * the scheduler happens to put the child.
 */
int run_bench(const char *what, long n)
{
	static const struct {
		const char *name;
		void (*round)(void);
	} rounds[] = {
	    {"fork", round_fork},
	    {"thread", round_thread},
	    {"getppid", round_getppid},
	    {"clone", round_clone}, /* as fast as tasks can be made */
	};
	enum { CHUNKS = 40 };
	double chunks[CHUNKS];
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	for (unsigned i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++) {
		if (strcmp(what, rounds[i].name))
			continue;
		for (int c = 0; c < CHUNKS; c++) {
			long m = n / CHUNKS > 0 ? n / CHUNKS : 1;
			double start = now_ns();

			for (long k = 0; k < m; k++)
				rounds[i].round();
			chunks[c] = (now_ns() - start) / m;
		}
		qsort(chunks, CHUNKS, sizeof(chunks[0]), by_value);
		printf("%.1f\n", chunks[CHUNKS / 4]);
		return 0;
	}
	fprintf(stderr, "bench: fork, thread, getppid or clone\n");
	return 2;
}
