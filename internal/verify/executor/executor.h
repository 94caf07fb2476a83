/* SPDX-License-Identifier: Apache-2.0 */
/* What the executor shares with package verify (executor.go), and its parts with each other. */
#ifndef EXECUTOR_H
#define EXECUTOR_H
#include "system.h"

#define SHARED_FD    3
#define MAX_WORDS    65536
#define MAX_REQUESTS 1024
#define MAX_PATH     256
#define BAD_ADDRESS  8
#define LARGEST_PAGE 65536
#define NOBODY	     65534
#define STRANGER     4000000017 /* a user who has no process */

enum { OP_WORDS = 1, OP_REQUESTS, OP_OBSERVE };
enum { ANSWER_ENDED = 1, ANSWER_KILLED, ANSWER_NO_WORKER };
enum { CALL_CLONE = 1, CALL_CLONE3, CALL_UNSHARE };
enum { ARGS_GOOD, ARGS_BAD, ARGS_AT_EDGE }; /* in place; at no address; before memory that is not there */
enum { PLACE_PIDFD = 1, PLACE_PARENT, PLACE_CHILD, PLACE_TIDS, PLACE_CGROUP };
/* What an observation comes to; a negative number is the error for which it cannot be made. */
enum { SEEN_NO, SEEN_YES, SEEN_OTHER };

/* The last of the setups, which is none of the state: a signal is pending. */
#define SETUP_SIGNALLED (1U << 27)

struct command {
	unsigned int op;
	unsigned int seconds;
};

struct request {
	/* struct clone_args and 8 bytes behind it; of unshare: [0] flags; of clone: [0] word, [1] parent_tid,
	 * [5] stack, [7] tls */
	unsigned long args[12];
	unsigned long size;
	int tids[4];
	unsigned int call, setup, where, answered;
	long result;
	long unprepared; /* the error for which the creator could not be brought into the state */
	long seen;
	long at; /* where the structure is */
};

struct shared {
	unsigned int count, done;
	unsigned int words[MAX_WORDS];
	short answers[MAX_WORDS];
	struct request requests[MAX_REQUESTS];
	long no_worker;		/* the error for which there is no worker */
	char observe[32];	/* the observation's name */
	char cgroup[MAX_PATH];	/* directory of a cgroup */
	volatile long cells[4]; /* between creator and child */
};

extern struct shared *shared;
extern int pidfd_place, parent_place, child_place;

/* executor.c */
long create(long nr, long a, long b, long c, long d, long e);
void ready(struct request *r);
long issue(struct request *r);
void fill_places(struct request *r);
void reap(long pid);

/* signalled.c */
long issue_signalled(struct request *r);

/* prepare.c: brings this process into a state, or goes on in another one that is. */
long prepare(struct request *r);
long fork_plain(void);
long write_file(const char *path, const char *text);
const char *join(char *to, const char *a, const char *b);

/* observe.c */
long observe(struct request *r);
long run_beside(unsigned long flags);
void be_executed(void);

#endif
