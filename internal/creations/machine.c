// SPDX-License-Identifier: Apache-2.0
/*
 * Refusals whose cause is a limit of the whole machine, made by lowering it for a moment:
 * for guests only. The one of a pid namespace of its own is for kernels on which that has
 * a limit of its own (6.14).
 */
#define _GNU_SOURCE
#include "creations.h"

/* The limits that are lowered, and what they were. */
static struct limit {
	const char *file;
	char was[32];
} limits[] = {
    {"/proc/sys/kernel/threads-max", ""},
    {"/proc/sys/kernel/pid_max", ""},
    {"/proc/sys/fs/nr_open", ""},
    {"/proc/sys/fs/file-max", ""},
    {"/proc/sys/vm/overcommit_kbytes", ""},
    {"/proc/sys/vm/overcommit_ratio", ""}, /* 0 while kbytes are set */
    {"/proc/sys/vm/nr_hugepages", ""},
    {"/proc/sys/vm/overcommit_memory", ""},
    {"/proc/sys/kernel/unprivileged_userns_clone", ""},
};

static void remember_limits(void)
{
	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int fd = open(limits[i].file, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, limits[i].was, sizeof(limits[i].was) - 1);

		limits[i].was[n > 0 ? n : 0] = 0;
		close(fd);
	}
}

static void restore_limits(void)
{
	for (unsigned i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].was[0])
			write_file(limits[i].file, limits[i].was);
}

static int few_threads(void)
{
	return write_file("/proc/sys/kernel/threads-max", "20"); /* the least (kernel/fork.c: MIN_THREADS) */
}

/* Processes that hold numbers, until none is left and their namespace's first process ends. */
static int hold_numbers(void)
{
	for (int i = 0; i < 400; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0)
			return 0;
	}
	return -1;
}

/* The least pid_max. */
static int no_numbers(void)
{
	return as_init() || write_file("/proc/sys/kernel/pid_max", "301") || hold_numbers();
}

/* A table of files that is longer than a new one may be. */
static int few_open(void)
{
	struct rlimit many = {8192, 8192};

	return setrlimit(RLIMIT_NOFILE, &many) || dup2(0, 4000) < 0 ||
	       write_file("/proc/sys/fs/nr_open", "1024");
}

static int few_files(void)
{
	return write_file("/proc/sys/fs/file-max", "1") || ordinary_user();
}

/* One of the numbers of /proc/meminfo, 0 if there is none such. */
static unsigned long meminfo_kb(const char *name)
{
	unsigned long kb = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");
	size_t n = strlen(name);

	if (!f)
		return 0;
	while (!kb && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, n) && line[n] == ':')
			kb = strtoul(line + n + 1, NULL, 10);
	fclose(f);
	return kb;
}

#define PROMISED_SIZE (128UL << 20)

/*
 * Memory that is promised already, and how much may be if half of it is left: a copy of this
 * process is too much, while others, whose files in a tmpfs are promised memory as well, go on.
 */
