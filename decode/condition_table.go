// SPDX-License-Identifier: Apache-2.0

package decode

// The conditions. First those of the request, then those of the creator, the limits,
// the target cgroup, the kernel's configuration, what others answer, and memory.
const (
	CondSizeAbovePage Condition = iota
	CondSizeBelowFirst
	CondTailFault
	CondTailNonzero
	CondArgsFault
	CondSetTidTooMany
	CondSetTidNull
	CondSetTidNone
	CondSignalWide
	CondSignalAbove64
	CondSignalSet
	CondCgroupRange
	CondSetTidFault
	CondStackNull
	CondStackSizeZero
	CondStackOutside
	CondPidfdIsParentTid
	CondTLSOutside
	CondPidLevelsUsed
	CondUserLevelsUsed
	CondSetTidLevels
	CondSetTidRange
	CondSetTidNoInit
	CondSetTidNoCap
	CondSetTidBusy
	CondPidfdFault
	CondSeccompDenied
	CondPidInit
	CondForeignPidNS
	CondForeignTimeNS
	CondAutoreap
	CondCapAdmin
	CondCapAdminInit
	CondCapResourceInit
	CondRootUser
	CondUsernsCloneOff
	CondSignalPending
	CondFatalSignal
	CondCreatorDies
	CondChrooted
	CondIDsUnmapped
	CondDeadline
	CondPidNSEmpty
	CondPidNSDead
	CondPidNSDying
	CondPidNSSpoilt
	CondPidNSTaken
	CondPidNSNotDescendant
	CondFSInExec
	CondOutsideInitMnt
	CondMultithreaded
	CondSighandShared
	CondMMShared
	CondNprocReached
	CondMaxThreadsReached
	CondPidsReached
	CondPidsExhausted
	CondUserQuota
	CondMntQuota
	CondUTSQuota
	CondIPCQuota
	CondPidQuota
	CondCgroupQuota
	CondNetQuota
	CondTimeQuota
	CondNoFD
	CondNoFile
	CondFDAboveNrOpen
	CondCgroupBadFD
	CondCgroupGone
	CondCgroupGoing
	CondCgroupDenied
	CondCgroupOutside
	CondCgroupInvalid
	CondCgroupBusy
	CondCgroupOtherDomain
	CondCpusetEmpty
	CondCpusetDeadline
	CondCpusetLSM
	CondNoUserNS
	CondNoUTSNS
	CondNoIPCNS
	CondNoPidNS
	CondNoNetNS
	CondNoTimeNS
	CondLSMUserNS
	CondLSMTask
	CondPerfFails
	CondPerfRefuses
	CondSchedExtFails
	CondNetInterrupted
	CondNetFails
	CondKthreadNoMem
	CondTLSDescFault
	CondTLSDescInvalid
	CondTaskNoMem
	CondExecStateNoMem
	CondCredsNoMem
	CondUserNSNoMem
	CondUserNSNumbers
	CondIORestrictNoMem
	CondMempolicyNoMem
	CondAuditNoMem
	CondSemundoNoMem
	CondFilesNoMem
	CondFSNoMem
	CondSighandNoMem
	CondSignalNoMem
	CondMMNoMem
	CondNSNoMem
	CondIONoMem
	CondShadowStackNoMem
	CondShadowStackFails
	CondPidNoMem
	CondFutexHashNoMem
	conditionCount
)

