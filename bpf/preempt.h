/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The kernel does not run a BPF program for a second task while it is in the middle of
 * running it for a first one on the same CPU: what the second did is missed, and only
 * counted (recursion_misses). Trampolines can be preempted like that on all kernels,
 * tracepoints on 7.2 and 7.3. So programs keep the CPU to themselves while they work,
 * where the kernel lets them (6.10). A preemption that falls due meanwhile still comes
 * before the kernel counts the program as done: what is then missed is reported.
 */
#ifndef FORKTRACE_PREEMPT_H
#define FORKTRACE_PREEMPT_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

extern void bpf_preempt_disable(void) __ksym __weak;
extern void bpf_preempt_enable(void) __ksym __weak;

static __always_inline void preempt_off(void)
{
	if (bpf_preempt_disable)
		bpf_preempt_disable();
}

static __always_inline void preempt_on(void)
{
	if (bpf_preempt_enable)
		bpf_preempt_enable();
}

/* Evaluates a call with preemption off. */
#define UNPREEMPTED(call)                                                                                    \
	({                                                                                                   \
		int __ret;                                                                                   \
		preempt_off();                                                                               \
		__ret = (call);                                                                              \
		preempt_on();                                                                                \
		__ret;                                                                                       \
	})

#endif
