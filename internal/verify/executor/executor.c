// SPDX-License-Identifier: Apache-2.0
/*
 * Issues clone and clone3 requests that no language runtime survives: any flags, any
 * memory shared. Freestanding: no C library, no start-up code, no memory but its own.
 *
 * Commands come on descriptor 0, answers go to descriptor 1, requests and results are in
 * the shared memory of descriptor 3. Each command is done by a worker, a child of this
 * process, which is a subreaper: what a request makes, or takes away, ends with it.
 */
#include "executor.h"

void *memcpy(void *to, const void *from, unsigned long size);

struct shared *shared;
int pidfd_place, parent_place, child_place;

/* Makes the call. A child exits within the same asm block and uses registers only. */
long create(long nr, long a, long b, long c, long d, long e)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %[exit], %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), [exit] "i"(NR_exit)
			 : "rcx", "r11", "memory");
	return ret;
#else
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x8, %[exit]\n\t"
			 "svc #0\n"
			 "1:"
			 : "+r"(x0), "+r"(x8)
			 : "r"(x1), "r"(x2), "r"(x3), "r"(x4), [exit] "i"(NR_exit)
			 : "memory");
	return x0;
#endif
}

/* What a request says for a place in this process. */
static unsigned long place(unsigned long p, struct request *r)
{
	switch (p) {
	case PLACE_PIDFD:
		return (unsigned long)&pidfd_place;
	case PLACE_PARENT:
		return (unsigned long)&parent_place;
	case PLACE_CHILD:
		return (unsigned long)&child_place;
	case PLACE_TIDS:
		return (unsigned long)r->tids;
	}
	return p;
}

static long clone_word(unsigned long word, unsigned long stack, unsigned long parent, unsigned long tls)
{
#if defined(__x86_64__)
	return create(NR_clone, word, stack, parent, (long)&child_place, tls);
#else
	return create(NR_clone, word, stack, parent, tls, (long)&child_place);
#endif
}

void fill_places(struct request *r)
{
	r->args[1] = place(r->args[1], r);
	r->args[2] = place(r->args[2], r);
	r->args[3] = place(r->args[3], r);
	r->args[8] = place(r->args[8], r);
}

#define KNOWN_SIZE 88 /* of struct clone_args up to Linux 7.3 */

/* Where the structure of a request is: a large one has zeroes behind what is said of it. */
static long args_of(struct request *r)
{
	char *memory;

	if (r->where == ARGS_BAD)
		return BAD_ADDRESS;
	if (r->where == ARGS_GOOD && r->size <= sizeof(r->args))
		return (long)r->args;
	memory = (char *)call6(NR_mmap, 0, 2 * LARGEST_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE_ZERO, -1, 0);
	if ((long)memory < 0 && (long)memory > -4096)
		return BAD_ADDRESS;
	if (r->where == ARGS_AT_EDGE) {
		call2(NR_munmap, (long)memory + LARGEST_PAGE, LARGEST_PAGE);
		return (long)memcpy(memory + LARGEST_PAGE - KNOWN_SIZE, r->args, KNOWN_SIZE);
	}
	return (long)memcpy(memory, r->args, sizeof(r->args));
}

/* Puts what a request names into place. After that it is one system call. */
void ready(struct request *r)
{
	if (r->call == CALL_CLONE3) {
		fill_places(r);
		r->at = args_of(r);
	}
}

long issue(struct request *r)
{
	if (r->call == CALL_CLONE)
		return clone_word(r->args[0], r->args[5], place(r->args[1], r), r->args[7]);
	if (r->call == CALL_UNSHARE)
		return call1(NR_unshare, r->args[0]);
	return create(NR_clone3, r->at, r->size, 0, 0, 0);
}

/* Waits for a child that a request made, if it is ours; a thread is nobody's. */
void reap(long pid)
{
	while (call4(NR_wait4, pid, 0, WALL, 0) == -EINTR)
		;
}

