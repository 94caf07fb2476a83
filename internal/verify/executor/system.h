/* SPDX-License-Identifier: Apache-2.0 */
/* What the executor needs of the kernel's interface: there is no C library. */
#ifndef SYSTEM_H
#define SYSTEM_H

struct pollfd {
	int fd;
	short events, revents;
};

struct timespec {
	long seconds, nanoseconds;
};

struct sigaction {
	unsigned long handler, flags, restorer, mask;
};

struct siginfo {
	int signo, error, code, pad, pid, uid, status;
	int rest[25];
};

#define AT_FDCWD	       -100
#define AT_REMOVEDIR	       0x200
#define BE_LEVEL_5	       (2 << 13 | 5)
#define CAP_SYS_ADMIN	       21
#define CLD_EXITED	       1
#define CLOCK_MONOTONIC	       1
#define CLONE_FILES	       0x400
#define CLONE_AUTOREAP	       0x400000000
#define CLONE_NEWIPC	       0x8000000
#define CLONE_NEWPID	       0x20000000
#define CLONE_NEWTIME	       0x80
#define CLONE_NEWUSER	       0x10000000
#define CLONE_PIDFD	       0x1000
#define CLONE_SIGHAND	       0x800
#define CLONE_THREAD	       0x10000
#define CLONE_VFORK	       0x4000
#define CLONE_VM	       0x100
#define EBADF		       9
#define ECHILD		       10
#define EFAULT		       14
#define EINTR		       4
#define EINVAL		       22
#define FD_CLOEXEC	       1
#define FUTEX_WAIT	       0
#define F_GETFD		       1
#define IPC_CREAT	       0x200
#define IPC_EXCL	       0x400
#define IPC_RMID	       0
#define IPC_VALUE	       12
#define MAP_PRIVATE_ZERO       0x22 /* MAP_PRIVATE | MAP_ANONYMOUS */
#define MAP_SHARED	       1
#define MS_PRIVATE_ALL	       (1 << 18 | 1 << 14)
#define O_CLOEXEC	       0x80000
#define O_RDONLY	       0
#define O_WRONLY	       1
#define POLLHUP		       0x10
#define POLLIN		       1
#define PROT_READ	       1
#define PROT_WRITE	       2
#define PR_GET_NO_NEW_PRIVS    39
#define PR_SET_CHILD_SUBREAPER 36
#define PR_SET_DUMPABLE	       4
#define PR_SET_PDEATHSIG       1
#define PTRACE_GET_INFO	       0x420e /* PTRACE_GET_SYSCALL_INFO */
#define PTRACE_INFO_EXIT       2
#define PTRACE_OPTIONS	       (1 << 20 | 1) /* PTRACE_O_EXITKILL, PTRACE_O_TRACESYSGOOD */
#define PTRACE_SETOPTIONS      0x4200
#define PTRACE_SYSCALL	       24
#define PTRACE_TRACEME	       0
#define P_PIDFD		       3
#define RLIMIT_NOFILE	       7
#define RLIMIT_NPROC	       6
#define SCHED_DEADLINE	       6
#define SEM_UNDO	       0x1000
#define SIGCHLD		       17
#define SIGKILL		       9
#define SIGUSR1		       10
#define SIGSTOP		       19
#define SIGUSR2		       12
#define SIG_DFL		       0
#define SIG_IGN		       1
#define SIG_SETMASK	       2
#define SIG_UNBLOCK	       1
#define WALL		       0x40000000
#define WEXITED		       4
#define WNOHANG		       1
#define WNOWAIT		       0x1000000
#if defined(__x86_64__)
#define O_PATH_DIRECTORY 0x210000
#define NUMBER(x86, arm) x86
#else
#define O_PATH_DIRECTORY 0x204000
#define NUMBER(x86, arm) arm
#endif

enum {
	NR_read = NUMBER(0, 63),
	NR_write = NUMBER(1, 64),
	NR_close = NUMBER(3, 57),
	NR_mmap = NUMBER(9, 222),
	NR_munmap = NUMBER(11, 215),
	NR_rt_sigaction = NUMBER(13, 134),
	NR_rt_sigprocmask = NUMBER(14, 135),
	NR_getpid = NUMBER(39, 172),
	NR_socket = NUMBER(41, 198),
	NR_connect = NUMBER(42, 203),
	NR_bind = NUMBER(49, 200),
	NR_listen = NUMBER(50, 201),
	NR_getsockname = NUMBER(51, 204),
	NR_clone = NUMBER(56, 220),
	NR_execve = NUMBER(59, 221),
	NR_exit = NUMBER(60, 93),
	NR_wait4 = NUMBER(61, 260),
	NR_kill = NUMBER(62, 129),
	NR_uname = NUMBER(63, 160),
	NR_semget = NUMBER(64, 190),
	NR_semop = NUMBER(65, 193),
	NR_semctl = NUMBER(66, 191),
	NR_msgget = NUMBER(68, 186),
	NR_fcntl = NUMBER(72, 25),
	NR_getcwd = NUMBER(79, 17),
	NR_chdir = NUMBER(80, 49),
	NR_umask = NUMBER(95, 166),
	NR_ptrace = NUMBER(101, 117),
	NR_getuid = NUMBER(102, 174),
	NR_setpgid = NUMBER(109, 154),
	NR_getppid = NUMBER(110, 173),
	NR_setgroups = NUMBER(116, 159),
	NR_setresuid = NUMBER(117, 147),
	NR_setresgid = NUMBER(119, 149),
	NR_getgid = NUMBER(104, 176),
	NR_capget = NUMBER(125, 90),
	NR_rt_sigtimedwait = NUMBER(128, 137),
	NR_prctl = NUMBER(157, 167),
	NR_arch_prctl = NUMBER(158, -1),
	NR_chroot = NUMBER(161, 51),
	NR_mount = NUMBER(165, 40),
	NR_sethostname = NUMBER(170, 161),
	NR_gettid = NUMBER(186, 178),
	NR_futex = NUMBER(202, 98),
	NR_clock_gettime = NUMBER(228, 113),
	NR_exit_group = NUMBER(231, 94),
	NR_waitid = NUMBER(247, 95),
	NR_ioprio_set = NUMBER(251, 30),
	NR_ioprio_get = NUMBER(252, 31),
	NR_openat = NUMBER(257, 56),
	NR_unlinkat = NUMBER(263, 35),
	NR_readlinkat = NUMBER(267, 78),
	NR_ppoll = NUMBER(271, 73),
	NR_unshare = NUMBER(272, 97),
	NR_dup3 = NUMBER(292, 24),
	NR_pipe2 = NUMBER(293, 59),
	NR_prlimit64 = NUMBER(302, 261),
	NR_setns = NUMBER(308, 268),
	NR_sched_setattr = NUMBER(314, 274),
	NR_pidfd_open = 434,
	NR_clone3 = 435,
};

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
#define call1(nr, a)		 call6(nr, a, 0, 0, 0, 0, 0)
#define call0(nr)		 call6(nr, 0, 0, 0, 0, 0, 0)

#endif