static unsigned long promise_memory(void)
{
	unsigned long promised;

	if (mmap(NULL, PROMISED_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 0;
	promised = meminfo_kb("Committed_AS");
	return promised ? promised + PROMISED_SIZE / 1024 / 2 : 0;
}

static int no_memory_promised(void)
{
	unsigned long kb = promise_memory();
	char limit[32];

	snprintf(limit, sizeof(limit), "%lu", kb);
	return !kb || write_file("/proc/sys/vm/overcommit_kbytes", limit) ||
	       write_file("/proc/sys/vm/overcommit_memory", "2") || ordinary_user();
}

/* The same as a share of the memory, of which that in pools of huge pages is no part. */
static int no_share_promised(void)
{
	unsigned long kb = promise_memory(), all;
	char limit[32];

	if (!kb || write_file("/proc/sys/vm/nr_hugepages", "2"))
		return -1;
	all = meminfo_kb("MemTotal") - meminfo_kb("Hugetlb");
	snprintf(limit, sizeof(limit), "%lu", kb * 100 / all + 1);
	if (write_file("/proc/sys/vm/overcommit_ratio", limit) ||
	    write_file("/proc/sys/vm/overcommit_memory", "2"))
		return -1;
	commit_limit_kb = meminfo_kb("CommitLimit");
	return !meminfo_kb("Hugetlb") || ordinary_user();
}

/*
 * The page tables of a copy of so much memory are more than a processor charges in advance.
 * The kernel kills the process, as nothing else in the cgroup can be, and so fails its fork.
 */
int run_memory_limit(const char *usage, const char *limit)
{
	const size_t size = 192 << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char used[32] = "", text[32];
	int fd = open(usage, O_RDONLY);

	if (memory == MAP_FAILED || fd < 0)
		return 1;
	madvise(memory, size, MADV_NOHUGEPAGE);
	memset(memory, 1, size);
	if (read(fd, used, sizeof(used) - 1) <= 0)
		return 1;
	snprintf(text, sizeof(text), "%llu", strtoull(used, NULL, 10) + (64 << 10));
	if (write_file(limit, text))
		return 1;
	return fork() < 0 ? 0 : 1;
}

static int no_user_namespaces(void)
{
	return write_file("/proc/sys/kernel/unprivileged_userns_clone", "0") || ordinary_user();
}

static const struct reason_case machine_cases[] = {
    {"max-threads", few_threads, {SYS_clone, 0, SIGCHLD}, EAGAIN, .restore = restore_limits, .hold = 1},
    {"pid-exhausted", no_numbers, {SYS_clone, 0, SIGCHLD}, EAGAIN, .restore = restore_limits, .hold = 1},
    {"files-nr-open", few_open, {SYS_clone, 0, SIGCHLD}, EMFILE, .restore = restore_limits, .hold = 1},
    {"pidfd-nfile",
     few_files,
     {SYS_clone, CLONE_PIDFD, SIGCHLD},
     ENFILE,
     .restore = restore_limits,
     .hold = 1},
    {"mm-nomem", no_memory_promised, {SYS_clone, 0, SIGCHLD}, ENOMEM, .restore = restore_limits},
    {"mm-nomem", no_share_promised, {SYS_clone, 0, SIGCHLD}, ENOMEM, "huge pages", .restore = restore_limits},
    {"deb-userns-disabled",
     no_user_namespaces,
     {SYS_clone, CLONE_NEWUSER, SIGCHLD},
     EPERM,
     "kernel.unprivileged_userns_clone",
     .restore = restore_limits,
     .hold = 1},
};

int run_machine_reasons(void)
{
	remember_limits();
	return run_reason_cases(machine_cases, sizeof(machine_cases) / sizeof(machine_cases[0]));
}

/* In a new pid namespace, which has all of its numbers, below one that has none left. */
static int no_numbers_above(void)
{
	return no_numbers() || unshare(CLONE_NEWPID);
}

/* Ten pid namespaces, of which the outermost has no numbers left: each process of the innermost took one. */
static int no_numbers_far_above(void)
{
	if (as_init() || write_file("/proc/sys/kernel/pid_max", "301"))
		return -1;
	for (int level = 2; level <= 10; level++)
		if (as_init())
			return -1;
	return hold_numbers();
}

int run_pid_exhausted(void)
{
	static const struct reason_case own[] = {
	    {"pid-exhausted", no_numbers, {SYS_clone, 0, SIGCHLD}, EAGAIN},
	    {"pid-exhausted", no_numbers_above, {SYS_clone, 0, SIGCHLD}, EAGAIN},
	    {"pid-exhausted", no_numbers_far_above, {SYS_clone, 0, SIGCHLD}, EAGAIN},
	};

	return run_reason_cases(own, sizeof(own) / sizeof(own[0]));
}
