/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Where the registers are that current had when it entered the kernel. */
#ifndef FORKTRACE_REGS_H
#define FORKTRACE_REGS_H

#include "drift.h"
#include <bpf/bpf_helpers.h>

/*
 * Up to 5.14 no helper tells: they are at the end of the kernel stack, whose size
 * depends on the configuration. A size is right if what is found there came from user
 * mode. (The padding behind the registers that FRED brought is younger: 6.9.)
 */
static __always_inline bool from_user_mode(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	unsigned short cs = 0;

	bpf_core_read(&cs, sizeof(cs), &regs->cs);
	return (cs & 3) == 3;
#elif defined(__TARGET_ARCH_arm64)
	u64 pstate = 1;

	bpf_core_read(&pstate, sizeof(pstate), &regs->pstate);
	return !(pstate & 0xf);
#endif
}

static __always_inline struct pt_regs *regs_on_stack(struct task_struct *c)
{
	struct pt_regs *regs = NULL;
	void *stack = NULL;

	bpf_core_read(&stack, sizeof(stack), &c->stack);
	for (int shift = 14; shift <= 16; shift++) {
		regs = stack + (1UL << shift) - bpf_core_type_size(struct pt_regs);
		if (from_user_mode(regs))
			return regs;
	}
	return NULL;
}

/* For code that reads without BTF pointers. */
static __always_inline struct pt_regs *current_regs(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return regs_on_stack((void *)bpf_get_current_task());
}

/* The value that a system call returns, or that a seccomp filter set. */
static __always_inline long regs_result(struct pt_regs *regs)
{
	unsigned long ret = 0;

#if defined(__TARGET_ARCH_x86)
	bpf_core_read(&ret, sizeof(ret), &regs->ax);
#elif defined(__TARGET_ARCH_arm64)
	bpf_core_read(&ret, sizeof(ret), &regs->regs[0]);
#endif
	return ret;
}

#endif
