// SPDX-License-Identifier: Apache-2.0
/* Creations through the 32-bit interface, whose numbers and argument order are others. */
#define _GNU_SOURCE
#include "creations.h"

#ifdef __x86_64__
static long create_and_exit32(long nr, long flags)
{
	long ret;

	__asm__ volatile("int $0x80\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "mov $1, %%eax\n\t" /* exit */
			 "xor %%ebx, %%ebx\n\t"
			 "int $0x80\n\t"
			 "ud2\n"
			 "1:"
			 : "=a"(ret)
			 : "0"(nr), "b"(flags), "c"(0), "d"(0), "S"(0), "D"(0)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

static void no_compat(int sig)
{
	static const char line[] = "{\"case\":\"int 0x80\",\"unexpected\":-38,\"want\":0}\n";

	(void)sig;
	_exit(write(1, line, sizeof(line) - 1) < 0);
}

void group_compat(void)
{
	static const struct {
		long nr; /* arch/x86/entry/syscalls/syscall_32.tbl */
		const char *entry, *kind;
		uint64_t flags;
	} calls[] = {
	    {2, "fork", "process", 0},
	    {120, "clone", "process", CLONE_FS | CLONE_FILES},
	    {190, "vfork", "vfork", CLONE_VFORK | CLONE_VM},
	};

	signal(SIGSEGV, no_compat); /* a kernel without the interface */
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		long flags = calls[i].nr == 120 ? (long)(calls[i].flags | SIGCHLD) : 0;
		long pid = create_and_exit32(calls[i].nr, flags);

		expect(&(struct expect){.name = calls[i].entry,
					.entry = calls[i].entry,
					.kind = calls[i].kind,
					.flags = calls[i].flags,
					.flags_known = 1,
					.exit_signal = SIGCHLD,
					.result = pid,
					.tid = getpid(),
					.shares = 1});
		reap(pid);
	}
	signal(SIGSEGV, SIG_DFL);
}
#else
void group_compat(void)
{
}
#endif