// Conditions is the table of conditions, indexed by [Condition].
var Conditions = [conditionCount]ConditionInfo{
	CondSizeAbovePage:      {"size-above-page", "clone_args is larger than a page", true},
	CondSizeBelowFirst:     {"size-below-first", "clone_args is smaller than 64 bytes", true},
	CondTailFault:          {"tail-fault", "clone_args beyond the kernel's own size cannot be read", true},
	CondTailNonzero:        {"tail-nonzero", "clone_args beyond the kernel's own size is not zero", true},
	CondArgsFault:          {"args-fault", "clone_args cannot be read", true},
	CondSetTidTooMany:      {"set-tid-too-many", "set_tid_size is above 32", true},
	CondSetTidNull:         {"set-tid-null", "set_tid is NULL", true},
	CondSetTidNone:         {"set-tid-none", "set_tid_size is 0", true},
	CondSignalWide:         {"signal-wide", "the exit signal does not fit into a byte", true},
	CondSignalAbove64:      {"signal-above-64", "the exit signal is above 64", true},
	CondSignalSet:          {"signal-set", "there is an exit signal", true},
	CondCgroupRange:        {"cgroup-range", "the cgroup descriptor is above INT_MAX, or clone_args too small to hold it", true},
	CondSetTidFault:        {"set-tid-fault", "set_tid cannot be read", true},
	CondStackNull:          {"stack-null", "stack is NULL", true},
	CondStackSizeZero:      {"stack-size-zero", "stack_size is 0", true},
	CondStackOutside:       {"stack-outside", "the stack does not lie in user addresses", true},
	CondPidfdIsParentTid:   {"pidfd-is-parent-tid", "pidfd and parent_tid are the same address", true},
	CondTLSOutside:         {"tls-outside", "tls is not a user address", true},
	CondPidLevelsUsed:      {"pidns-levels-used", "pid namespaces are nested 32 deep", true},
	CondUserLevelsUsed:     {"userns-levels-used", "user namespaces are nested 33 deep", true},
	CondSetTidLevels:       {"set-tid-levels", "set_tid has more numbers than the child has pid namespaces", true},
	CondSetTidRange:        {"set-tid-range", "a number of set_tid is below 1, or not below pid_max", true},
	CondSetTidNoInit:       {"set-tid-no-init", "a number other than 1 is asked for in a pid namespace without an init", true},
	CondSetTidNoCap:        {"set-tid-no-cap", "the creator may not choose ids in that pid namespace", true},
	CondSetTidBusy:         {"set-tid-busy", "a number of set_tid is in use", true},
	CondPidfdFault:         {"pidfd-fault", "the place for the pidfd cannot be written", true},
	CondSeccompDenied:      {"seccomp-denied", "a seccomp filter refuses the call", false},
	CondPidInit:            {"pid-init", "the creator is the init of a pid namespace (SIGNAL_UNKILLABLE)", false},
	CondForeignPidNS:       {"foreign-pidns", "the creator's children go into another pid namespace than its own, after unshare or setns", false},
	CondForeignTimeNS:      {"foreign-timens", "the creator's children go into another time namespace than its own, after unshare or setns", false},
	CondAutoreap:           {"autoreap", "the creator was made with CLONE_AUTOREAP", false},
	CondCapAdmin:           {"cap-sys-admin", "the creator has CAP_SYS_ADMIN in its user namespace", false},
	CondCapAdminInit:       {"cap-sys-admin-init", "the creator has CAP_SYS_ADMIN in the initial user namespace", false},
	CondCapResourceInit:    {"cap-sys-resource-init", "the creator has CAP_SYS_RESOURCE in the initial user namespace", false},
	CondRootUser:           {"root-user", "the creator's real user is root of the initial user namespace", false},
	CondUsernsCloneOff:     {"userns-clone-off", "the sysctl kernel.unprivileged_userns_clone is 0", false},
	CondSignalPending:      {"signal-pending", "a signal is pending", false},
	CondFatalSignal:        {"fatal-signal", "the creator is being killed", false},
	CondCreatorDies:        {"creator-dies", "the creator dies of a signal or dumps its core", false},
	CondChrooted:           {"chrooted", "the creator's root is not that of its mount namespace", false},
	CondIDsUnmapped:        {"ids-unmapped", "the creator's effective user or group has no mapping in its user namespace", false},
	CondDeadline:           {"sched-deadline", "the creator runs under SCHED_DEADLINE without reset-on-fork", false},
	CondPidNSEmpty:         {"pidns-empty", "the pid namespace for children has no init yet", false},
	CondPidNSDead:          {"pidns-dead", "the init of the pid namespace for children has exited", false},
	CondPidNSDying:         {"pidns-dying", "the init of the pid namespace exits at this moment", false},
	CondPidNSSpoilt:        {"pidns-spoilt", "an earlier first fork in the pid namespace for children failed late", false},
	CondPidNSTaken:         {"pidns-taken", "another process becomes the init of the pid namespace for children at this moment", false},
	CondPidNSNotDescendant: {"pidns-userns-foreign", "the creator's user namespace does not descend from the one that owns its pid namespace", false},
	CondFSInExec:           {"fs-in-exec", "another task that shares the filesystem information executes a program", false},
	CondOutsideInitMnt:     {"outside-init-mnt-ns", "the creator is a user mode helper outside the initial mount namespace", false},
	CondMultithreaded:      {"multithreaded", "the caller's process has other threads", false},
	CondSighandShared:      {"sighand-shared", "another process shares the caller's signal handlers", false},
	CondMMShared:           {"mm-shared", "another process shares the caller's memory", false},
	CondNprocReached:       {"nproc-reached", "the user has more processes and threads than RLIMIT_NPROC allows with this one", false},
	CondMaxThreadsReached:  {"max-threads-reached", "the system has kernel.threads-max threads", false},
	CondPidsReached:        {"pids-reached", "pids.max of the cgroup or of an ancestor is reached", false},
	CondPidsExhausted:      {"pids-exhausted", "no number below pid_max is free in a pid namespace of the child", false},
	CondUserQuota:          {"quota-user", "user.max_user_namespaces is reached here or in an ancestor", false},
	CondMntQuota:           {"quota-mnt", "user.max_mnt_namespaces is reached", false},
	CondUTSQuota:           {"quota-uts", "user.max_uts_namespaces is reached", false},
	CondIPCQuota:           {"quota-ipc", "user.max_ipc_namespaces is reached", false},
	CondPidQuota:           {"quota-pid", "user.max_pid_namespaces is reached", false},
	CondCgroupQuota:        {"quota-cgroup", "user.max_cgroup_namespaces is reached", false},
	CondNetQuota:           {"quota-net", "user.max_net_namespaces is reached", false},
	CondTimeQuota:          {"quota-time", "user.max_time_namespaces is reached", false},
	CondNoFD:               {"no-fd", "the creator has no free file descriptor (RLIMIT_NOFILE)", false},
	CondNoFile:             {"no-file", "the system has no free open file (fs.file-max)", false},
	CondFDAboveNrOpen:      {"fd-above-nr-open", "a descriptor in use lies above a lowered fs.nr_open", false},
	CondCgroupBadFD:        {"cgroup-bad-fd", "the cgroup descriptor is not an open directory of cgroup version 2", false},
	CondCgroupGone:         {"cgroup-gone", "the target cgroup was removed", false},
	CondCgroupGoing:        {"cgroup-going", "the target cgroup is removed at this moment", false},
	CondCgroupDenied:       {"cgroup-denied", "cgroup.procs of the target or of the common ancestor is not writable to the creator", false},
	CondCgroupOutside:      {"cgroup-outside", "the target lies outside the creator's cgroup namespace, and the hierarchy is mounted with nsdelegate", false},
	CondCgroupInvalid:      {"cgroup-invalid", "the target is of type domain invalid", false},
	CondCgroupBusy:         {"cgroup-busy", "the target hands domain controllers to its children", false},
	CondCgroupOtherDomain:  {"cgroup-other-domain", "the target is not in the threaded domain of the creator", false},
	CondCpusetEmpty:        {"cpuset-empty", "the cpuset of the target has no processor or memory node", false},
	CondCpusetDeadline:     {"cpuset-deadline", "the cpuset of the target cannot take a deadline task", false},
	CondCpusetLSM:          {"cpuset-lsm", "a security module refuses to let the task into the cpuset of the target", false},
	CondNoUserNS:           {"no-userns", "the kernel is built without user namespaces", false},
	CondNoUTSNS:            {"no-utsns", "the kernel is built without uts namespaces", false},
	CondNoIPCNS:            {"no-ipcns", "the kernel is built without ipc namespaces", false},
	CondNoPidNS:            {"no-pidns", "the kernel is built without pid namespaces", false},
	CondNoNetNS:            {"no-netns", "the kernel is built without network namespaces", false},
	CondNoTimeNS:           {"no-timens", "the kernel is built without time namespaces", false},
	CondLSMUserNS:          {"lsm-userns", "a security module refuses the user namespace", false},
	CondLSMTask:            {"lsm-task", "a security module refuses the task", false},
	CondPerfFails:          {"perf-fails", "an inherited perf event cannot be set up", false},
	CondPerfRefuses:        {"perf-refuses", "an inherited perf event refuses the child", false},
	CondSchedExtFails:      {"sched-ext-fails", "the sched_ext scheduler refuses the task", false},
	CondNetInterrupted:     {"net-interrupted", "the creator is killed while the network namespace is made", false},
	CondNetFails:           {"net-fails", "a part of the network refuses to be set up in a new namespace", false},
	CondKthreadNoMem:       {"kthread-nomem", "there is no memory for the kernel thread's own structure", false},
	CondTLSDescFault:       {"tls-desc-fault", "a 32-bit creator's TLS descriptor cannot be read", false},
	CondTLSDescInvalid:     {"tls-desc-invalid", "a 32-bit creator's TLS descriptor is not valid", false},
	CondTaskNoMem:          {"task-nomem", "there is no memory for the task and its kernel stack", false},
	CondExecStateNoMem:     {"exec-state-nomem", "there is no memory for the exec state", false},
	CondCredsNoMem:         {"creds-nomem", "there is no memory for the credentials", false},
	CondUserNSNoMem:        {"userns-nomem", "there is no memory for the user namespace", false},
	CondUserNSNumbers:      {"userns-numbers-used", "no number is free for the user namespace", false},
	CondIORestrictNoMem:    {"io-restrict-nomem", "there is no memory for the creator's io_uring restrictions", false},
	CondMempolicyNoMem:     {"mempolicy-nomem", "there is no memory for the memory policy", false},
	CondAuditNoMem:         {"audit-nomem", "there is no memory for the audit context", false},
	CondSemundoNoMem:       {"semundo-nomem", "there is no memory for the semaphore undo list", false},
	CondFilesNoMem:         {"files-nomem", "there is no memory for the table of files", false},
	CondFSNoMem:            {"fs-nomem", "there is no memory for the filesystem information", false},
	CondSighandNoMem:       {"sighand-nomem", "there is no memory for the signal handlers", false},
	CondSignalNoMem:        {"signal-nomem", "there is no memory for the signal structure", false},
	CondMMNoMem:            {"mm-nomem", "there is no memory for the copy of the address space", false},
	CondNSNoMem:            {"ns-nomem", "there is no memory for a namespace", false},
	CondIONoMem:            {"io-nomem", "there is no memory for the I/O context", false},
	CondShadowStackNoMem:   {"shadow-stack-nomem", "there is no memory for the shadow stack", false},
	CondShadowStackFails:   {"shadow-stack-fails", "the shadow stack cannot be mapped", false},
	CondPidNoMem:           {"pid-nomem", "there is no memory for the pid", false},
	CondFutexHashNoMem:     {"futex-hash-nomem", "there is no memory for the process's futex hash", false},
}
