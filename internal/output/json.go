// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"strconv"

	"github.com/forktrace/forktrace/decode"
)

// SchemaVersion is the version of the objects that JSON writes; docs/schema.json
// describes them. It grows when a field changes its meaning or goes away.
const SchemaVersion = 1

// JSON writes one object a line. What is not known is absent.
type JSON struct {
	// Symbol names the function at a kernel address; it may be nil.
	Symbol func(address uint64) (string, bool)
	// Check says which promises a creation breaks; it may be nil.
	Check func(*decode.Record) []decode.Violation
	// Fallback is the error that the creation's thread got from clone3 just before, 0 if
	// none; it may be nil.
	Fallback func() decode.Errno

	out      io.Writer
	cgroup   func(id uint64) (string, bool)
	reasons  *reasoner
	clock    Clock
	flags    memo[uint64]
	creators memo[creatorKey]
	facts    [len(factsOf)]memo[factsKey] // by group
	buf      []byte
}

// NewJSON prepares a writer. system tells what reasons rest on; it may be nil.
func NewJSON(out io.Writer, cgroups Cgroups, system SystemAt) *JSON {
	return &JSON{out: out, cgroup: cgroups.V2, reasons: newReasoner(system, cgroups, rawPath)}
}

// rawPath leaves a path as it is: JSON has its own escapes.
func rawPath(dst []byte, path string) []byte { return append(dst, path...) }

// Header writes nothing: every line of JSON Lines is an object.
func (*JSON) Header() error { return nil }

// Creation writes one record.
func (j *JSON) Creation(r *decode.Record) error {
	o := object{buf: j.buf}
	o.open()
	o.text("type", "creation")
	o.uint("schema", SchemaVersion)
	o.key("time")
	o.buf = j.clock.appendRFC3339(append(o.buf, '"'), r.Time)
	o.buf = append(o.buf, '"')
	o.uint("boot_ns", r.Time)
	o.uint("seq", r.Seq)
	o.uint("cpu", uint64(r.CPU))
	o.text("entry", r.Entry.String())
	o.text("kind", r.Kind().String())
	if call := r.Call(); call != "" {
		o.text("call", call)
	}
	j.appendRequest(&o, r)
	if r.Have&decode.HaveDuration != 0 {
		o.uint("took_ns", r.Duration)
	}
	j.appendCreator(&o, r)
	if r.Have&decode.HaveChild != 0 {
		j.appendChild(&o, r)
	}
	reason, known := j.reasons.of(r)
	o.int("result", int64(r.Result))
	if r.Failed() {
		j.appendError(&o, r, &reason, known)
	}
	appendLayer(&o, r, &reason, j.reasons.ctx.System)
	if j.Fallback != nil {
		appendFallback(&o, j.Fallback())
	}
	if known {
		j.appendReason(&o, r, &reason)
	}
	if r.FactsKnown != 0 && !r.Failed() {
		o.child("shares")
		j.appendFacts(&o, r, decode.FactShared)
		o.close()
	}
	if j.Check != nil {
		appendViolations(&o, j.Check(r))
	}
	o.close()
	j.buf = append(o.buf, '\n')
	if len(j.buf) >= flushAt {
		return j.Flush()
	}
	return nil
}

func (j *JSON) appendRequest(o *object, r *decode.Record) {
	if r.Have&decode.HaveFlags != 0 {
		j.flags.append(o, r.Flags, &r.Flags, func(o *object) bool { writeFlags(o, r.Flags); return true })
	}
	if r.Have&decode.HaveExitSignal != 0 {
		o.signal("exit_signal", r.ExitSignal)
	}
	if !hasRequestFields(r) {
		return
	}
	o.child("request")
	for i := range requestFields {
		if v, ok := requestFields[i].value(r); ok {
			o.hex(requestFields[i].name, v)
		}
	}
	if r.Have&decode.HaveFn != 0 && j.Symbol != nil {
		if name, ok := j.Symbol(r.Fn); ok {
			o.string("function", name)
		}
	}
	if r.Have&decode.HaveCgroupFD != 0 {
		o.int("cgroup_fd", int64(r.CgroupFD))
	}
	if r.Have&decode.HaveSetTid != 0 {
		o.uint("set_tid_size", uint64(r.SetTidSize))
		o.key("set_tid")
		o.buf = append(o.buf, '[')
		for i := range min(r.SetTidSize, decode.SetTidMax) {
			o.element()
			o.buf = strconv.AppendInt(o.buf, int64(r.SetTid[i]), 10)
		}
		o.buf = append(o.buf, ']')
		o.some = true
	}
	if r.Have&decode.HaveReread != 0 {
		o.bool("reread", true)
	}
	o.close()
}

