// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strconv"

	"github.com/forktrace/forktrace/decode"
)

// evidenceField is one number of the evidence.
type evidenceField struct {
	name  string
	known decode.Known
	value func(*decode.Evidence) uint64
	none  uint64 // what the kernel has where there is no limit, or less; 0: it is no limit

	zeroless bool // 0 says nothing: not counted on all kernels
}

// What stands for no limit.
const (
	noRlimit = 1 << 62         // RLIM_INFINITY is all bits
	noPids   = 1<<22 + 1       // PIDS_MAX: PID_MAX_LIMIT + 1 (kernel/cgroup/pids.c)
	noPages  = 1 << 63 / 65536 // PAGE_COUNTER_MAX: LONG_MAX by the page size, 64 KiB at most
)

// of is the number; ok is false where it is not known, or there is no limit.
func (f *evidenceField) of(e *decode.Evidence) (v uint64, ok bool) {
	v = f.value(e)
	if v == 0 && f.zeroless {
		return 0, false
	}
	return v, e.Known&f.known != 0 && (f.none == 0 || v < f.none)
}

// evidenceFields in the order of kernel-facts D. Counts are of a moment after the refusal.
var evidenceFields = []evidenceField{
	{"nproc_count", decode.KnownNproc, func(e *decode.Evidence) uint64 { return uint64(e.NprocCount) }, 0, false},
	{"nproc_limit", decode.KnownNproc, func(e *decode.Evidence) uint64 { return e.NprocLimit }, noRlimit, false},
	{"nproc_up", decode.KnownNproc, func(e *decode.Evidence) uint64 { return uint64(e.NprocUp) }, 0, false},
	{"nproc_user_ns", decode.KnownNprocLevel, func(e *decode.Evidence) uint64 { return uint64(e.NprocNS) }, 0, false},
	{"nproc_uid", decode.KnownNprocLevel, func(e *decode.Evidence) uint64 { return uint64(e.NprocUID) }, 0, false},
	{"pids_cgroup_id", decode.KnownPids, func(e *decode.Evidence) uint64 { return e.PidsCgroup }, 0, false},
	{"pids_count", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsCount) }, 0, false},
	{"pids_limit", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsLimit) }, noPids, false},
	{"pids_up", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsUp) }, 0, false},
	{"pid_ns_for_children", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.Pidns) }, 0, false},
	{"pid_ns_level", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.PidnsLevel) }, 0, false},
	{"pid_ns_used", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.PidnsAllocated &^ (1 << 31)) }, 0, false},
	{"pid_ns_max", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.PidnsMax) }, 0, true}, // a sysctl before 6.14
	{"pid_ns_last", decode.KnownPidnsLast, func(e *decode.Evidence) uint64 { return uint64(e.PidnsLast) }, 0, false},
	{"fullest_pid_ns", decode.KnownFullest, func(e *decode.Evidence) uint64 { return uint64(e.FullestPidns) }, 0, false},
	{"fullest_pid_ns_level", decode.KnownFullest, func(e *decode.Evidence) uint64 { return uint64(e.FullestLevel) }, 0, false},
	{"fullest_pid_ns_used", decode.KnownFullest, func(e *decode.Evidence) uint64 { return uint64(e.FullestUsed) }, 0, false},
	{"fullest_pid_ns_max", decode.KnownFullest, func(e *decode.Evidence) uint64 { return uint64(e.FullestMax) }, 0, true},
	{"threads", decode.KnownThreads, func(e *decode.Evidence) uint64 { return uint64(e.Threads) }, 0, false},
	{"threads_max", decode.KnownThreads, func(e *decode.Evidence) uint64 { return uint64(e.ThreadsMax) }, 0, false},
	{"committed_pages", decode.KnownCommitted, func(e *decode.Evidence) uint64 { return uint64(max(e.Committed, 0)) }, 0, false},
	{"commit_limit_pages", decode.KnownCommitLimit, func(e *decode.Evidence) uint64 { return e.CommitLimit }, 0, false},
	{"overcommit_memory", decode.KnownCommitted, func(e *decode.Evidence) uint64 { return e.Overcommit }, 0, false},
	{"user_ns_level", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.UserLevel) }, 0, false},
	{"euid", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.EUID) }, 0, false},
	{"policy", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.Policy) }, 0, false},
	{"seccomp_mode", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.SeccompMode) }, 0, false},
	{"memory_cgroup_id", decode.KnownMemory, func(e *decode.Evidence) uint64 { return e.MemoryCgroup }, 0, false},
	{"memory_usage_pages", decode.KnownMemory, func(e *decode.Evidence) uint64 { return uint64(e.MemoryUsage) }, 0, false},
	{"memory_limit_pages", decode.KnownMemory, func(e *decode.Evidence) uint64 { return uint64(e.MemoryLimit) }, noPages, false},
	{"pgtables_bytes", decode.KnownPgtables, func(e *decode.Evidence) uint64 { return e.PgtablesBytes }, 0, false},
	{"memory_failcnt", decode.KnownMemory, func(e *decode.Evidence) uint64 { return e.MemoryFailcnt }, 0, true},
	{"nofile_limit", decode.KnownFiles, func(e *decode.Evidence) uint64 { return e.NofileLimit }, noRlimit, false},
	{"max_fds", decode.KnownFiles, func(e *decode.Evidence) uint64 { return uint64(e.MaxFds) }, 0, false},
	{"nr_open", decode.KnownNrOpen, func(e *decode.Evidence) uint64 { return e.NrOpen }, 0, false},
	{"fsuid", decode.KnownTargetAccess, func(e *decode.Evidence) uint64 { return uint64(e.FSUID) }, 0, false},
	{"target_owner", decode.KnownTargetAccess, func(e *decode.Evidence) uint64 { return uint64(e.TargetOwner) }, 0, false},
	{"target_mode", decode.KnownTargetAccess, func(e *decode.Evidence) uint64 { return uint64(e.TargetMode) }, 0, false},
	{"clone_args_size", decode.KnownArgs, func(e *decode.Evidence) uint64 { return e.ArgsSize }, 0, false},
}

