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
	if f.name == "memory_failcnt" && v == 0 { // not counted on all kernels: 0 says nothing
		return 0, false
	}
	return v, e.Known&f.known != 0 && (f.none == 0 || v < f.none)
}

// evidenceFields in the order of kernel-facts D. Counts are of a moment after the refusal.
var evidenceFields = []evidenceField{
	{"nproc_count", decode.KnownNproc, func(e *decode.Evidence) uint64 { return uint64(e.NprocCount) }, 0},
	{"nproc_limit", decode.KnownNproc, func(e *decode.Evidence) uint64 { return e.NprocLimit }, noRlimit},
	{"nproc_up", decode.KnownNproc, func(e *decode.Evidence) uint64 { return uint64(e.NprocUp) }, 0},
	{"pids_cgroup_id", decode.KnownPids, func(e *decode.Evidence) uint64 { return e.PidsCgroup }, 0},
	{"pids_count", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsCount) }, 0},
	{"pids_limit", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsLimit) }, noPids},
	{"pids_up", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsUp) }, 0},
	{"pid_ns_for_children", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.Pidns) }, 0},
	{"pid_ns_level", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.PidnsLevel) }, 0},
	{"pid_ns_used", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.PidnsAllocated &^ (1 << 31)) }, 0},
	{"user_ns_level", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.UserLevel) }, 0},
	{"euid", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.EUID) }, 0},
	{"policy", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.Policy) }, 0},
	{"seccomp_mode", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.SeccompMode) }, 0},
	{"memory_cgroup_id", decode.KnownMemory, func(e *decode.Evidence) uint64 { return e.MemoryCgroup }, 0},
	{"memory_usage_pages", decode.KnownMemory, func(e *decode.Evidence) uint64 { return uint64(e.MemoryUsage) }, 0},
	{"memory_limit_pages", decode.KnownMemory, func(e *decode.Evidence) uint64 { return uint64(e.MemoryLimit) }, noPages},
	{"pgtables_bytes", decode.KnownPgtables, func(e *decode.Evidence) uint64 { return e.PgtablesBytes }, 0},
	{"memory_failcnt", decode.KnownMemory, func(e *decode.Evidence) uint64 { return e.MemoryFailcnt }, 0},
	{"nofile_limit", decode.KnownFiles, func(e *decode.Evidence) uint64 { return e.NofileLimit }, noRlimit},
	{"clone_args_size", decode.KnownArgs, func(e *decode.Evidence) uint64 { return e.ArgsSize }, 0},
}

// evidenceSets are sets of bits: capabilities and signals.
var evidenceSets = []evidenceField{
	{"cap_effective", decode.KnownCreator, func(e *decode.Evidence) uint64 { return e.CapEffective }, 0},
	{"pending", decode.KnownSignals, func(e *decode.Evidence) uint64 { return e.Pending }, 0},
	{"blocked", decode.KnownSignals, func(e *decode.Evidence) uint64 { return e.Blocked }, 0},
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
	if s := j.reasons.ctx.System; r.Errno() == decode.ENOMEM && s != nil && s.CommitLimit != 0 {
		o.uint("overcommit_memory", uint64(s.Overcommit))
		o.uint("committed_kb", s.Committed)
		o.uint("commit_limit_kb", s.CommitLimit)
	}
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
	dst = t.endLine(dst, start, true)
	if t.opts.Color {
		dst = append(dst[:len(dst)-1], colorReset+"\n"...)
	}
	return dst
}
