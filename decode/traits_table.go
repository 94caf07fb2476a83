// SPDX-License-Identifier: Apache-2.0

package decode

// The traits. [TraitTable] says what they mean.
const (
	TraitCheckpointRestore Traits = 1 << iota
	TraitPidfdAliasClone3
	TraitNewTimeClone3
	TraitNprocLate
	TraitUserNSHook
	TraitTimeNSAtExec
	TraitCpusetFork
	TraitPidfdThread
	TraitSchedExt
	TraitPidMaxPerNS
	TraitFutexHash
	TraitTidChecksFirst
	TraitIORestrict
	TraitSignalChecked
	TraitAutoreap
	TraitEmptyMntNS
	TraitPidNSRetry
	TraitExecState
	TraitFutexHashVM
	TraitUmhFS
	TraitShadowStack
	TraitTLSRange
	TraitUsernsSysctl
	TraitStackBySign
	TraitIOCreatorAlive
	TraitWorkerPrivate
	TraitSchedCancelFork
)

// noPlace is an address that cannot be written: probes fail at it if nothing refuses them
// before. A page that is never mapped would do as well.
const noPlace = 8

// doomed is a clone3 request that fails with EFAULT if nothing refuses it before.
func doomed(flags uint64) Request {
	return Request{
		Entry: EntryClone3, Flags: flags | ClonePidfd, Size: CloneArgsSize,
		Pidfd: noPlace, PidfdFault: Yes,
	}
}

// doomedClone is the like for clone(2).
func doomedClone(flags uint64) Request {
	return Request{Entry: EntryClone, Flags: flags | ClonePidfd, ParentTid: noPlace, PidfdFault: Yes}
}

// The answers of doomed requests: to root, and to others if a namespace is asked for.
var (
	doom       = []Errno{EFAULT}
	doomOrDeny = []Errno{EFAULT, EPERM}
	invalid    = []Errno{EINVAL}
)

