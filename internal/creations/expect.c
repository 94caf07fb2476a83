// SPDX-License-Identifier: Apache-2.0
/* Prints expectations. What a flag promises is written down here a second time, on
 * purpose: from the manual's side, not from the tracer's tables. */
#define _GNU_SOURCE
#include "creations.h"

static const struct promise {
	const char *object;
	uint64_t shared_if;   /* any of these: the same object */
	uint64_t separate_if; /* any of these: another object; without any: the same */
} promises[] = {
    {"mm", CLONE_VM, 0},
    {"fs", CLONE_FS, 0},
    {"files", CLONE_FILES, 0},
    {"sighand", CLONE_SIGHAND, 0},
    {"signal", CLONE_THREAD, 0},
    {"thread_group", CLONE_THREAD, 0},
    {"real_parent", CLONE_THREAD | CLONE_PARENT, 0},
    {"mnt_ns", 0, CLONE_NEWNS},
    {"uts_ns", 0, CLONE_NEWUTS},
    {"ipc_ns", 0, CLONE_NEWIPC},
    {"net_ns", 0, CLONE_NEWNET},
    {"cgroup_ns", 0, CLONE_NEWCGROUP},
    {"time_ns_for_children", 0, CLONE_NEWTIME},
    {"pid_ns", 0, CLONE_NEWPID},
    {"user_ns", 0, CLONE_NEWUSER},
};

/* Who we are: the creator of every expectation is the process that prints it. */
static void print_creator(void)
{
	char comm[17] = "";

	prctl(PR_GET_NAME, comm);
	printf(",\"creator\":{\"pid\":%d,\"ppid\":%d,\"uid\":%u,\"gid\":%u,\"comm\":\"%s\"}", getpid(),
	       getppid(), getuid(), getgid(), comm);
}

void expect(const struct expect *e)
{
	const char *sep = "";

	printf("{\"case\":\"%s\",\"entry\":\"%s\",\"tid\":%ld,\"result\":%ld", e->name, e->entry, e->tid,
	       e->result);
	if (e->kind)
		printf(",\"kind\":\"%s\"", e->kind);
	if (e->layer)
		printf(",\"layer\":\"%s\"", e->layer);
	if (e->call)
		printf(",\"call\":\"%s\"", e->call);
	if (e->flags_known)
		printf(",\"flags\":\"0x%llx\"", (unsigned long long)e->flags);
	if (e->exit_signal >= 0)
		printf(",\"exit_signal\":%d", e->exit_signal);
	print_creator();
	if (e->raw && e->flags_known)
		print_request(e->raw);
	if (e->shares && e->result > 0) {
		printf(",\"shares\":{");
		for (unsigned i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
			const struct promise *p = &promises[i];
			int same = p->shared_if ? !!(e->flags & p->shared_if) : !(e->flags & p->separate_if);

			printf("%s\"%s\":%s", sep, p->object, same ? "true" : "false");
			sep = ",";
		}
		printf("}");
	}
	printf("}\n");
}
