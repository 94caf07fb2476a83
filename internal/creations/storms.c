// SPDX-License-Identifier: Apache-2.0
/*
 * Storms, bounded in count and in time. Each runs in a pid namespace of its own, whose
 * first process ends with whoever started it, and all of the namespace with that.
 */
#define _GNU_SOURCE
#include "creations.h"
#include <libgen.h>
#include <linux/io_uring.h>

/* What the processes of a storm share. */
static struct {
	int created, failed, alive;
	int most; /* attempts */
	double end;
	const char *program;
} *storm;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int created(void)
{
	return __atomic_load_n(&storm->created, __ATOMIC_RELAXED);
}

static int goes_on(void)
{
	return created() + __atomic_load_n(&storm->failed, __ATOMIC_RELAXED) < storm->most &&
	       now() < storm->end;
}

static void count(int ok)
{
	__atomic_add_fetch(ok ? &storm->created : &storm->failed, 1, __ATOMIC_RELAXED);
}

static pid_t make(void)
{
	pid_t pid = fork();

	if (pid)
		count(pid > 0);
	return pid;
}

/* Executes this program under a name that lies beside it, or its own. */
static void become(const char *name, const char *what, const char *arg)
{
	char file[4096], dir[4096];

	snprintf(dir, sizeof(dir), "%s", storm->program);
	snprintf(file, sizeof(file), "%s/%s", dirname(dir), name);
	execl(file, file, what, arg, NULL);
	execl(storm->program, storm->program, what, arg, NULL);
	_exit(127);
}

#define TREE_ALIVE 200
#define TREE_LIVES 30000 /* us */

/* Lives for a while and creates two like itself, when there is room. */
static void branch(void)
{
born:
	usleep(TREE_LIVES / 2);
	for (int i = 0; i < 2 && goes_on(); i++) {
		pid_t pid;

		if (__atomic_add_fetch(&storm->alive, 1, __ATOMIC_RELAXED) > TREE_ALIVE) {
			__atomic_sub_fetch(&storm->alive, 1, __ATOMIC_RELAXED);
			break;
		}
		pid = make();
		if (pid == 0)
			goto born;
		if (pid < 0) {
			__atomic_sub_fetch(&storm->alive, 1, __ATOMIC_RELAXED);
			usleep(TREE_LIVES);
		}
	}
	usleep(TREE_LIVES / 2);
	__atomic_sub_fetch(&storm->alive, 1, __ATOMIC_RELAXED);
	_exit(0);
}