// hasRequestFields says whether anything of the request but flags and signal is known.
func hasRequestFields(r *decode.Record) bool {
	const fields = decode.HaveStack | decode.HaveStackSize | decode.HaveParentTidptr | decode.HaveChildTidptr |
		decode.HaveTLS | decode.HavePidfd | decode.HaveSetTid | decode.HaveCgroupFD | decode.HaveFn
	return r.Have&fields != 0
}

func (j *JSON) appendCreator(o *object, r *decode.Record) {
	k := creatorOf(r)
	j.creators.append(o, uint64(r.Tid), &k, func(o *object) bool { return j.writeCreator(o, r) })
}

// writeCreator writes what [creatorKey] has. What cannot be told of it now, as the path of a new
// cgroup, may be told later: such a text is not to be kept.
func (j *JSON) writeCreator(o *object, r *decode.Record) (lasts bool) {
	o.child("creator")
	o.uint("pid", uint64(r.Pid))
	o.uint("tid", uint64(r.Tid))
	o.uint("ppid", uint64(r.PPid))
	o.key("comm")
	o.buf = appendJSONString(o.buf, r.CommBytes())
	o.uint("uid", uint64(r.UID))
	o.uint("gid", uint64(r.GID))
	if r.Have&decode.HaveStartTime != 0 {
		o.uint("start_time", r.StartTime)
	}
	lasts = j.appendCgroup(o, r.CgroupID, r.Have&decode.HaveCgroup != 0)
	if r.Have&decode.HaveNamespaces != 0 {
		o.uint("pid_ns", uint64(r.PidNS))
		o.uint("user_ns", uint64(r.UserNS))
		o.uint("mnt_ns", uint64(r.MntNS))
	}
	if r.Have&decode.HaveCreatorDetails != 0 {
		o.uint("ns_level", uint64(r.CreatorLevel))
		o.hex("cap_effective", r.CapEffective)
	}
	if r.Have&decode.HaveLeader != 0 {
		o.signal("leader_exit_signal", r.LeaderSignal)
	}
	j.appendFacts(o, r, decode.FactOfCreator)
	o.close()
	return lasts
}

func (j *JSON) appendChild(o *object, r *decode.Record) {
	o.child("child")
	o.uint("pid", uint64(r.ChildPid))
	o.uint("tid", uint64(r.Result))
	if r.Have&decode.HaveChildDetails != 0 {
		o.uint("ppid", uint64(r.ChildPPid))
		o.uint("ptid", uint64(r.ChildPTid))
		o.key("ns_pids")
		o.buf = append(o.buf, '[')
		for i := range nsPids(r) {
			o.element()
			o.buf = strconv.AppendUint(o.buf, uint64(r.NSPids[i]), 10)
		}
		o.buf = append(o.buf, ']')
		o.some = true
	}
	o.uint("ns_level", uint64(r.ChildLevel))
	if r.ChildPidNS != 0 {
		o.uint("pid_ns", uint64(r.ChildPidNS))
	}
	if r.Have&decode.HaveStartTime != 0 {
		o.uint("start_time", r.ChildStartTime)
	}
	if r.ChildExitSignal >= 0 {
		o.signal("exit_signal", r.ChildExitSignal)
	}
	if r.ChildSetChildTid != 0 {
		o.hex("set_child_tid", r.ChildSetChildTid)
	}
	if r.ChildClearChildTid != 0 {
		o.hex("clear_child_tid", r.ChildClearChildTid)
	}
	if r.Have&decode.HaveChildTLS != 0 {
		o.hex("tls", r.ChildTLS)
	}
	j.appendCgroup(o, r.ChildCgroupID, r.Have&decode.HaveChildCgroup != 0)
	j.appendFacts(o, r, decode.FactOfChild)
	o.close()
}