// evidenceSets are sets of bits: capabilities and signals.
var evidenceSets = []evidenceField{
	{"cap_effective", decode.KnownCreator, func(e *decode.Evidence) uint64 { return e.CapEffective }, 0, false},
	{"pending", decode.KnownSignals, func(e *decode.Evidence) uint64 { return e.Pending }, 0, false},
	{"blocked", decode.KnownSignals, func(e *decode.Evidence) uint64 { return e.Blocked }, 0, false},
}

// evidenceFacts hold or do not.
var evidenceFacts = []struct {
	name  string
	known decode.Known
	value func(*decode.Evidence) bool
}{
	{"pid_ns_open", decode.KnownPidns, func(e *decode.Evidence) bool { return e.PidnsAllocated&(1<<31) != 0 }},
	{"pid_ns_init", decode.KnownPidns, func(e *decode.Evidence) bool { return e.PidnsInit }},
	{"chrooted", decode.KnownChroot, func(e *decode.Evidence) bool { return e.Chrooted }},
	{"unmapped", decode.KnownUnmapped, func(e *decode.Evidence) bool { return e.Unmapped }},
	{"fs_in_exec", decode.KnownCreator, func(e *decode.Evidence) bool { return e.FSInExec }},
	{"reset_on_fork", decode.KnownReset, func(e *decode.Evidence) bool { return e.ResetOnFork }},
	{"perf_events", decode.KnownPerf, func(e *decode.Evidence) bool { return e.PerfEvents }},
	{"target_bad", decode.KnownTarget, func(e *decode.Evidence) bool { return e.TargetBad }},
}

func (j *JSON) appendEvidence(o *object, r *decode.Record) {
	e := &r.Evidence
	if e.Known == 0 {
		return
	}
	o.child("evidence")
	for i := range evidenceFields {
		f := &evidenceFields[i]
		if v, ok := f.of(e); ok {
			o.uint(f.name, v)
		}
	}
	if e.Known&decode.KnownPids != 0 && j.reasons.ctx.Pids != nil {
		if path, ok := j.reasons.ctx.Pids(e.PidsCgroup); ok {
			o.string("pids_cgroup", path)
		}
	}
	for _, f := range evidenceSets {
		if e.Known&f.known != 0 {
			o.hex(f.name, f.value(e))
		}
	}
	j.appendChains(o, e)
	appendLater(o, j.reasons.ctx.System, r)
	appendSender(o, e)
	for _, f := range evidenceFacts {
		if e.Known&f.known != 0 {
			o.bool(f.name, f.value(e))
		}
	}
	o.close()
}

// appendEvidence adds the same for a person, on a line of its own: of fields and facts
// those that are known.
func (t *Text) appendEvidence(dst []byte, r *decode.Record) []byte {
	e := &r.Evidence
	if e.Known == 0 {
		return dst
	}
	start := len(dst)
	if t.opts.Color {
		dst = append(dst, colorDim...)
	}
	dst = append(dst, "    evidence:"...)
	for i := range evidenceFields {
		f := &evidenceFields[i]
		if v, ok := f.of(e); ok {
			dst = append(append(append(dst, ' '), f.name...), '=')
			dst = strconv.AppendUint(dst, v, 10)
		}
	}
	for _, f := range evidenceSets {
		if e.Known&f.known != 0 {
			dst = append(append(append(dst, ' '), f.name...), '=')
			dst = decode.AppendHex(dst, f.value(e))
		}
	}
	for _, f := range evidenceFacts {
		if e.Known&f.known != 0 && f.value(e) {
			dst = append(append(dst, ' '), f.name...)
		}
	}
	for i := range decode.Facts {
		if f := &decode.Facts[i]; f.Group == decode.FactOfCreator && r.FactsKnown.Has(f.Fact) && r.Facts.Has(f.Fact) {
			dst = append(append(dst, ' '), f.Name...)
		}
	}
	if e.Known&decode.KnownSender != 0 {
		dst = appendFrom(decode.AppendSignal(append(dst, "; "...), int(e.SenderSignal)), e)
	}
	dst = t.appendLimits(dst, r)
	dst = t.endLine(dst, start, true)
	if t.opts.Color {
		dst = append(dst[:len(dst)-1], colorReset+"\n"...)
	}
	return dst
}
