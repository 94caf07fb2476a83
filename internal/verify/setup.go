// SPDX-License-Identifier: Apache-2.0

package verify

import "github.com/forktrace/forktrace/decode"

// Setup says into what states a process is brought before it makes a request. Several are
// brought about in the order of their bits (executor/prepare.c, setups).
type Setup uint32

// The setups.
const (
	SetupJoin          Setup = 1 << iota // move to the case's cgroup
	SetupRemove                          // remove the case's cgroup, after its directory was opened
	SetupChroot                          // chroot to /proc
	SetupDeadline                        // run under SCHED_DEADLINE
	SetupUser                            // become user 65534
	SetupStranger                        // become a user without processes
	SetupUserNS                          // unshare(CLONE_NEWUSER), without mapping any id
	SetupMapped                          // the same, mapping its own ids to 0
	SetupQuota                           // the same, allowing no more namespaces in it
	SetupUserDepth                       // 33 nested user namespaces
	SetupTime                            // unshare(CLONE_NEWTIME)
	SetupShiftedTime                     // the same, its monotonic clock 1,000,000 s ahead
	SetupPid                             // unshare(CLONE_NEWPID)
	SetupInit                            // be the init of a new pid namespace
	SetupDead                            // unshare(CLONE_NEWPID), and its init has exited
	SetupSpoilt                          // unshare(CLONE_NEWPID), and the first fork in it has failed late
	SetupPidDepth                        // 32 nested pid namespaces
	SetupPidMax                          // be the init of a pid namespace whose numbers are all in use
	SetupAutoreap                        // be a child made with CLONE_AUTOREAP
	SetupNproc0                          // setrlimit(RLIMIT_NPROC, 0)
	SetupNproc1                          // setrlimit(RLIMIT_NPROC, 1)
	SetupNproc2                          // setrlimit(RLIMIT_NPROC, 2)
	SetupNoFile                          // setrlimit(RLIMIT_NOFILE, 0)
	SetupOthersPid                       // in a pid namespace that a user namespace below its own one owns
	SetupThreaded                        // the process has another thread
	SetupSharedMM                        // another process shares the memory
	SetupSharedSighand                   // another process shares the signal handlers, and so the memory
	SetupSignalled                       // a signal is pending
)

// rootlessSetups are those that an ordinary user can bring about.
const rootlessSetups = SetupUserNS | SetupMapped | SetupQuota | SetupUserDepth | SetupPidMax | SetupNoFile | SetupThreaded | SetupSharedMM | SetupSharedSighand | SetupSignalled

// inUserNS are those that he can bring about in a user namespace of his own.
const inUserNS = SetupTime | SetupShiftedTime | SetupPid | SetupInit | SetupDead | SetupSpoilt | SetupPidDepth | SetupNoFile

// pidMaxLimit is PID_MAX_LIMIT, include/linux/threads.h.
const pidMaxLimit = 4 << 20

// setupEffect is what a setup changes in what is known of the creator.
type setupEffect struct {
	setup                 Setup
	given, lacks          []decode.Condition
	userLevels, pidLevels uint8 // more of them, for its children
}

var (
	powers     = []decode.Condition{decode.CondCapAdmin, decode.CondCapAdminInit, decode.CondCapResourceInit, decode.CondRootUser}
	initPowers = []decode.Condition{decode.CondCapAdminInit, decode.CondCapResourceInit}
	nsAdmin    = []decode.Condition{decode.CondCapAdmin}
	intoPidNS  = []decode.Condition{decode.CondForeignPidNS, decode.CondPidNSEmpty}
	isInit     = []decode.Condition{decode.CondPidInit}
	noQuota    = []decode.Condition{
		decode.CondCapAdmin, decode.CondUserQuota, decode.CondMntQuota, decode.CondUTSQuota, decode.CondIPCQuota,
		decode.CondPidQuota, decode.CondCgroupQuota, decode.CondNetQuota, decode.CondTimeQuota,
	}
	nprocReached = []decode.Condition{decode.CondNprocReached}
)

