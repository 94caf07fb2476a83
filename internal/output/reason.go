// SPDX-License-Identifier: Apache-2.0

package output

import "github.com/forktrace/forktrace/decode"

// Cgroups find the path of a cgroup by its id, in the hierarchy of version 2, of the pids
// controller and of the memory controller. Each may be nil.
type Cgroups struct {
	V2, Pids, Memory func(id uint64) (path string, ok bool)
	// PidsV2 says that Pids finds those of version 2, too.
	PidsV2 bool
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
	if x.at == nil || !r.Failed() || r.Restarted() {
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
func (j *JSON) appendReason(o *object, r *decode.Record, reason *decode.Reason) {
	o.child("reason")
	if reason.Rule != nil {
		o.text("id", reason.ID())
	}
	o.text("certainty", reason.Certainty.String())
	o.key("text")
	o.buf = appendJSONString(o.buf, j.reasons.sentence(r, reason))
	if fix := j.reasons.fix(r, reason); len(fix) > 0 {
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
