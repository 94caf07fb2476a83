// SPDX-License-Identifier: Apache-2.0

package decode

// State is what is known of the creator and the system at the moment of a request. The
// zero value knows nothing.
type State struct {
	// Known are the conditions that were looked at, True those of them that hold.
	// Derived conditions are not looked for here.
	Known, True ConditionSet

	PageSize uint64 // bytes; 0 is not known
	// TaskSize is the first address past user space (TASK_SIZE_MAX); 0 is not known. Then it
	// is one from TaskSizeLeast up to TaskSizeMost, as far as these are known.
	TaskSize, TaskSizeLeast, TaskSizeMost uint64

	// PidLevels is how many pid namespaces the creator's children are in, 1 in the
	// initial one; 0 is not known. UserLevels counts the creator's user namespaces.
	PidLevels, UserLevels uint8

	// Pids describes the pid namespaces of the creator's children from the innermost
	// one outwards, without the one that CLONE_NEWPID would make. Those missing are
	// not known.
	Pids []PidNamespace

	// TidBusy says of each number of the request's set_tid whether it is in use in its
	// namespace. Those missing are not known.
	TidBusy []Truth

	firm ConditionSet // that do not hold, and cannot have held a moment before
}

// PidNamespace is what set_tid asks of a pid namespace.
type PidNamespace struct {
	PidMax uint32 // numbers are below this one; 0 is not known. One for all namespaces before 6.14
	// Whether the creator has the capability over the namespace's user namespace.
	CheckpointRestore, SysAdmin Truth
}

// BoundTaskSize notes what a release, "" for any, and an architecture tell of where user
// space ends.
func (s *State) BoundTaskSize(release, arch string) {
	switch v, debian, err := ParseRelease(release); {
	case arch != "amd64":
		s.TaskSizeLeast, s.TaskSizeMost = taskSizeMin, taskSizeARM64Most
	case err == nil && debian && v.Series() == "5.10":
		// built without CONFIG_X86_5LEVEL: seen to refuse 1<<48 where later ones accept it
		s.TaskSizeLeast, s.TaskSizeMost = TaskSizeAMD64, TaskSizeAMD64
	default:
		s.TaskSizeLeast, s.TaskSizeMost = TaskSizeAMD64, TaskSizeAMD64LA57
	}
}

// Set notes that c holds, or does not.
func (s *State) Set(c Condition, holds bool) {
	bit := uint64(1) << (c % 64)
	s.Known[c/64] |= bit
	s.True[c/64] &^= bit
	if holds {
		s.True[c/64] |= bit
	}
}

// Forget notes that nothing is known of c.
func (s *State) Forget(c Condition) { s.Known[c/64] &^= 1 << (c % 64) }

// Page sizes of the supported architectures, bytes.
const (
	pageSizeMin = 4 << 10
	pageSizeMax = 64 << 10
)

// User address space, TASK_SIZE_MAX: x86-64 with four and five levels of page tables
// (arch/x86/include/asm/page_64.h of 7.3), arm64 with as few and as many bits of address as
// it can be built with (arch/arm64/Kconfig).
const (
	TaskSizeAMD64     = 1<<47 - 4096
	TaskSizeAMD64LA57 = 1<<56 - 4096
	taskSizeARM64Most = 1 << 52
)

// OrdinaryState is a creator to which nothing special applies: in the initial namespaces,
// no limit reached, no number of set_tid in use, memory enough. root has all
// capabilities; other users have none. arch is as Go names it; how far user space reaches
// depends on more than that, see [BoundTaskSize].
func OrdinaryState(root bool, arch string) State {
	s := State{
		PageSize: pageSizeMin, PidLevels: 1, UserLevels: 1,
		Pids:    []PidNamespace{{PidMax: 4 << 20, CheckpointRestore: TruthOf(root), SysAdmin: TruthOf(root)}},
		TidBusy: make([]Truth, setTidMax),
	}
	s.BoundTaskSize("", arch)
	for c := range conditionCount {
		if !Conditions[c].Derived {
			s.Set(c, false)
		}
	}
	for _, c := range [...]Condition{CondCapAdmin, CondCapAdminInit, CondCapResourceInit, CondRootUser} {
		s.Set(c, root)
	}
	for i := range s.TidBusy {
		s.TidBusy[i] = No
	}
	return s
}