var setupEffects = []setupEffect{
	{setup: SetupChroot, given: []decode.Condition{decode.CondChrooted}},
	{setup: SetupDeadline, given: []decode.Condition{decode.CondDeadline}},
	{setup: SetupUser, lacks: powers},
	{setup: SetupStranger, lacks: powers},
	{setup: SetupUserNS, given: []decode.Condition{decode.CondCapAdmin, decode.CondIDsUnmapped}, lacks: initPowers, userLevels: 1},
	{setup: SetupMapped, given: nsAdmin, lacks: initPowers, userLevels: 1},
	{setup: SetupQuota, given: noQuota, lacks: initPowers, userLevels: 1},
	{setup: SetupUserDepth, given: nsAdmin, lacks: initPowers, userLevels: 33},
	{setup: SetupTime, given: []decode.Condition{decode.CondForeignTimeNS}},
	{setup: SetupShiftedTime, given: []decode.Condition{decode.CondForeignTimeNS}},
	{setup: SetupPid, given: intoPidNS, pidLevels: 1},
	{setup: SetupInit, given: isInit, pidLevels: 1},
	{setup: SetupDead, given: []decode.Condition{decode.CondForeignPidNS, decode.CondPidNSDead}, pidLevels: 1},
	{setup: SetupSpoilt, given: append(intoPidNS, decode.CondPidNSSpoilt), pidLevels: 1},
	{setup: SetupPidDepth, given: isInit, pidLevels: 32},
	{setup: SetupPidMax, given: []decode.Condition{decode.CondPidInit, decode.CondPidsExhausted, decode.CondCapAdmin}, lacks: append(initPowers, decode.CondRootUser), userLevels: 1, pidLevels: 1},
	{setup: SetupAutoreap, given: []decode.Condition{decode.CondAutoreap}},
	{setup: SetupNproc0, given: nprocReached},
	{setup: SetupNproc1, given: nprocReached},
	{setup: SetupNoFile, given: []decode.Condition{decode.CondNoFD}},
	{setup: SetupOthersPid, given: []decode.Condition{decode.CondPidNSNotDescendant}, pidLevels: 1},
	{setup: SetupThreaded, given: []decode.Condition{decode.CondMultithreaded}},
	{setup: SetupSharedMM, given: []decode.Condition{decode.CondMMShared}},
	{setup: SetupSharedSighand, given: []decode.Condition{decode.CondSighandShared, decode.CondMMShared}},
	{setup: SetupSignalled, given: []decode.Condition{decode.CondSignalPending}},
}

// apply changes what is known of a creator by what a setup does to it.
func (s Setup) apply(state *decode.State, traits decode.Traits) {
	pidMax := uint32(0) // of a new pid namespace
	if len(state.Pids) > 0 {
		pidMax = state.Pids[len(state.Pids)-1].PidMax
	}
	if traits&decode.TraitPidMaxPerNS != 0 {
		pidMax = pidMaxLimit
	}
	for i := range setupEffects {
		e := &setupEffects[i]
		if s&e.setup == 0 {
			continue
		}
		for _, g := range e.given {
			state.Set(g, true)
		}
		for _, l := range e.lacks {
			state.Set(l, false)
		}
		if state.UserLevels += e.userLevels; e.userLevels > 0 { // capabilities are those of the new one
			for i := range state.Pids {
				state.Pids[i] = decode.PidNamespace{PidMax: state.Pids[i].PidMax, CheckpointRestore: decode.No, SysAdmin: decode.No}
			}
		}
		state.PidLevels += e.pidLevels
		for range e.pidLevels {
			state.Pids = append([]decode.PidNamespace{{PidMax: pidMax, CheckpointRestore: decode.Yes, SysAdmin: decode.Yes}}, state.Pids...)
		}
	}
	if s&(SetupUser|SetupStranger) != 0 && s&SetupInit == 0 {
		state.Pids = []decode.PidNamespace{{CheckpointRestore: decode.No, SysAdmin: decode.No}}
	}
}