// appendCgroup adds a cgroup if it is known; told says whether its path could be.
func (j *JSON) appendCgroup(o *object, id uint64, known bool) (told bool) {
	if !known {
		return true
	}
	o.uint("cgroup_id", id)
	if j.cgroup == nil {
		return true
	}
	path, ok := j.cgroup(id)
	if ok {
		o.string("cgroup", path)
	}
	return ok
}

// appendError adds the error and what it means: where reasons are looked for, what the
// reason says.
func (j *JSON) appendError(o *object, r *decode.Record, reason *decode.Reason, known bool) {
	o.key("errno")
	o.buf = append(decode.AppendErrno(append(o.buf, '"'), r.Errno()), '"')
	if !known {
		o.text("meaning", decode.FailureText(r))
		return
	}
	o.key("meaning")
	o.buf = appendJSONString(o.buf, j.reasons.sentence(r, reason))
}

func appendLayer(o *object, r *decode.Record, reason *decode.Reason, sys *decode.System) {
	if r.Layer > decode.LayerNone {
		o.text("layer", r.Layer.String())
	}
	if r.Have&decode.HaveStages != 0 {
		appendStages(o, r, reason, sys)
	}
}

// appendFallback says that the call was made in the place of a clone3 that was refused.
func appendFallback(o *object, errno decode.Errno) {
	if errno == 0 {
		return
	}
	o.child("fallback_from")
	o.text("entry", decode.EntryClone3.String())
	o.key("errno")
	o.buf = append(decode.AppendErrno(append(o.buf, '"'), errno), '"')
	o.close()
}

func (j *JSON) appendFacts(o *object, r *decode.Record, group decode.FactGroup) {
	known := r.FactsKnown & factsOf[group]
	k := factsKey{known, r.Facts & known}
	j.facts[group].append(o, uint64(k.known^k.is<<32^k.is>>32), &k, func(o *object) bool { writeFacts(o, k); return true })
}

// Resumed writes that a creator runs again which vfork had suspended.
func (j *JSON) Resumed(r *decode.Resumed) error {
	o := object{buf: j.buf}
	o.open()
	o.text("type", "resumed")
	o.uint("schema", SchemaVersion)
	o.key("time")
	o.buf = append(j.clock.appendRFC3339(append(o.buf, '"'), r.Time), '"')
	o.some = true
	o.uint("boot_ns", r.Time)
	o.uint("cpu", uint64(r.CPU))
	o.child("creator")
	o.uint("pid", uint64(r.Pid))
	o.uint("tid", uint64(r.Tid))
	o.close()
	o.child("child")
	o.int("tid", int64(r.Child))
	o.close()
	o.uint("suspended_ns", r.Suspended)
	o.close()
	j.buf = append(o.buf, '\n')
	return nil
}

// Lost tells, in its place, that records are missing.
func (j *JSON) Lost(cpu uint32, n uint64) error {
	o := object{buf: j.buf}
	o.open()
	o.text("type", "lost")
	o.uint("schema", SchemaVersion)
	o.key("time")
	o.buf = append(j.clock.appendRFC3339(append(o.buf, '"'), BootNow()), '"')
	o.some = true
	if cpu != ^uint32(0) {
		o.uint("cpu", uint64(cpu))
	}
	o.uint("lost", n)
	o.close()
	j.buf = append(o.buf, '\n')
	return nil
}

// Flush writes what is pending.
func (j *JSON) Flush() error {
	if len(j.buf) == 0 {
		return nil
	}
	_, err := j.out.Write(j.buf)
	j.buf = j.buf[:0]
	return err
}
