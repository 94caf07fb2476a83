// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"slices"
	"strings"
)

// unshareAccepted are the flags of unshare(2); bit 0x100000 is UNSHARE_EMPTY_MNTNS there,
// from 7.1 on.
const (
	unshareAccepted   = CloneVM | CloneFS | CloneFiles | CloneSighand | CloneThread | CloneSysvsem | CloneNewUser | adminFlags
	unshareEmptyMntNS = CloneParentSetTid
)

// UnshareRules is the table of the rules of unshare(2), in the kernel's order
// (kernel/fork.c, ksys_unshare). What it has in common with the creation of a child is in
// the same rows as there.
var UnshareRules = slices.Concat(unshareRules, sharedRules(resourceRules, "userns-"), sharedRules(namespaceRules, "new", "ns-"))

const ksysUnshare = "kernel/fork.c, ksys_unshare"

var unshareRules = []Rule{
	{
		ID: "seccomp-denied", Layer: LayerSeccomp, When: ConditionsOf(CondSeccompDenied),
		Sentence: "A seccomp filter refused the call before the kernel looked at it.",
		Remedy:   "Let the filter of the container or sandbox pass the call.",
		Evidence: "/proc/PID/status shows Seccomp: 2.",
		Source:   "kernel/seccomp.c, __secure_computing",
	},
	{
		ID: "deb-userns-disabled", Errno: EPERM, Layer: LayerSyscall, All: CloneNewUser,
		When: ConditionsOf(CondUsernsCloneOff), Unless: ConditionsOf(CondCapAdminInit), Needs: TraitUsernsSysctl,
		Sentence: "This Debian kernel forbids new user namespaces to ordinary users.",
		Remedy:   "sysctl kernel.unprivileged_userns_clone=1, or CAP_SYS_ADMIN.",
		Evidence: "/proc/sys/kernel/unprivileged_userns_clone is 0.",
		Source:   ksysUnshare + " with Debian's patch",
	},
	{
		ID: "unshare-unknown-flag", Errno: EINVAL, Layer: LayerSyscall, Any: ^(unshareAccepted | unshareEmptyMntNS),
		Sentence: "A flag is set that unshare does not take.",
		Remedy:   "Clear all but THREAD, FS, FILES, SIGHAND, VM, SYSVSEM and the flags of namespaces.",
		Source:   "kernel/fork.c, check_unshare_flags",
	},
	{
		ID: "unshare-unknown-flag", Errno: EINVAL, Layer: LayerSyscall, Any: unshareEmptyMntNS, Lacks: TraitEmptyMntNS,
		Sentence: "A flag is set that this kernel does not take: UNSHARE_EMPTY_MNTNS came with Linux 7.1.",
		Remedy:   "Use CLONE_NEWNS, or a newer kernel.",
		Source:   "kernel/fork.c, check_unshare_flags",
	},
	{
		ID: "unshare-multithreaded", Errno: EINVAL, Layer: LayerSyscall, All: CloneThread, When: ConditionsOf(CondMultithreaded),
		Sentence: "A process with several threads cannot unshare what threads share, nor enter a new user namespace.",
		Remedy:   "Call it before the first thread is created, or in a child.",
		Evidence: "Threads in /proc/PID/status is above 1.",
		Source:   "kernel/fork.c, check_unshare_flags",
	},
	{
		ID: "unshare-sighand-shared", Errno: EINVAL, Layer: LayerSyscall, All: CloneSighand, When: ConditionsOf(CondSighandShared),
		Sentence: "Another process shares the signal handlers, and unshare cannot part them.",
		Remedy:   "Create the process without CLONE_SIGHAND.",
		Evidence: "The process was created with CLONE_SIGHAND and without CLONE_THREAD, or created such a one.",
		Source:   "kernel/fork.c, check_unshare_flags",
	},
	{
		ID: "unshare-mm-shared", Errno: EINVAL, Layer: LayerSyscall, All: CloneVM, When: ConditionsOf(CondMMShared),
		Sentence: "Another process shares the memory, and unshare cannot part them.",
		Remedy:   "Create the process without CLONE_VM.",
		Evidence: "The process was created with CLONE_VM and without CLONE_THREAD, or created such a one.",
		Source:   "kernel/fork.c, check_unshare_flags",
	},
	{
		ID: "fs-nomem", Errno: ENOMEM, Layer: LayerSyscall, All: CloneFS, When: ConditionsOf(CondFSNoMem),
		Sentence: "There is no memory for the filesystem information.",
		Remedy:   "Raise memory.max of the cgroup, or free memory.",
		Evidence: "memory.events of the cgroup, or the system's free memory, show the shortage.",
		Source:   "kernel/fork.c, unshare_fs",
	},
	{
		ID: "files-nomem", Errno: ENOMEM, Layer: LayerSyscall, All: CloneFiles, When: ConditionsOf(CondFilesNoMem),
		Sentence: "There is no memory for the table of open files.",
		Remedy:   "Raise memory.max of the cgroup, or free memory.",
		Evidence: "memory.events of the cgroup, or the system's free memory, show the shortage.",
		Source:   "kernel/fork.c, unshare_fd",
	},
	{
		ID: "files-nr-open", Errno: EMFILE, Layer: LayerSyscall, All: CloneFiles, When: ConditionsOf(CondFDAboveNrOpen),
		Sentence: "The caller uses a descriptor above fs.nr_open, which was lowered since.",
		Remedy:   "Raise the sysctl fs.nr_open, or close that descriptor.",
		Evidence: "The highest descriptor in /proc/PID/fd against /proc/sys/fs/nr_open.",
		Source:   "kernel/fork.c, unshare_fd",
	},
}

// sharedRules are the rows with one of these beginnings, as a system call of its own has
// them.
func sharedRules(rules []Rule, prefixes ...string) (shared []Rule) {
	for _, r := range rules {
		begins := func(prefix string) bool { return strings.HasPrefix(r.ID, prefix) }
		if slices.ContainsFunc(prefixes, begins) && r.All&CloneSysvsem == 0 { // of a child's list alone
			r.Layer = LayerSyscall
			shared = append(shared, r)
		}
	}
	return shared
}

var unshareBook = newRuleBook(UnshareRules)

// PredictUnshare is [Predict] for unshare(2) with these flags, all 64 bits of them: a C
// library may drop the upper half before.
func PredictUnshare(flags uint64, s *State, traits Traits) Prediction {
	v := unshareView(flags, s, traits)
	return unshareBook.predict(&v, traits)
}

// CandidatesUnshare is [Candidates] for unshare(2).
func CandidatesUnshare(flags uint64, s *State, traits Traits) []*Rule {
	v := unshareView(flags, s, traits)
	return unshareBook.candidates(&v, traits)
}

// unshareView adds the flags that ksys_unshare adds.
func unshareView(flags uint64, s *State, traits Traits) view {
	if flags&unshareEmptyMntNS != 0 && traits&TraitEmptyMntNS != 0 {
		flags |= CloneNewNS
	}
	if flags&CloneNewUser != 0 {
		flags |= CloneThread | CloneFS
	}
	if flags&CloneVM != 0 {
		flags |= CloneSighand
	}
	if flags&CloneSighand != 0 {
		flags |= CloneThread
	}
	if flags&CloneNewNS != 0 {
		flags |= CloneFS
	}
	v := newView(flags, EntryUnknown, s)
	v.set(CondPidLevelsUsed, reached(s.PidLevels, pidLevelsMax))
	v.set(CondUserLevelsUsed, reached(s.UserLevels, userLevelMax+2))
	return v
}