/* A tree that grows by itself; the first process only buries. */
static void tree(void)
{
	while (goes_on()) {
		__atomic_store_n(&storm->alive, 1, __ATOMIC_RELAXED);
		if (make() == 0)
			branch();
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

/* A supervisor of a service that ends at once. */
static void respawn(void)
{
	while (goes_on()) {
		pid_t pid = make();

		if (pid == 0)
			become("service", "exit", "1");
		waitpid(pid, NULL, 0);
	}
}

/* Fills what it may have and goes on trying. */
static void retry(void)
{
	while (goes_on()) {
		pid_t pid = make();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		usleep(pid < 0 ? 200 : 10);
	}
}

static void *stay(void *x)
{
	pause();
	return x;
}

static void threads(void)
{
	pthread_attr_t small;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	while (goes_on()) {
		pthread_t t;
		int err = pthread_create(&t, &small, stay, NULL);

		count(!err);
		usleep(err ? 50000 : 2500);
	}
}

/*
 * Reads by splice from a pipe that nobody writes to: each blocks a worker of the
 * kernel's, which makes another for the next request.
 */
static void io_workers(void)
{
	struct io_uring_params p = {};
	int fd = syscall(SYS_io_uring_setup, 1, &p), in[2], out[2];
	struct io_uring_sqe *sqe;
	unsigned *tail, *array;
	char *ring;

	if (fd < 0 || pipe(in) || pipe(out)) {
		perror("io_uring");
		_exit(3);
	}
	ring = mmap(NULL, p.sq_off.array + 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || sqe == MAP_FAILED)
		_exit(3);
	tail = (unsigned *)(ring + p.sq_off.tail);
	array = (unsigned *)(ring + p.sq_off.array);
	while (goes_on()) {
		*sqe = (struct io_uring_sqe){.opcode = IORING_OP_SPLICE,
					     .fd = out[1],
					     .splice_fd_in = in[0],
					     .off = -1,
					     .splice_off_in = -1,
					     .len = 1};
		array[0] = 0;
		__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
		count(syscall(SYS_io_uring_enter, fd, 1, 0, 0, NULL, 0) == 1);
		usleep(4000);
	}
}

/* One job of a build: three programs, one after the other. */
int run_job(const char *program)
{
	static const char *const steps[] = {"cc1", "as", "ld"};
	static typeof(*storm) own;

	storm = &own;
	storm->program = program;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		pid_t pid = make();

		if (pid == 0)
			become(steps[i], "work", "2000");
		waitpid(pid, NULL, 0);
	}
	return 0;
}

int run_work(long us)
{
	usleep(us);
	return 0;
}

#define JOBS 6

/* A build: never more than JOBS at a time. Each makes three more. */
static void fanout(void)
{
	for (int running = 0; goes_on();) {
		pid_t pid = make();

		if (pid == 0)
			become("cc", "job", NULL);
		__atomic_add_fetch(&storm->created, 3, __ATOMIC_RELAXED);
		if (++running >= JOBS && waitpid(-1, NULL, 0) > 0)
			running--;
	}
}

/* A script of pipelines: two programs at a time that live shortly and end well. */
static void churn(void)
{
	static const char *const stages[] = {"grep", "cut"};

	while (goes_on()) {
		for (int i = 0; i < 2; i++)
			if (make() == 0)
				become(stages[i], "exit", "0");
		while (waitpid(-1, NULL, 0) > 0)
			;
	}
}

static void livelock(void)
{
	count(1);
	run_livelock(storm->most);
}

/* No storm: one child now and then. Fails when others leave no room. */
static void modest(void)
{
	while (goes_on()) {
		pid_t pid = make();

		if (pid == 0)
			_exit(0);
		if (pid > 0)
			waitpid(pid, NULL, 0);
		usleep(40000);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} storms[] = {
    {"tree", tree},	  {"respawn", respawn},	      {"retry", retry},
    {"threads", threads}, {"io-workers", io_workers}, {"fanout", fanout},
    {"churn", churn},	  {"livelock", livelock},     {"modest", modest},
};

/* Goes on as the first process of a namespace, which ends with this one. */
static void in_namespace(void (*run)(void), const char *pid_max)
{
	pid_t init;
	int status = 0;

	if (unshare(CLONE_NEWPID)) {
		perror("a pid namespace");
		exit(3);
	}
	init = fork();
	if (init < 0) {
		perror("fork");
		exit(3);
	}
	if (init == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pid_max && write_file("/proc/sys/kernel/pid_max", pid_max)) {
			perror("a pid_max of each pid namespace");
			_exit(3);
		}
		run();
		_exit(0);
	}
	waitpid(init, &status, 0);
	printf("{\"init\":%d,\"created\":%d,\"failed\":%d}\n", init, storm->created + 1, storm->failed);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int run_storm(const char *program, const char *name, int most, int seconds, const char *pid_max)
{
	storm = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (storm == MAP_FAILED || most < 1 || most > 1000000 || seconds < 1 || seconds > 120) {
		fprintf(stderr, "storm: 1 to 1000000 attempts in 1 to 120 seconds\n");
		return 2;
	}
	storm->most = most;
	storm->end = now() + seconds;
	storm->program = program;
	alarm(seconds + 20); /* should it hang: and with this process ends the namespace */
	for (unsigned i = 0; i < sizeof(storms) / sizeof(storms[0]); i++)
		if (!strcmp(name, storms[i].name))
			in_namespace(storms[i].run, pid_max);
	fprintf(stderr,
		"storm: tree, respawn, retry, threads, io-workers, fanout, churn, livelock or modest\n");
	return 2;
}
