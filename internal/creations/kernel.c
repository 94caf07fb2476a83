// SPDX-License-Identifier: Apache-2.0
/* Makes the kernel create tasks of its own. */
#define _GNU_SOURCE
#include "creations.h"
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

/* io_uring with a polling thread: create_io_thread, in the caller's thread group. */
static void io_worker(void)
{
	struct io_uring_params p = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 10};
	int fd = syscall(SYS_io_uring_setup, 4, &p);

	printf("{\"case\":\"io "
	       "worker\",\"entry\":\"io_worker\",\"kind\":\"io_worker\",\"tid\":%d,\"flags\":\"0x80810f00\","
	       "\"function\":\"io_sq_thread\","
	       "\"errno\":%d}\n",
	       getpid(), fd < 0 ? errno : 0);
	if (fd >= 0)
		close(fd);
}

/* A key that nobody has: the kernel runs /sbin/request-key through a user-mode helper. */
static void user_mode_helper(void)
{
	long key = syscall(SYS_request_key, "user", "forktrace:test", "test", -3 /* session keyring */);

	printf("{\"case\":\"user-mode "
	       "helper\",\"entry\":\"user_mode_helper\",\"kind\":\"user_mode_helper\",\"function\":\"call_"
	       "usermodehelper_exec_async\",\"errno\":%d}\n",
	       key < 0 ? errno : 0);
}

/* A pressure trigger is polled by a kernel thread (psimon, 5.2), if its owner has CAP_SYS_RESOURCE. */
static int pressure_trigger(void)
{
	static const char trigger[] = "some 500000 1000000";
	int fd = open("/proc/pressure/memory", O_RDWR | O_NONBLOCK);

	if (fd < 0)
		return errno;
	return write(fd, trigger, sizeof(trigger)) < 0 ? errno : 0;
}

/* A tap device in a network namespace of its own, whose packets a kernel thread polls for (napi, 5.12). */
static int threaded_tap(void)
{
	struct ifreq ifr = {.ifr_name = "ft0", .ifr_flags = IFF_TAP | IFF_NAPI | IFF_NO_PI};
	int tun, threaded;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL))
		return errno;
	tun = open("/dev/net/tun", O_RDWR);
	if (tun < 0 || ioctl(tun, TUNSETIFF, &ifr) < 0)
		return errno;
	threaded = open("/sys/class/net/ft0/threaded", O_WRONLY);
	if (threaded < 0)
		return errno;
	return write(threaded, "1", 1) < 0 ? errno : 0;
}

static void kernel_thread(void)
{
	const char *function = "psi_"; /* psi_poll_worker; from 6.4 on psi_rtpoll_worker */
	int err = pressure_trigger();

	if (err) {
		function = "napi_threaded_poll";
		err = threaded_tap();
	}
	printf("{\"case\":\"kernel "
	       "thread\",\"entry\":\"kernel_thread\",\"kind\":\"kernel_thread\",\"flags\":\"0x800700\","
	       "\"function\":\"%s\","
	       "\"errno\":%d}\n",
	       function, err);
	usleep(100000);
}

int run_kernel(void)
{
	io_worker();
	user_mode_helper();
	kernel_thread();
	return 0;
}
