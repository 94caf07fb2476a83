// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strconv"

	"github.com/forktrace/forktrace/decode"
)

// appendDetails is the second line of -v: who it was, what was asked for, and what the
// child shares with its creator.
func (t *Text) appendDetails(dst []byte, r *decode.Record) []byte {
	start := len(dst)
	if t.opts.Color {
		dst = append(dst, colorDim...)
	}
	dst = append(dst, "    uid="...)
	dst = strconv.AppendUint(dst, uint64(r.UID), 10)
	dst = append(dst, " gid="...)
	dst = strconv.AppendUint(dst, uint64(r.GID), 10)
	if path, ok := t.cgroup(r); ok {
		dst = AppendSafe(append(dst, " cgroup="...), []byte(path))
	}
	for i := range requestFields {
		f := &requestFields[i]
		if v, ok := f.value(r); ok {
			dst = append(append(append(dst, ' '), f.name...), '=')
			dst = decode.AppendHex(dst, v)
		}
	}
	if r.Have&decode.HaveFn != 0 && t.opts.Symbol != nil {
		if name, ok := t.opts.Symbol(r.Fn); ok {
			dst = AppendSafe(append(dst, " function="...), []byte(name))
		}
	}
	if r.Have&decode.HaveCgroupFD != 0 {
		dst = strconv.AppendInt(append(dst, " cgroup_fd="...), int64(r.CgroupFD), 10)
	}
	if r.Have&decode.HaveSetTid != 0 {
		dst = append(dst, " set_tid="...)
		for i := range min(r.SetTidSize, decode.SetTidMax) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendInt(dst, int64(r.SetTid[i]), 10)
		}
	}
	if r.Have&decode.HaveDuration != 0 {
		dst = append(appendSeconds(append(dst, " took="...), r.Duration), 's')
	}
	if r.Have&decode.HaveNamespaces != 0 {
		dst = strconv.AppendUint(append(dst, " pid_ns="...), uint64(r.PidNS), 10)
		dst = strconv.AppendUint(append(dst, " user_ns="...), uint64(r.UserNS), 10)
		dst = strconv.AppendUint(append(dst, " mnt_ns="...), uint64(r.MntNS), 10)
	}
	if r.Layer > decode.LayerNone {
		dst = append(append(dst, " layer="...), r.Layer.String()...)
	}
	if r.Have&decode.HaveChild != 0 {
		dst = appendChildDetails(dst, r)
	}
	if t.opts.Color {
		dst = append(dst, colorReset...)
	}
	return t.endLine(dst, start, true)
}

func appendChildDetails(dst []byte, r *decode.Record) []byte {
	if r.Have&decode.HaveChildDetails != 0 {
		dst = strconv.AppendUint(append(dst, " child_ppid="...), uint64(r.ChildPPid), 10)
		dst = strconv.AppendUint(append(dst, " child_ptid="...), uint64(r.ChildPTid), 10)
	}
	if r.ChildLevel > 0 && r.Have&decode.HaveChildDetails != 0 {
		dst = append(dst, " ns_pids="...)
		for i := range nsPids(r) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = strconv.AppendUint(dst, uint64(r.NSPids[i]), 10)
		}
	}
	dst = appendFactNames(append(dst, " shares="...), r, true)
	return appendFactNames(append(dst, " own="...), r, false)
}

// appendFactNames lists what is shared, or what is not, of all that could be observed.
func appendFactNames(dst []byte, r *decode.Record, shared bool) []byte {
	at := len(dst)
	for i := range decode.Facts {
		f := &decode.Facts[i]
		if f.Group != decode.FactShared || !r.FactsKnown.Has(f.Fact) || r.Facts.Has(f.Fact) != shared {
			continue
		}
		if len(dst) > at {
			dst = append(dst, ',')
		}
		dst = append(dst, f.Name...)
	}
	if len(dst) == at {
		dst = append(dst, '-')
	}
	return dst
}

func (t *Text) cgroup(r *decode.Record) (string, bool) {
	if r.Have&decode.HaveCgroup == 0 || t.opts.Cgroups.V2 == nil {
		return "", false
	}
	return t.opts.Cgroups.V2(r.CgroupID)
}

// nsPids is how many levels of NSPids are there.
func nsPids(r *decode.Record) int { return int(min(r.ChildLevel+1, decode.NSPidsMax)) }

// requestField is one row of the table of arguments that are addresses or sizes.
type requestField struct {
	name  string
	value func(*decode.Record) (uint64, bool)
}

// requestFields are named as clone3's struct clone_args names them (clone(2)).
var requestFields = []requestField{
	{"stack", func(r *decode.Record) (uint64, bool) { return r.Stack, r.Have&decode.HaveStack != 0 }},
	{"stack_size", func(r *decode.Record) (uint64, bool) { return r.StackSize, r.Have&decode.HaveStackSize != 0 }},
	{"parent_tid", func(r *decode.Record) (uint64, bool) { return r.ParentTidptr, r.Have&decode.HaveParentTidptr != 0 }},
	{"child_tid", func(r *decode.Record) (uint64, bool) { return r.ChildTidptr, r.Have&decode.HaveChildTidptr != 0 }},
	{"tls", func(r *decode.Record) (uint64, bool) { return r.TLS, r.Have&decode.HaveTLS != 0 }},
	{"pidfd", func(r *decode.Record) (uint64, bool) { return r.Pidfd, r.Have&decode.HavePidfd != 0 }},
	{"fn", func(r *decode.Record) (uint64, bool) { return r.Fn, r.Have&decode.HaveFn != 0 }},
}