static void work_words(void)
{
	for (unsigned int i = 0; i < shared->count; i++) {
		long ret = clone_word(shared->words[i], 0, (long)&pidfd_place, 0);

		shared->answers[i] = ret > 0 ? 1 : ret;
		if (ret > 0)
			reap(ret);
		shared->done = i + 1;
	}
}

static void work_requests(void)
{
	for (unsigned int i = 0; i < shared->count; i++) {
		struct request *r = &shared->requests[i];

		pidfd_place = -1;
		if (r->setup & SETUP_SIGNALLED) {
			r->result = issue_signalled(r);
		} else {
			r->unprepared = prepare(r);
			ready(r);
			if (!r->unprepared)
				r->result = issue(r);
		}
		if (r->unprepared)
			break;
		r->answered = 1;
		if (r->result > 0)
			reap(r->result);
		shared->done = i + 1;
	}
}

static void work_observation(void)
{
	struct request *r = &shared->requests[0];

	r->unprepared = prepare(r);
	if (r->unprepared)
		return;
	fill_places(r);
	r->seen = observe(r);
	shared->done = 1;
}

/* Runs a worker and waits at most the command's time for it. Answers whether it ended by itself. */
static unsigned int supervise(const struct command *c)
{
	struct pollfd poll = {.events = POLLIN};
	struct timespec patience = {.seconds = c->seconds};
	unsigned int ended = 1;
	long pid = call5(NR_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0) {
		call2(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
		call2(NR_setpgid, 0, 0);
		if (c->op == OP_WORDS)
			work_words();
		else if (c->op == OP_REQUESTS)
			work_requests();
		else
			work_observation();
		call1(NR_exit_group, 0);
	}
	if (pid < 0) {
		shared->no_worker = pid;
		return ANSWER_NO_WORKER;
	}
	poll.fd = call2(NR_pidfd_open, pid, 0);
	if (poll.fd >= 0 && call5(NR_ppoll, (long)&poll, 1, (long)&patience, 0, 0) == 0)
		ended = ANSWER_KILLED;
	call2(NR_kill, pid, SIGKILL);
	call2(NR_kill, -pid, SIGKILL); /* its descendants are of its process group */
	if (poll.fd >= 0)
		call1(NR_close, poll.fd);
	reap(pid);
	while (call4(NR_wait4, -1, 0, WALL | WNOHANG, 0) > 0) /* what it left to us */
		;
	return ended;
}

/* Compilers call it for structures. */
void *memset(void *to, int byte, unsigned long size)
{
	volatile char *at = to;

	while (size--)
		*at++ = byte;
	return to;
}

void *memcpy(void *to, const void *from, unsigned long size)
{
	volatile char *at = to;
	const char *next = from;

	while (size--)
		*at++ = *next++;
	return to;
}

/* stack begins with the number of arguments: an observation executes this program with one more. */
__attribute__((used, noreturn)) void run(long *stack)
{
	unsigned long all_signals = ~0UL;
	struct command c;
	long memory;

	if (*stack > 1)
		be_executed();
	memory = call6(NR_mmap, 0, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
	if (memory < 0 && memory > -4096)
		call1(NR_exit_group, 1);
	shared = (struct shared *)memory;
	call2(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
	call2(NR_prctl, PR_SET_CHILD_SUBREAPER, 1);
	/* for all our processes: a child's exit signal can be any, and many of them kill */
	call4(NR_rt_sigprocmask, SIG_SETMASK, (long)&all_signals, 0, sizeof(all_signals));
	while (call4(NR_read, 0, (long)&c, sizeof(c), 0) == sizeof(c)) {
		unsigned int answer = supervise(&c);

		if (call4(NR_write, 1, (long)&answer, sizeof(answer), 0) != sizeof(answer))
			break;
	}
	call1(NR_exit_group, 0);
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run\n");
#else
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl run\n");
#endif
