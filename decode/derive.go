// SPDX-License-Identifier: Apache-2.0

package decode

// Limits of the kernel, 5.8 to 7.3.
const (
	setTidMax    = 32      // MAX_PID_NS_LEVEL, include/linux/pid_namespace.h
	pidLevelsMax = 33      // level 0 and 32 below it
	userLevelMax = 32      // a user namespace of a higher level has no child, kernel/user_namespace.c
	pidMaxMin    = 301     // RESERVED_PIDS + 1, kernel/pid.c
	pidMaxMax    = 4 << 20 // PID_MAX_LIMIT on 64 bits, include/linux/threads.h
	intMax       = 1<<31 - 1
	taskSizeMin  = 1 << 36 // arm64 with three levels of 16 KiB page tables has the smallest user space
)

// view is what the rules see: the conditions that are known, and those that hold.
type view struct {
	flags       uint64
	entry       EntrySet
	known, true ConditionSet
}

func (v *view) set(c Condition, t Truth) {
	bit := uint64(1) << (c % 64)
	if t != Open {
		v.known[c/64] |= bit
	}
	if t == Yes {
		v.true[c/64] |= bit
	}
}

// derivedConditions are those that a [State] has no say in.
var derivedConditions = findDerived()

func findDerived() (s ConditionSet) {
	for c := range conditionCount {
		if Conditions[c].Derived {
			s = s.With(ConditionsOf(c))
		}
	}
	return s
}

// newView takes over what the state says.
func newView(flags uint64, entry Entry, s *State) view {
	v := view{flags: flags, entry: 1 << entry}
	for i := range v.known {
		v.known[i] = s.Known[i] &^ derivedConditions[i]
		v.true[i] = s.True[i] & v.known[i]
	}
	return v
}

// viewOf works out the conditions of a request.
func viewOf(r *Request, s *State, traits Traits) view {
	k := r.asRead()
	v := newView(k.Flags, k.Entry, s)
	if v.flags&CloneEmptyMntNS != 0 && traits&TraitEmptyMntNS != 0 {
		v.flags |= CloneNewNS // kernel_clone of 7.1 rewrites its arguments
	}
	v.set(CondSignalAbove64, TruthOf(k.ExitSignal&low32 > sigMax)) // an int in the kernel
	v.set(CondSignalSet, TruthOf(k.ExitSignal != 0))
	v.set(CondPidfdIsParentTid, TruthOf(k.Pidfd == k.ParentTid))
	v.set(CondPidfdFault, assumed(k.PidfdFault))
	v.set(CondTLSOutside, s.outside(k.TLS))
	v.set(CondPidLevelsUsed, reached(s.PidLevels, pidLevelsMax))
	v.set(CondUserLevelsUsed, reached(s.UserLevels, userLevelMax+2))
	if k.Entry == EntryClone3 {
		v.setClone3(&k, s, traits)
	}
	if k.SetTidSize != 0 && k.SetTidSize <= setTidMax {
		v.setTids(&k, s, traits)
	} else {
		v.known = v.known.With(tidConditions)
	}
	return v
}

// setClone3 is about what only clone3 has. The others' rules do not look at it.
func (v *view) setClone3(k *Request, s *State, traits Traits) {
	v.set(CondSizeAbovePage, sizeAbovePage(k.Size, s.PageSize))
	v.set(CondSizeBelowFirst, TruthOf(k.Size < CloneArgsSize0))
	v.set(CondTailFault, TruthOf(k.Size > CloneArgsSize && k.Tail == TailFault))
	v.set(CondTailNonzero, TruthOf(k.Size > CloneArgsSize && k.Tail == TailNonzero))
	v.set(CondArgsFault, assumed(k.ArgsFault))
	v.set(CondSetTidTooMany, TruthOf(k.SetTidSize > setTidMax))
	v.set(CondSetTidNull, TruthOf(k.SetTid == 0))
	v.set(CondSetTidNone, TruthOf(k.SetTidSize == 0))
	v.set(CondSignalWide, TruthOf(k.ExitSignal&^CSignal != 0))
	v.set(CondCgroupRange, TruthOf(k.Cgroup > intMax || k.Size < CloneArgsSize))
	v.set(CondSetTidFault, TruthOf(k.SetTid != 0 && k.SetTidFault == Yes))
	v.set(CondStackNull, TruthOf(k.Stack == 0))
	v.set(CondStackSizeZero, TruthOf(k.StackSize == 0))
	v.set(CondStackOutside, stackOutside(k.Stack, k.StackSize, s, traits))
}

// assumed is t, with the harmless answer for an open one.
func assumed(t Truth) Truth { return TruthOf(t == Yes) }

func reached(levels, limit uint8) Truth {
	if levels == 0 {
		return Open
	}
	return TruthOf(levels >= limit)
}

// outside says whether an address is past user space.
func (s *State) outside(address uint64) Truth {
	least, most := max(s.TaskSizeLeast, taskSizeMin), s.TaskSizeMost
	if s.TaskSize != 0 {
		least, most = s.TaskSize, s.TaskSize
	}
	switch {
	case address < least:
		return No
	case most != 0 && address >= most:
		return Yes
	}
	return Open
}

func sizeAbovePage(size, page uint64) Truth {
	switch {
	case page != 0:
		return TruthOf(size > page)
	case size <= pageSizeMin:
		return No
	case size > pageSizeMax:
		return Yes
	}
	return Open
}

// stackOutside is the opposite of access_ok(stack, size). The end may equal the limit.
func stackOutside(stack, size uint64, s *State, traits Traits) Truth {
	end := stack + size
	switch {
	case end < stack:
		return Yes
	case traits&TraitStackBySign != 0:
		return TruthOf(end>>63 != 0)
	case end == 0:
		return No
	}
	return s.outside(end - 1)
}
