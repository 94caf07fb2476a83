// SPDX-License-Identifier: Apache-2.0
/* Causes that hold for a moment: one that is made to last, and one that is met by trying often. */
#define _GNU_SOURCE
#include "creations.h"
#include <poll.h>

static char dir[] = "/tmp/creations-XXXXXX", script[64], interpreter[64];

static int make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	return n < 0 || close(fd);
}

static int make_script(void)
{
	char text[80];

	if (!mkdtemp(dir))
		return -1;
	snprintf(script, sizeof(script), "%s/script", dir);
	snprintf(interpreter, sizeof(interpreter), "%s/interpreter", dir);
	snprintf(text, sizeof(text), "#!%s\n", interpreter);
	return make_file(interpreter, "") || make_file(script, text);
}

static void remove_script(void)
{
	unlink(script);
	unlink(interpreter);
	rmdir(dir);
}

/* Has a lease on the interpreter: whoever opens it waits, and that is told. */
static void hold_interpreter(int tell)
{
	int fd = open(interpreter, O_RDWR | O_CLOEXEC);
	sigset_t io;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	sigprocmask(SIG_BLOCK, &io, NULL);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) || write(tell, "held", 4) != 4) {
		remove_script();
		_exit(1);
	}
	sigwaitinfo(&io, NULL);
	remove_script();
	if (write(tell, "open", 4) == 4)
		pause();
	_exit(1);
}

static void *execute(void *x)
{
	execl(script, script, NULL);
	return x;
}

#define PATIENCE 5000 /* ms */

/* Whether the holder says something; it may have nothing to say, where nothing in /tmp may be executed. */
static int hears(int told)
{
	struct pollfd p = {.fd = told, .events = POLLIN};
	char word[4];

	return poll(&p, 1, PATIENCE) == 1 && read(told, word, sizeof(word)) == sizeof(word);
}

/* Another thread executes a script, and the kernel waits for its interpreter. */
int exec_under_way(void)
{
	int told[2];
	pthread_t thread;
	pid_t holder;

	if (make_script() || pipe(told))
		return -1;
	fflush(stdout);
	holder = fork();
	if (holder == 0)
		hold_interpreter(told[1]);
	close(told[1]);
	if (holder > 0 && hears(told[0]) && !pthread_create(&thread, NULL, execute, NULL) && hears(told[0]))
		return 0;
	remove_script();
	return -1;
}

#define VICTIMS 100

/* Creates until a signal ends it, at the latest after that many us. */
static void create_until_killed(long us)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	struct itimerspec end = {.it_value = {.tv_nsec = us * 1000}};
	struct raw r = {SYS_clone, CLONE_VM, SIGCHLD};
	timer_t timer;

	prctl(PR_SET_NAME, "victim");
	signal(SIGCHLD, SIG_IGN); /* nobody waits for its children */
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &end, NULL))
		_exit(1);
	for (;;)
		raw_create(&r);
}

/* Creators that are killed, most of them while they create. */
int run_killed(void)
{
	for (int i = 0; i < VICTIMS; i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			create_until_killed(200 + 7 * i);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status)) {
			perror("a victim");
			return 1;
		}
	}
	return 0;
}
