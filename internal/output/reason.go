// SPDX-License-Identifier: Apache-2.0

package output

import "github.com/forktrace/forktrace/decode"

// Cgroups find the path of a cgroup by its id, in the hierarchy of version 2, of the pids
// controller and of the memory controller. Each may be nil.
type Cgroups struct {
	V2, Pids, Memory func(id uint64) (path string, ok bool)
	PidsV2           bool // the pids controller is on the hierarchy of version 2
}

// SystemAt tells what holds for all creators at about the time of a failure.
type SystemAt func(*decode.Record) *decode.System

// reasoner finds reasons and says them; without a [SystemAt] there are none.
type reasoner struct {
	at  SystemAt
	ctx decode.ReasonContext
	buf []byte
}

func newReasoner(at SystemAt, cgroups Cgroups, path func(dst []byte, path string) []byte) *reasoner {
	return &reasoner{at: at, ctx: decode.ReasonContext{Cgroup: cgroups.V2, Pids: cgroups.Pids, Memory: cgroups.Memory, PidsV2: cgroups.PidsV2, Path: path}}
}

// of finds the reason of a failure; ok is false where none can be told.
func (x *reasoner) of(r *decode.Record) (reason decode.Reason, ok bool) {
	if x.at == nil || !r.Failed() || r.Errno().IsRestart() {
		return reason, false
	}
	x.ctx.System = x.at(r)
	return decode.ReasonOf(r, x.ctx.System), true
}

// sentence is valid until the next call.
func (x *reasoner) sentence(r *decode.Record, reason *decode.Reason) []byte {
	x.buf = decode.AppendReason(x.buf[:0], r, reason, &x.ctx)
	return x.buf
}

// fix is valid until the next call; empty where there is no advice.
func (x *reasoner) fix(r *decode.Record, reason *decode.Reason) []byte {
	x.buf = decode.AppendFix(x.buf[:0], r, reason, &x.ctx)
	return x.buf
}

// safePath makes a path harmless to a terminal.
func safePath(dst []byte, path string) []byte { return AppendSafe(dst, []byte(path)) }

// appendReason adds why an attempt failed, and what was read to tell it.
func (j *JSON) appendReason(o *object, r *decode.Record) {
	reason, ok := j.reasons.of(r)
	if !ok {
		return
	}
	o.child("reason")
	if reason.Rule != nil {
		o.text("id", reason.ID())
	}
	o.text("certainty", reason.Certainty.String())
	o.key("text")
	o.buf = appendJSONString(o.buf, j.reasons.sentence(r, &reason))
	if fix := j.reasons.fix(r, &reason); len(fix) > 0 {
		o.key("fix")
		o.buf = appendJSONString(o.buf, fix)
	}
	if reason.Count > 0 {
		o.key("candidates")
		o.buf = append(o.buf, '[')
		for _, c := range reason.List() {
			o.element()
			o.buf = append(append(append(o.buf, '"'), c.ID...), '"')
		}
		o.buf = append(o.buf, ']')
		o.some = true
		o.key("tell_apart")
		o.buf = append(o.buf, '[')
		for _, c := range reason.List() {
			o.element()
			o.buf = appendJSONString(o.buf, []byte(c.TellsApart()))
		}
		o.buf = append(o.buf, ']')
	}
	o.close()
	j.appendEvidence(o, r)
}

// evidenceField is one number of the evidence.
type evidenceField struct {
	name  string
	known decode.Known
	value func(*decode.Evidence) uint64
}

// noLimit is what the kernel has where there is no limit, or more (RLIM_INFINITY,
// PIDS_MAX, PAGE_COUNTER_MAX): such a limit is left out.
const noLimit = 1 << 62

// evidenceFields in the order of kernel-facts D. Counts are of a moment after the refusal.
var evidenceFields = []evidenceField{
	{"nproc_count", decode.KnownNproc, func(e *decode.Evidence) uint64 { return uint64(e.NprocCount) }},
	{"nproc_limit", decode.KnownNproc, func(e *decode.Evidence) uint64 { return e.NprocLimit }},
	{"nproc_up", decode.KnownNproc, func(e *decode.Evidence) uint64 { return uint64(e.NprocUp) }},
	{"pids_cgroup_id", decode.KnownPids, func(e *decode.Evidence) uint64 { return e.PidsCgroup }},
	{"pids_count", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsCount) }},
	{"pids_limit", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsLimit) }},
	{"pids_up", decode.KnownPids, func(e *decode.Evidence) uint64 { return uint64(e.PidsUp) }},
	{"pid_ns_for_children", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.Pidns) }},
	{"pid_ns_level", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.PidnsLevel) }},
	{"pid_ns_used", decode.KnownPidns, func(e *decode.Evidence) uint64 { return uint64(e.PidnsAllocated &^ (1 << 31)) }},
	{"user_ns_level", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.UserLevel) }},
	{"euid", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.EUID) }},
	{"policy", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.Policy) }},
	{"seccomp_mode", decode.KnownCreator, func(e *decode.Evidence) uint64 { return uint64(e.SeccompMode) }},
	{"memory_cgroup_id", decode.KnownMemory, func(e *decode.Evidence) uint64 { return e.MemoryCgroup }},
	{"memory_usage_pages", decode.KnownMemory, func(e *decode.Evidence) uint64 { return uint64(e.MemoryUsage) }},
	{"memory_limit_pages", decode.KnownMemory, func(e *decode.Evidence) uint64 { return uint64(e.MemoryLimit) }},
	{"memory_failcnt", decode.KnownMemory, func(e *decode.Evidence) uint64 { return e.MemoryFailcnt }},
	{"nofile_limit", decode.KnownFiles, func(e *decode.Evidence) uint64 { return e.NofileLimit }},
	{"clone_args_size", decode.KnownArgs, func(e *decode.Evidence) uint64 { return e.ArgsSize }},
}

func (j *JSON) appendEvidence(o *object, r *decode.Record) {
	e := &r.Evidence
	if e.Known == 0 {
		return
	}
	o.child("evidence")
	for i := range evidenceFields {
		f := &evidenceFields[i]
		if v := f.value(e); e.Known&f.known != 0 && v < noLimit {
			o.uint(f.name, v)
		}
	}
	if e.Known&decode.KnownPids != 0 && j.reasons.ctx.Pids != nil {
		if path, ok := j.reasons.ctx.Pids(e.PidsCgroup); ok {
			o.string("pids_cgroup", path)
		}
	}
	if e.Known&decode.KnownCreator != 0 {
		o.hex("cap_effective", e.CapEffective)
	}
	if e.Known&decode.KnownSignals != 0 {
		o.hex("pending", e.Pending)
		o.hex("blocked", e.Blocked)
	}
	if s := j.reasons.ctx.System; r.Errno() == decode.ENOMEM && s != nil && s.CommitLimit != 0 {
		o.uint("overcommit_memory", uint64(s.Overcommit))
		o.uint("committed_kb", s.Committed)
		o.uint("commit_limit_kb", s.CommitLimit)
	}
	appendSender(o, e)
	if e.Known&decode.KnownPidns != 0 {
		o.bool("pid_ns_open", e.PidnsAllocated&(1<<31) != 0)
		o.bool("pid_ns_init", e.PidnsInit)
	}
	if e.Known&decode.KnownChroot != 0 {
		o.bool("chrooted", e.Chrooted)
	}
	if e.Known&decode.KnownUnmapped != 0 {
		o.bool("unmapped", e.Unmapped)
	}
	o.close()
}
