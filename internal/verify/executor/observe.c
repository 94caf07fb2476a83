// SPDX-License-Identifier: Apache-2.0
/*
 * What flags mean after the creation, seen from the creator and the child. An observation makes
 * the request, with a child that runs C here, and says whether what it looks for is there. It
 * says so whatever the flags are: package verify knows what is promised.
 */
#include "observe.h"

static char stack[65536] __attribute__((aligned(16)));
int hold[2], alive[2];

long *cells(void)
{
	return (long *)shared->cells;
}

/* Makes the call; the child calls run and exits, on the stack that it was given or on its copy. */
static long create_running(long nr, long first, long second, struct request *r, child *run)
{
#if defined(__x86_64__)
	long ret;
	register child *to __asm__("r12") = run;
	register struct request *with __asm__("r13") = r;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "and $-16, %%rsp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "mov %[exit], %%eax\n\t"
			 "mov $42, %%edi\n\t"
			 "syscall\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "0"(nr), "D"(first), "S"(second), "r"(to), "r"(with), [exit] "i"(NR_exit)
			 : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory");
	return ret;
#else
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = first;
	register long x1 __asm__("x1") = second;
	register child *to __asm__("x20") = run;
	register struct request *with __asm__("x21") = r;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x29, #0\n\t"
			 "mov x0, x21\n\t"
			 "blr x20\n\t"
			 "mov x8, %[exit]\n\t"
			 "mov x0, #42\n\t"
			 "svc #0\n"
			 "1:"
			 : "+r"(x0), "+r"(x8)
			 : "r"(x1), "r"(to), "r"(with), [exit] "i"(NR_exit)
			 : "x2", "x3", "x4", "x5", "x6", "x7", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
			   "x16", "x17", "x30", "memory");
	return x0;
#endif
}

static void pause_for_ever(struct request *r)
{
	(void)r;
	call2(NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
	call5(NR_ppoll, 0, 0, 0, 0, 0);
}

/* Makes a child that shares what the flags say, and stays. */
long run_beside(unsigned long flags)
{
	long pid = create_running(NR_clone, flags, (long)stack + sizeof(stack), 0, pause_for_ever);

	return pid < 0 ? pid : 0;
}

long spawn(struct request *r, child *run)
{
	if (call2(NR_pipe2, (long)hold, O_CLOEXEC) || call2(NR_pipe2, (long)alive, O_CLOEXEC))
		return -EBADF;
	if (r->args[0] & CLONE_VM) {
		r->args[5] = (unsigned long)stack;
		r->args[6] = sizeof(stack);
	}
	pidfd_place = parent_place = child_place = -1;
	r->result = create_running(NR_clone3, (long)r->args, r->size, r, run);
	r->answered = 1;
	if (!(r->args[0] & CLONE_FILES))
		call1(NR_close, alive[1]);
	return r->result;
}

void wait_held(void)
{
	char byte;

	call4(NR_read, hold[0], (long)&byte, 1, 0);
}

void release(void)
{
	call4(NR_write, hold[1], (long)"", 1, 0);
}

long poll_one(int fd, long milliseconds)
{
	struct pollfd poll = {.fd = fd, .events = POLLIN};
	struct timespec t = {milliseconds / SECOND, milliseconds % SECOND * MILLISECOND};

	return call5(NR_ppoll, (long)&poll, 1, (long)&t, 0, 0) == 1 ? poll.revents : 0;
}

/* Waits for the end of a child and returns its status as waitpid gives it, or an error. */
long wait_end(long pid)
{
	int status = 0;
	long ret;

	do
		ret = call4(NR_wait4, pid, (long)&status, WALL, 0);
	while (ret == -EINTR);
	return ret < 0 ? ret : status;
}

void sleep_ms(long milliseconds)
{
	struct timespec t = {milliseconds / SECOND, milliseconds % SECOND * MILLISECOND};

	call5(NR_ppoll, 0, 0, (long)&t, 0, 0);
}

int same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* Two of two is yes, one of two neither. */
long both(int a, int b)
{
	return a != b ? SEEN_OTHER : a ? SEEN_YES : SEEN_NO;
}

/* Runs a child to its end. */
long run_child(struct request *r, child *run)
{
	long pid = spawn(r, run);

	if (pid < 0)
		return pid;
	pid = wait_end(pid);
	return pid < 0 ? pid : 0;
}

void held(struct request *r)
{
	(void)r;
	wait_held();
}

void nothing(struct request *r)
{
	(void)r;
}

static const struct {
	const char *name;
	long (*see)(struct request *r);
} observations[] = {
    {"files", see_files},
    {"fs", see_fs},
    {"memory", see_memory},
    {"handlers", see_handlers},
    {"cleared", see_cleared},
    {"exit-signal", see_exit_signal},
    {"sibling", see_sibling},
    {"pidfd", see_pidfd},
    {"suspended", see_suspended},
    {"resumed", see_resumed},
    {"member-killed", see_member_killed},
    {"init", see_init},
    {"tid", see_tid},
    {"thread", see_thread},
    {"parent-tid", see_parent_tid},
    {"child-tid", see_child_tid},
    {"cleared-tid", see_cleared_tid},
    {"tls", see_tls},
    {"undo", see_undo},
    {"io", see_io},
    {"no-new-privs", see_no_new_privs},
    {"autoreaped", see_autoreaped},
    {"autokilled", see_autokilled},
    {"cgroup", see_cgroup},
    {"life", see_life},
    {"cgroup-ns", see_cgroup_ns},
    {"ipc-ns", see_ipc_ns},
    {"mnt-ns", see_mnt_ns},
    {"empty-root", see_empty_root},
    {"net-ns", see_net_ns},
    {"pid-ns", see_pid_ns},
    {"time-ns", see_time_ns},
    {"user-ns", see_user_ns},
    {"uts-ns", see_uts_ns},
    {"clock", see_clock},
};

long observe(struct request *r)
{
	for (unsigned int i = 0; i < sizeof(observations) / sizeof(*observations); i++)
		if (same(observations[i].name, shared->observe))
			return observations[i].see(r);
	return -EBADF;
}
