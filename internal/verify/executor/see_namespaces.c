// SPDX-License-Identifier: Apache-2.0
/* Whether a child is in a namespace of its own, and what that keeps apart. */
#include "observe.h"

#define QUEUE_KEY 0x666f726b

static char creators_ns[64]; /* what the creator's namespace is called */

static void read_ns(const char *path, char *to)
{
	long length = call4(NR_readlinkat, AT_FDCWD, (long)path, (long)to, sizeof(creators_ns) - 1);

	to[length > 0 ? length : 0] = 0;
}

/* Says whether this process is in another namespace than its creator: if not, it must not change anything. */
static int apart(const char *path)
{
	char own[64];

	read_ns(path, own);
	return *own && !same(own, creators_ns);
}

/* Runs a child that leaves whether it is apart in cell 0, and what that keeps apart in cell 1. */
static long see_ns(struct request *r, const char *path, child *look)
{
	long ret;

	read_ns(path, creators_ns);
	if (!*creators_ns)
		return -EBADF;
	ret = run_child(r, look);
	return ret < 0 ? ret : both(cells()[0], cells()[1]);
}

#define CGROUP_NS "/proc/thread-self/ns/cgroup"
#define IPC_NS	  "/proc/thread-self/ns/ipc"
#define MNT_NS	  "/proc/thread-self/ns/mnt"
#define NET_NS	  "/proc/thread-self/ns/net"
#define PID_NS	  "/proc/thread-self/ns/pid"
#define TIME_NS	  "/proc/thread-self/ns/time"
#define USER_NS	  "/proc/thread-self/ns/user"
#define UTS_NS	  "/proc/thread-self/ns/uts"

static void in_cgroup_ns(struct request *r)
{
	(void)r;
	cells()[0] = cells()[1] = apart(CGROUP_NS);
}

long see_cgroup_ns(struct request *r)
{
	return see_ns(r, CGROUP_NS, in_cgroup_ns);
}

static void in_ipc_ns(struct request *r)
{
	(void)r;
	cells()[0] = apart(IPC_NS);
	if (cells()[0] && call2(NR_msgget, QUEUE_KEY, IPC_CREAT | IPC_EXCL | 0600) >= 0)
		cells()[1] = SEEN_YES;
}

long see_ipc_ns(struct request *r)
{
	long ret = see_ns(r, IPC_NS, in_ipc_ns);

	return ret == SEEN_YES && call2(NR_msgget, QUEUE_KEY, 0) >= 0 ? SEEN_OTHER : ret;
}

static void in_mnt_ns(struct request *r)
{
	(void)r;
	cells()[0] = apart(MNT_NS);
	if (cells()[0] && call5(NR_mount, 0, (long)"/", 0, MS_PRIVATE_ALL, 0) == 0 &&
	    call5(NR_mount, (long)"none", (long)"/proc", (long)"tmpfs", 0, 0) == 0)
		cells()[1] = call4(NR_openat, AT_FDCWD, (long)"/proc/self/status", O_RDONLY, 0) < 0;
}

long see_mnt_ns(struct request *r)
{
	long ret = see_ns(r, MNT_NS, in_mnt_ns);

	return ret == SEEN_YES && call4(NR_openat, AT_FDCWD, (long)"/proc/self/status", O_RDONLY, 0) < 0
		   ? SEEN_OTHER
		   : ret;
}

static void in_root(struct request *r)
{
	(void)r;
	cells()[0] = call4(NR_openat, AT_FDCWD, (long)"/proc/self/status", O_RDONLY, 0) < 0;
}

long see_empty_root(struct request *r)
{
	long ret = run_child(r, in_root);

	return ret < 0 ? ret : cells()[0];
}

struct address {
	unsigned short family;
	char name[10]; /* abstract: begins with 0; the socket's number in this process is enough */
};

static int address_length = sizeof(struct address);
static struct address address = {1 /* AF_UNIX */, {0, 'f', 'o', 'r', 'k', 't', 'r', 'a', 'c', 'e'}};

static void in_net_ns(struct request *r)
{
	long fd = call4(NR_socket, address.family, 1 /* SOCK_STREAM */, 0, 0);

	(void)r;
	cells()[0] = apart(NET_NS);
	cells()[1] = call4(NR_connect, fd, (long)&address, address_length, 0) != 0;
}

long see_net_ns(struct request *r)
{
	long fd = call4(NR_socket, address.family, 1, 0, 0), ret;

	ret = call4(NR_bind, fd, (long)&address, 2, 0); /* the kernel chooses a name */
	if (ret == 0)
		ret = call4(NR_getsockname, fd, (long)&address, (long)&address_length, 0);
	if (ret == 0)
		ret = call2(NR_listen, fd, 1);
	return ret ? ret : see_ns(r, NET_NS, in_net_ns);
}

static void in_pid_ns(struct request *r)
{
	(void)r;
	cells()[0] = apart(PID_NS);
	cells()[1] = call0(NR_getpid) == 1;
}

long see_pid_ns(struct request *r)
{
	return see_ns(r, PID_NS, in_pid_ns);
}

static void in_time_ns(struct request *r)
{
	(void)r;
	cells()[0] = cells()[1] = apart(TIME_NS);
}

long see_time_ns(struct request *r)
{
	return see_ns(r, TIME_NS, in_time_ns);
}

static void in_user_ns(struct request *r)
{
	unsigned int header[2] = {0x20080522, 0}, data[6] = {0};

	(void)r;
	call2(NR_capget, (long)header, (long)data);
	cells()[0] = apart(USER_NS);
	/* no id has a mapping, and the child has all capabilities */
	cells()[1] = call0(NR_getuid) == NOBODY && data[0] >> CAP_SYS_ADMIN & 1;
}

long see_user_ns(struct request *r)
{
	return see_ns(r, USER_NS, in_user_ns);
}

struct names {
	char system[65], node[65], rest[4][65];
};

static void in_uts_ns(struct request *r)
{
	struct names names;

	(void)r;
	cells()[0] = apart(UTS_NS);
	if (cells()[0] && call2(NR_sethostname, (long)"forktrace-verify", 16) == 0 &&
	    call1(NR_uname, (long)&names) == 0)
		cells()[1] = same(names.node, "forktrace-verify");
}

long see_uts_ns(struct request *r)
{
	struct names names;
	long ret = see_ns(r, UTS_NS, in_uts_ns);

	call1(NR_uname, (long)&names);
	return ret == SEEN_YES && same(names.node, "forktrace-verify") ? SEEN_OTHER : ret;
}

static void tell_clock(struct request *r)
{
	struct timespec now = {0};

	(void)r;
	call2(NR_clock_gettime, CLOCK_MONOTONIC, (long)&now);
	cells()[0] = now.seconds;
}

/* The child's clock is the one of the namespace for children, 1,000,000 s ahead. */
long see_clock(struct request *r)
{
	struct timespec now = {0};
	long ret = run_child(r, tell_clock), ahead;

	if (ret < 0)
		return ret;
	call2(NR_clock_gettime, CLOCK_MONOTONIC, (long)&now);
	ahead = cells()[0] - now.seconds;
	return ahead > 999000 ? SEEN_YES : ahead > -1000 && ahead <= 0 ? SEEN_NO : SEEN_OTHER;
}
