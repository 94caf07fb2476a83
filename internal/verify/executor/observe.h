/* SPDX-License-Identifier: Apache-2.0 */
/* What the observations have in common, and their names. */
#ifndef OBSERVE_H
#define OBSERVE_H
#include "executor.h"

#define MILLISECOND 1000000
#define SECOND	    1000

typedef void child(struct request *r);

/* the child waits for a byte of hold; it has alive open until it is gone */
extern int hold[2], alive[2];

long *cells(void);
long spawn(struct request *r, child *run);
long run_child(struct request *r, child *run);
long wait_end(long pid);
long poll_one(int fd, long milliseconds);
void wait_held(void);
void release(void);
void held(struct request *r);
void nothing(struct request *r);
void sleep_ms(long milliseconds);
int same(const char *a, const char *b);
long both(int a, int b);

long see_files(struct request *r);
long see_fs(struct request *r);
long see_memory(struct request *r);
long see_handlers(struct request *r);
long see_cleared(struct request *r);
long see_exit_signal(struct request *r);
long see_sibling(struct request *r);
long see_pidfd(struct request *r);
long see_suspended(struct request *r);
long see_resumed(struct request *r);
long see_member_killed(struct request *r);
long see_init(struct request *r);
long see_tid(struct request *r);
long see_thread(struct request *r);
long see_parent_tid(struct request *r);
long see_child_tid(struct request *r);
long see_cleared_tid(struct request *r);
long see_tls(struct request *r);
long see_undo(struct request *r);
long see_io(struct request *r);
long see_no_new_privs(struct request *r);
long see_autoreaped(struct request *r);
long see_autokilled(struct request *r);
long see_cgroup(struct request *r);
long see_life(struct request *r);
long see_cgroup_ns(struct request *r);
long see_ipc_ns(struct request *r);
long see_mnt_ns(struct request *r);
long see_empty_root(struct request *r);
long see_net_ns(struct request *r);
long see_pid_ns(struct request *r);
long see_time_ns(struct request *r);
long see_user_ns(struct request *r);
long see_uts_ns(struct request *r);
long see_clock(struct request *r);

#endif
