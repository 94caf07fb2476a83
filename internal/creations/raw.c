// SPDX-License-Identifier: Apache-2.0
/* Creations by the bare system call. The child ends inside the same asm block and uses
 * registers only, so that any combination of shared memory and stacks is safe. */
#define _GNU_SOURCE
#include "creations.h"

static long create_and_exit(long nr, long a, long b, long c, long d, long e)
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
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
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
			 : "r"(x1), "r"(x2), "r"(x3), "r"(x4), [exit] "i"(SYS_exit)
			 : "memory");
	return x0;
#endif
}

static int ptid, ctid, pidfd = -1;

static uint64_t place_of(const struct raw *r)
{
	return r->pidfd ? r->pidfd : (uintptr_t)&pidfd;
}

/* A copy of the struct that ends where the mapped memory does. */
static long at_edge(const struct args3 *a)
{
	long page = sysconf(_SC_PAGESIZE);
	char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (two == MAP_FAILED)
		return 0;
	munmap(two + page, page);
	return (long)memcpy(two + page - sizeof(*a), a, sizeof(*a));
}

static long create3(const struct raw *r)
{
	struct {
		struct args3 a;
		uint64_t tail;
	} s = {0};
	uint64_t size = r->zero_size ? 0 : r->size ? r->size : sizeof(s.a);

	s.a.flags = r->flags;
	s.a.pidfd = place_of(r);
	s.a.parent_tid = (uintptr_t)&ptid;
	s.a.child_tid = (uintptr_t)&ctid;
	s.a.exit_signal = r->exit_signal;
	s.a.stack = r->stack;
	s.a.stack_size = r->stack_size;
	s.a.tls = r->tls;
	s.a.set_tid = r->set_tid;
	s.a.set_tid_size = r->set_tid_size;
	s.a.cgroup = r->cgroup;
	s.tail = r->tail;
	if (r->at_edge)
		return create_and_exit(SYS_clone3, at_edge(&s.a), size, 0, 0, 0);
	return create_and_exit(SYS_clone3, r->null_args ? 8 : (long)&s, size, 0, 0, 0);
}

long raw_create(const struct raw *r)
{
	long pid;

	if (r->nr == SYS_clone3) {
		pid = create3(r);
	} else {
		long ptr = (r->flags & CLONE_PIDFD) ? (long)place_of(r) : (long)&ptid;
		long word = r->flags | r->exit_signal;

#if defined(__x86_64__)
		pid = create_and_exit(r->nr, word, r->stack, ptr, (long)&ctid, r->tls);
#else
		pid = create_and_exit(r->nr, word, r->stack, ptr, r->tls, (long)&ctid);
#endif
	}
	if (pid > 0 && (r->flags & CLONE_PIDFD))
		close(pidfd);
	return pid;
}

void print_request(const struct raw *r)
{
	const int32_t *set_tid = (const int32_t *)(uintptr_t)r->set_tid;
	const struct {
		uint64_t flags; /* any of these asks for it */
		const char *name;
		uint64_t value;
	} pointers[] = {
	    {CLONE_PIDFD, "pidfd", place_of(r)},
	    {CLONE_PARENT_SETTID, "parent_tid", (uintptr_t)&ptid},
	    {CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, "child_tid", (uintptr_t)&ctid},
	    {CLONE_SETTLS, "tls", r->tls},
	};
	const char *sep = "";

	printf(",\"request\":{");
	for (unsigned i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++)
		if (r->flags & pointers[i].flags) {
			printf("%s\"%s\":\"0x%llx\"", sep, pointers[i].name,
			       (unsigned long long)pointers[i].value);
			sep = ",";
		}
	if (r->flags & CLONE_INTO_CGROUP) {
		printf("%s\"cgroup_fd\":%llu", sep, (unsigned long long)r->cgroup);
		sep = ",";
	}
	if (r->set_tid_size) {
		printf("%s\"set_tid_size\":%llu,\"set_tid\":[", sep, (unsigned long long)r->set_tid_size);
		for (uint64_t i = 0; i < r->set_tid_size; i++)
			printf("%s%d", i ? "," : "", set_tid[i]);
		printf("]");
	}
	printf("}");
}

void reap(long pid)
{
	if (pid > 0)
		while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
			;
}
