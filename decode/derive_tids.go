// SPDX-License-Identifier: Apache-2.0

package decode

// tidConditions are those that set_tid, and nothing else, can make true in alloc_pid.
var tidConditions = ConditionsOf(CondSetTidLevels, CondSetTidRange, CondSetTidNoInit, CondSetTidNoCap, CondSetTidBusy)

// With is the union of two sets.
func (s ConditionSet) With(t ConditionSet) ConditionSet {
	return ConditionSet{s[0] | t[0], s[1] | t[1]}
}

// The checks that alloc_pid makes of a number, in the order of kernel/pid.c. Up to 6.19
// all are made namespace by namespace, the innermost first; from 7.0 on the first list is
// gone through for all namespaces before the second one is begun.
var (
	tidChecksTogether = [][]Condition{{CondSetTidRange, CondSetTidNoInit, CondSetTidNoCap, CondSetTidBusy}}
	tidChecksApart    = [][]Condition{{CondSetTidRange, CondSetTidNoCap}, {CondSetTidNoInit, CondSetTidBusy}}
)

// tidFails says whether number i of set_tid fails a check.
func tidFails(check Condition, k *Request, s *State, traits Traits, i int) Truth {
	switch check {
	case CondSetTidRange:
		return tidRange(k, s, traits, i)
	case CondSetTidNoInit:
		return tidNoInit(k, s, traits, i)
	case CondSetTidNoCap:
		return tidNoCap(k, s, traits, i)
	}
	return tidBusy(k, s, traits, i)
}

// setTids finds the first check that set_tid fails, and sets its condition alone. If
// that depends on what is not known, every check that may be the first stays open.
func (v *view) setTids(k *Request, s *State, traits Traits) {
	v.known = v.known.With(tidConditions)
	levels := tidLevels(k, s)
	if levels == Open {
		v.forget(CondSetTidLevels)
	}
	if levels == Yes {
		v.set(CondSetTidLevels, Yes)
		return
	}
	checks := tidChecksTogether
	if traits&TraitTidChecksFirst != 0 {
		checks = tidChecksApart
	}
	open := false
	for _, pass := range checks {
		for i := range int(k.SetTidSize) {
			for _, check := range pass {
				fails := tidFails(check, k, s, traits, i)
				if fails == No {
					continue
				}
				if fails == Yes && !open {
					v.set(check, Yes)
					return
				}
				open = true
				v.forget(check)
				if fails == Yes {
					return
				}
			}
		}
	}
}

// forget makes a condition an open one.
func (v *view) forget(c Condition) { v.known[c/64] &^= 1 << (c % 64) }

// tidLevels says whether set_tid has more numbers than the child has namespaces.
func tidLevels(k *Request, s *State) Truth {
	fresh := k.Flags & CloneNewPid / CloneNewPid
	switch {
	case k.SetTidSize <= 1+fresh:
		return No
	case s.PidLevels == 0:
		return Open
	}
	return TruthOf(k.SetTidSize > uint64(s.PidLevels)+fresh)
}

// namespaceOf is the index in [State.Pids] of the namespace that number i of set_tid is
// for; -1 is the one that CLONE_NEWPID makes.
func namespaceOf(k *Request, i int) int {
	if k.Flags&CloneNewPid != 0 {
		return i - 1
	}
	return i
}

func tidRange(k *Request, s *State, traits Traits, i int) Truth {
	if i >= len(k.Tids) {
		return Open
	}
	tid := k.Tids[i]
	if tid < 1 || tid >= pidMaxMax {
		return Yes
	}
	at, limit := namespaceOf(k, i), uint32(0)
	switch {
	case traits&TraitPidMaxPerNS == 0 && len(s.Pids) > 0:
		limit = s.Pids[0].PidMax
	case traits&TraitPidMaxPerNS != 0 && at < 0:
		limit = pidMaxMax
	case at >= 0 && at < len(s.Pids):
		limit = s.Pids[at].PidMax
	}
	if limit != 0 {
		return TruthOf(uint32(tid) >= limit)
	}
	if tid < pidMaxMin {
		return No
	}
	return Open
}

func tidNoInit(k *Request, s *State, traits Traits, i int) Truth {
	if i < len(k.Tids) && k.Tids[i] == 1 {
		return No
	}
	lacks := No // an outer namespace has an init: a process of it made the inner one
	switch namespaceOf(k, i) {
	case -1:
		lacks = Yes
	case 0:
		lacks = s.pidNSEmpty(traits)
	}
	if i >= len(k.Tids) && lacks == Yes {
		return Open
	}
	return lacks
}

func tidNoCap(k *Request, s *State, traits Traits, i int) Truth {
	at := namespaceOf(k, i)
	if at < 0 {
		return No // making the namespace took more than that
	}
	if at >= len(s.Pids) {
		return Open
	}
	has := s.Pids[at].SysAdmin
	if traits&TraitCheckpointRestore != 0 {
		has = either(has, s.Pids[at].CheckpointRestore)
	}
	return not(has)
}

func tidBusy(k *Request, s *State, traits Traits, i int) Truth {
	at := namespaceOf(k, i)
	switch {
	case at < 0:
		return No
	case i < len(k.Tids) && k.Tids[i] == 1:
		return initLives(s, traits, at)
	case i < len(s.TidBusy):
		return s.TidBusy[i]
	}
	return Open
}

// initLives says whether number 1 is taken. Outer namespaces have an init, or the
// creator would be gone.
func initLives(s *State, traits Traits, at int) Truth {
	if at > 0 {
		return Yes
	}
	switch {
	case s.pidNSEmpty(traits) == Yes:
		return No
	case s.pidNSEmpty(traits) == No && s.answer(CondPidNSDead) == No:
		return Yes
	}
	return Open
}

// pidNSEmpty says whether the pid namespace for children has no init. One that the failure
// of its first fork has spoilt never gets one.
func (s *State) pidNSEmpty(traits Traits) Truth {
	if traits&TraitPidNSRetry == 0 && s.answer(CondPidNSSpoilt) == Yes {
		return Yes
	}
	return s.answer(CondPidNSEmpty)
}

// answer is what the state says of a condition.
func (s *State) answer(c Condition) Truth {
	if !s.Known.Has(c) {
		return Open
	}
	return TruthOf(s.True.Has(c))
}

func not(t Truth) Truth {
	switch t {
	case Yes:
		return No
	case No:
		return Yes
	}
	return Open
}