// TraitTable is the table of traits. This is the only place where versions are compared.
// Releases are those of kernel-facts C (read in Debian's sources and changelogs, or seen
// on its kernels); those marked K are from the upstream history.
var TraitTable = []TraitInfo{
	{
		Trait: TraitCheckpointRestore, Name: "checkpoint-restore", Since: KernelVersion{5, 9, 0},
		Sentence: "CAP_CHECKPOINT_RESTORE is enough for set_tid; before it took CAP_SYS_ADMIN.",
		File:     &FileSign{"sys/kernel/cap_last_cap", 40},
		Source:   "kernel/pid.c, alloc_pid",
	},
	{
		Trait: TraitPidfdAliasClone3, Name: "pidfd-alias-clone3", Since: KernelVersion{5, 9, 0},
		Sentence: "clone3 refuses one address for both pidfd and parent_tid, as clone does.",
		Probe: &Probe{
			Request: Request{
				Entry: EntryClone3, Flags: ClonePidfd | CloneParentSetTid, Size: CloneArgsSize,
				Pidfd: noPlace, ParentTid: noPlace, PidfdFault: Yes,
			},
			With: invalid, Without: doom,
		},
		Source: "kernel/fork.c, kernel_clone",
	},
	{
		Trait: TraitNewTimeClone3, Name: "newtime-clone3", Since: KernelVersion{6, 3, 0},
		Backports: []KernelVersion{{5, 10, 175}, {5, 15, 103}, {6, 1, 20}, {6, 2, 7}}, // 5.15 and 6.2: K
		Sentence:  "clone3 accepts CLONE_NEWTIME.",
		Probe:     &Probe{Request: doomed(CloneNewTime), With: doomOrDeny, Without: invalid},
		Source:    "kernel/fork.c, clone3_args_valid; Debian changelogs",
	},
	{
		Trait: TraitNprocLate, Name: "nproc-late", Since: KernelVersion{5, 17, 0},
		Backports: []KernelVersion{{5, 15, 25}, {5, 16, 11}}, // 5.15: K
		Sentence:  "RLIMIT_NPROC is checked after the credentials and the user namespace are made, not before.",
		Probe: &Probe{
			Request: doomed(CloneNewUser),
			Setup:   "chroot(2) to a directory below the root, become an ordinary user, setrlimit(RLIMIT_NPROC, 0)",
			Given:   ConditionsOf(CondChrooted, CondNprocReached),
			With:    []Errno{EPERM}, Without: []Errno{EAGAIN},
		},
		Source: "kernel/fork.c, copy_process",
	},
	{
		Trait: TraitUserNSHook, Name: "userns-hook", Since: KernelVersion{6, 1, 0},
		Sentence: "Security modules are asked about new user namespaces.",
		Types:    []Type{{Func: "security_create_user_ns"}},
		Source:   "security/security.c, security_create_user_ns",
	},
	{
		Trait: TraitTimeNSAtExec, Name: "timens-at-exec", Since: KernelVersion{6, 2, 0},
		Sentence: "A child that shares memory may be created after unshare(CLONE_NEWTIME).",
		Probe: &Probe{
			Request: doomedClone(CloneVM | CloneVfork), Setup: "unshare(CLONE_NEWTIME)",
			Given: ConditionsOf(CondForeignTimeNS),
			With:  doom, Without: invalid,
		},
		Source: "kernel/fork.c, copy_process",
	},
	{
		Trait: TraitCpusetFork, Name: "cpuset-fork", Since: KernelVersion{6, 3, 0},
		Backports: []KernelVersion{{6, 1, 25}},
		Sentence:  "CLONE_INTO_CGROUP asks the cpuset of the target.",
		Types:     []Type{{Func: "cpuset_can_fork"}},
		Source:    "kernel/cgroup/cpuset.c, cpuset_can_fork",
	},
	{
		Trait: TraitPidfdThread, Name: "pidfd-thread", Since: KernelVersion{6, 9, 0},
		Sentence: "CLONE_PIDFD goes together with CLONE_THREAD.",
		Probe:    &Probe{Request: doomed(CloneVM | CloneSighand | CloneThread), With: doom, Without: invalid},
		Source:   "kernel/fork.c, copy_process",
	},
	{
		Trait: TraitSchedExt, Name: "sched-ext", Since: KernelVersion{6, 12, 0},
		Sentence: "A sched_ext scheduler may refuse a task.",
		Types:    []Type{{Struct: "task_struct", Field: "scx"}},
		Source:   "kernel/sched/ext.c, scx_fork",
	},
	{
		Trait: TraitPidMaxPerNS, Name: "pid-max-per-ns", Since: KernelVersion{6, 14, 0},
		Sentence: "Each pid namespace has a pid_max of its own.",
		Types:    []Type{{Struct: "pid_namespace", Field: "pid_max"}},
		Source:   "kernel/pid.c, alloc_pid",
	},
	{
		Trait: TraitFutexHash, Name: "futex-hash", Since: KernelVersion{6, 16, 0},
		Sentence: "A process gets a futex hash with its first thread.",
		Types:    []Type{{Struct: "mm_struct", Field: "futex_phash"}, {Struct: "futex_mm_phash", Field: "hash"}}, // the latter in 7.3
		Source:   "kernel/fork.c, copy_process; off in Debian's 6.16",
	},
	{
		Trait: TraitTidChecksFirst, Name: "tid-checks-first", Since: KernelVersion{7, 0, 0},
		Sentence: "The range of set_tid, and the permission, are checked for all pid namespaces before any number is taken.",
		Probe: &Probe{
			Request: Request{
				Entry: EntryClone3, Size: CloneArgsSize, Pidfd: noPlace, PidfdFault: Yes, Flags: ClonePidfd,
				SetTid: noPlace, SetTidSize: 2, Tids: []int32{1, 7},
			},
			Setup: "be the init of a pid namespace, in a user namespace without rights over the outer one",
			Given: ConditionsOf(CondPidInit),
			Pids:  []PidNamespace{{SysAdmin: Yes, CheckpointRestore: Yes}, {SysAdmin: No, CheckpointRestore: No}},
			With:  []Errno{EPERM}, Without: []Errno{EEXIST},
		},
		Source: "kernel/pid.c, alloc_pid",
	},
	{
		Trait: TraitIORestrict, Name: "io-restrict", Since: KernelVersion{7, 0, 0},
		Sentence: "Children inherit io_uring restrictions.",
		Types:    []Type{{Struct: "task_struct", Field: "io_uring_restrict"}},
		Source:   "kernel/fork.c, copy_process",
	},
	{
		Trait: TraitSignalChecked, Name: "signal-checked", Since: KernelVersion{7, 1, 0},
		Sentence: "An exit signal above 64 is refused for every call, in kernel_clone; before, clone3 alone refused it.",
		Probe:    &Probe{Request: doomedClone(65), With: invalid, Without: doom},
		Source:   "kernel/fork.c, kernel_clone; queued for 5.10 to 7.0 in June 2026, not in 6.1.192, 6.12.117, 7.0.13",
	},
	{
		Trait: TraitAutoreap, Name: "autoreap", Since: KernelVersion{7, 1, 0},
		Sentence: "clone3 knows CLONE_AUTOREAP, CLONE_NNP and CLONE_PIDFD_AUTOKILL.",
		Probe:    &Probe{Request: doomed(CloneAutoreap), With: doom, Without: invalid},
		Source:   "kernel/fork.c, clone3_args_valid",
	},
	{
		Trait: TraitEmptyMntNS, Name: "empty-mntns", Since: KernelVersion{7, 1, 0},
		Sentence: "clone3 knows CLONE_EMPTY_MNTNS, and adds CLONE_NEWNS to it.",
		Probe:    &Probe{Request: doomed(CloneEmptyMntNS), With: doomOrDeny, Without: invalid},
		Source:   "kernel/fork.c, kernel_clone",
	},
	{
		Trait: TraitPidNSRetry, Name: "pidns-retry", Since: KernelVersion{7, 1, 0},
		Sentence: "A pid namespace outlives the failure of its first fork.",
		Probe: &Probe{
			Request: doomedClone(0), Setup: "unshare(CLONE_NEWPID), and a first fork that fails late",
			Given: ConditionsOf(CondForeignPidNS, CondPidNSSpoilt),
			With:  doom, Without: []Errno{ENOMEM},
		},
		Source: "kernel/pid.c, free_pid",
	},
	{
		Trait: TraitExecState, Name: "exec-state", Since: KernelVersion{7, 2, 0},
		Sentence: "Tasks have an exec state, which a child without CLONE_VM copies.",
		Types:    []Type{{Struct: "task_struct", Field: "exec_state"}},
		Source:   "kernel/fork.c, copy_exec_state",
	},
	{
		Trait: TraitFutexHashVM, Name: "futex-hash-vm", Since: KernelVersion{7, 2, 8},
		Sentence: "The futex hash is made for every child that shares memory, not for threads alone.",
		Source:   "kernel/fork.c, copy_process",
	},
	{
		Trait: TraitUmhFS, Name: "umh-fs", Since: KernelVersion{7, 3, 0},
		Sentence: "User mode helpers copy the filesystem information of the first process.",
		Types:    []Type{{Struct: "kernel_clone_args", Field: "umh"}},
		Source:   "kernel/fork.c, copy_fs",
	},
	{
		Trait: TraitShadowStack, Name: "shadow-stack", Since: KernelVersion{6, 6, 0}, Archs: []string{"amd64"},
		Sentence: "A child that shares memory may need a shadow stack.",
		Types:    []Type{{Struct: "thread_struct", Field: "shstk"}},
		Source:   "arch/x86/kernel/shstk.c, shstk_alloc_thread_stack",
	},
	{
		Trait: TraitShadowStack, Name: "shadow-stack", Since: KernelVersion{6, 13, 0}, Archs: []string{"arm64"},
		Sentence: "A child that shares memory may need a guarded control stack.",
		Types:    []Type{{Struct: "thread_struct", Field: "gcspr_el0"}},
		Source:   "arch/arm64/mm/gcs.c, gcs_alloc_thread_stack",
	},
	{
		Trait: TraitTLSRange, Name: "tls-range", Archs: []string{"amd64"},
		Sentence: "A tls that is no user address is refused.",
		Probe: &Probe{
			Request: Request{Entry: EntryClone3, Flags: CloneSetTLS | ClonePidfd, TLS: 1 << 63, Size: CloneArgsSize, Pidfd: noPlace, PidfdFault: Yes},
			With:    []Errno{EPERM}, Without: doom,
		},
		Source: "arch/x86/kernel/process_64.c, do_arch_prctl_64",
	},
	{
		Trait: TraitUsernsSysctl, Name: "userns-sysctl", Debian: true,
		Sentence: "The sysctl kernel.unprivileged_userns_clone can forbid user namespaces to ordinary users.",
		File:     &FileSign{Path: "sys/kernel/unprivileged_userns_clone"},
		Source:   "Debian's patch add-sysctl-to-disallow-unprivileged-CLONE_NEWUSER-by-default to kernel/fork.c",
	},
	{
		Trait: TraitStackBySign, Name: "stack-by-sign", Since: KernelVersion{6, 4, 0}, Until: KernelVersion{6, 12, 0}, Archs: []string{"amd64"}, // K
		Sentence: "Any stack that ends below 1<<63 passes for user memory.",
		Probe: &Probe{
			Request: Request{Entry: EntryClone3, Flags: ClonePidfd, Stack: 1 << 62, StackSize: 1 << 16, Size: CloneArgsSize, Pidfd: noPlace, PidfdFault: Yes},
			With:    doom, Without: invalid,
		},
		Source: "arch/x86/include/asm/uaccess_64.h, valid_user_address",
	},
	{
		Trait: TraitIOCreatorAlive, Name: "io-creator-alive", Since: KernelVersion{7, 3, 2}, Backports: []KernelVersion{{6, 12, 117}},
		Sentence: "A task that dies of a signal gets no more io_uring workers.",
		Source:   "kernel/fork.c, create_io_thread",
	},
	{
		Trait: TraitWorkerPrivate, Name: "worker-private", Since: KernelVersion{5, 17, 0},
		Sentence: "A creation without memory for its policy leaves by bad_fork_cleanup_delayacct; before, by bad_fork_cleanup_threadgroup_lock.",
		Types:    []Type{{Struct: "task_struct", Field: "worker_private"}}, // came with it
		Source:   "kernel/fork.c, copy_process",
	},
	{
		Trait: TraitSchedCancelFork, Name: "sched-cancel-fork", Since: KernelVersion{6, 12, 0},
		Sentence: "The scheduler is told of creations that fail: some leave by bad_fork_sched_cancel_fork, others by bad_fork_core_free.",
		Types:    []Type{{Func: "sched_cancel_fork"}},
		Source:   "kernel/fork.c, copy_process",
	},
}
