/* SPDX-License-Identifier: Apache-2.0 */
/* What the executor shares with package verify (wire.go), and the system calls it needs. */
#ifndef EXECUTOR_H
#define EXECUTOR_H

#define SHARED_FD    3
#define MAX_WORDS    65536
#define MAX_REQUESTS 1024
#define BAD_ADDRESS  8

enum { OP_WORDS = 1, OP_REQUESTS };
enum { ANSWER_ENDED = 1, ANSWER_KILLED, ANSWER_NO_WORKER };
enum { CALL_CLONE = 1, CALL_CLONE3 };
enum { PLACE_PIDFD = 1, PLACE_PARENT, PLACE_CHILD, PLACE_TIDS };
enum { SETUP_USER = 1, SETUP_TIME = 2, SETUP_PID = 4, SETUP_CHROOT = 8, SETUP_NPROC = 16 };

struct command {
	unsigned int op;
	unsigned int seconds;
};

struct request {
	/* struct clone_args and 8 bytes behind it; of clone: [0] word, [1] parent_tid, [5] stack, [7] tls */
	unsigned long args[12];
	unsigned long size;
	int tids[4];
	unsigned int call, setup, bad_args, answered;
	long result;
};

struct shared {
	unsigned int count, done;
	unsigned int words[MAX_WORDS];
	short answers[MAX_WORDS];
	struct request requests[MAX_REQUESTS];
};

struct pollfd {
	int fd;
	short events, revents;
};

struct timespec {
	long seconds, nanoseconds;
};

#define EINTR		       4
#define SIG_SETMASK	       2
#define SIGKILL		       9
#define SIGCHLD		       17
#define POLLIN		       1
#define WNOHANG		       1
#define WALL		       0x40000000
#define CLONE_NEWTIME	       0x80
#define CLONE_NEWPID	       0x20000000
#define RLIMIT_NPROC	       6
#define NOBODY		       65534
#define PROT_READ	       1
#define PROT_WRITE	       2
#define MAP_SHARED	       1
#define PR_SET_PDEATHSIG       1
#define PR_SET_CHILD_SUBREAPER 36

#if defined(__x86_64__)
enum {
	NR_read = 0,
	NR_write = 1,
	NR_close = 3,
	NR_mmap = 9,
	NR_clone = 56,
	NR_exit = 60,
	NR_wait4 = 61,
	NR_kill = 62,
	NR_rt_sigprocmask = 14,
	NR_setresuid = 117,
	NR_setresgid = 119,
	NR_prctl = 157,
	NR_chroot = 161,
	NR_exit_group = 231,
	NR_ppoll = 271,
	NR_unshare = 272,
	NR_prlimit64 = 302,
};
#else
enum {
	NR_chroot = 51,
	NR_close = 57,
	NR_read = 63,
	NR_write = 64,
	NR_ppoll = 73,
	NR_exit = 93,
	NR_exit_group = 94,
	NR_unshare = 97,
	NR_kill = 129,
	NR_rt_sigprocmask = 135,
	NR_setresuid = 147,
	NR_setresgid = 149,
	NR_prctl = 167,
	NR_clone = 220,
	NR_mmap = 222,
	NR_wait4 = 260,
	NR_prlimit64 = 261,
};
#endif
enum { NR_pidfd_open = 434, NR_clone3 = 435 };

static inline long call6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#else
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
#endif
}

#define call5(nr, a, b, c, d, e) call6(nr, a, b, c, d, e, 0)
#define call4(nr, a, b, c, d)	 call6(nr, a, b, c, d, 0, 0)
#define call2(nr, a, b)		 call6(nr, a, b, 0, 0, 0, 0)

#endif
