// SPDX-License-Identifier: Apache-2.0

package output

import (
	"strconv"

	"github.com/forktrace/forktrace/decode"
)

// appendChains adds the limits one by one, from the creator's user namespace and the
// child's cgroup upwards. A limit that is absent is none.
func (j *JSON) appendChains(o *object, e *decode.Evidence) {
	if chain := e.NprocChain(); e.Known&decode.KnownNproc != 0 && len(chain) > 0 {
		o.key("nproc")
		o.buf = append(o.buf, '[')
		for i := range chain {
			o.element()
			o.open()
			o.uint("user_ns", uint64(chain[i].NS))
			o.uint("uid", uint64(chain[i].UID))
			appendLimit(o, chain[i].Count, chain[i].Limit, noRlimit)
			o.close()
		}
		o.buf = append(o.buf, ']')
	}
	if chain := e.PidsChain(); e.Known&decode.KnownPids != 0 && len(chain) > 0 {
		o.key("pids")
		o.buf = append(o.buf, '[')
		for i := range chain {
			o.element()
			o.open()
			o.uint("cgroup_id", chain[i].Cgroup)
			if path, ok := j.reasons.pidsPath(chain[i].Cgroup); ok {
				o.string("cgroup", path)
			}
			appendLimit(o, chain[i].Count, uint64(chain[i].Limit), noPids)
			o.close()
		}
		o.buf = append(o.buf, ']')
	}
}

func appendLimit(o *object, count int64, limit, none uint64) {
	o.int("count", count)
	if limit < none {
		o.uint("limit", limit)
	}
}

func (x *reasoner) pidsPath(id uint64) (string, bool) {
	if x.ctx.Pids == nil {
		return "", false
	}
	return x.ctx.Pids(id)
}

// laterField is a number that BPF cannot read, at least not on every kernel: user space reads
// it when it gets the record.
type laterField struct {
	name  string
	errno decode.Errno // of the failures for which it is read
	value func(*decode.System) uint64
	given func(*decode.System) bool
	known func(*decode.Evidence) bool // BPF has read it at the failure
}

var laterFields = []laterField{
	{"threads", decode.EAGAIN, func(s *decode.System) uint64 { return s.Threads }, func(s *decode.System) bool { return s.Threads != 0 }, knowsThreads},
	{"threads_max", decode.EAGAIN, func(s *decode.System) uint64 { return s.MaxThreads }, func(s *decode.System) bool { return s.MaxThreads != 0 }, knowsThreads},
	{"pid_max", decode.EAGAIN, func(s *decode.System) uint64 { return uint64(s.PidMax) }, func(s *decode.System) bool { return s.PidMax != 0 }, knowsPidMax},
	{"nr_open", decode.EMFILE, func(s *decode.System) uint64 { return s.NrOpen }, func(s *decode.System) bool { return s.NrOpen != 0 }, knowsNrOpen},
	{"overcommit_memory", decode.ENOMEM, func(s *decode.System) uint64 { return uint64(s.Overcommit) }, hasCommitLimit, knowsCommitted},
	{"committed_kb", decode.ENOMEM, func(s *decode.System) uint64 { return s.Committed }, hasCommitLimit, knowsCommitted},
	{"commit_limit_kb", decode.ENOMEM, func(s *decode.System) uint64 { return s.CommitLimit }, hasCommitLimit, knowsCommitLimit},
}

func knowsThreads(e *decode.Evidence) bool { return e.Known&decode.KnownThreads != 0 }
func knowsNrOpen(e *decode.Evidence) bool  { return e.Known&decode.KnownNrOpen != 0 }
func knowsCommitLimit(e *decode.Evidence) bool {
	return e.Known&decode.KnownCommitLimit != 0
}
func knowsPidMax(e *decode.Evidence) bool { return e.FullestMax != 0 }
func knowsCommitted(e *decode.Evidence) bool {
	return e.Known&decode.KnownCommitted != 0
}

func hasCommitLimit(s *decode.System) bool { return s.CommitLimit != 0 }

// eachLater calls f with the numbers that were read for a failure after it.
func eachLater(s *decode.System, r *decode.Record, f func(name string, v uint64)) {
	if s == nil {
		return
	}
	for i := range laterFields {
		if l := &laterFields[i]; l.errno == r.Errno() && !l.known(&r.Evidence) && l.given(s) {
			f(l.name, l.value(s))
		}
	}
}

func appendLater(o *object, s *decode.System, r *decode.Record) {
	some := false
	eachLater(s, r, func(name string, v uint64) {
		if !some {
			o.child("read_later")
			some = true
		}
		o.uint(name, v)
	})
	if some {
		o.close()
	}
}

// appendLimits adds the same for a person: count/limit of each user namespace and cgroup.
func (t *Text) appendLimits(dst []byte, r *decode.Record) []byte {
	e := &r.Evidence
	if chain := e.NprocChain(); e.Known&decode.KnownNproc != 0 && len(chain) > 1 {
		dst = append(dst, " nproc="...)
		for i := range chain {
			dst = append(appendComma(dst, i), "user_ns:"...)
			dst = strconv.AppendUint(dst, uint64(chain[i].NS), 10)
			dst = appendCount(append(dst, ':'), chain[i].Count, chain[i].Limit, noRlimit)
		}
	}
	if chain := e.PidsChain(); e.Known&decode.KnownPids != 0 && len(chain) > 0 {
		dst = append(dst, " pids="...)
		for i := range chain {
			dst = appendComma(dst, i)
			if path, ok := t.reasons.pidsPath(chain[i].Cgroup); ok {
				dst = AppendSafe(dst, []byte(path))
			} else {
				dst = strconv.AppendUint(append(dst, "cgroup "...), chain[i].Cgroup, 10)
			}
			dst = appendCount(append(dst, ':'), chain[i].Count, uint64(chain[i].Limit), noPids)
		}
	}
	some := false
	eachLater(t.reasons.ctx.System, r, func(name string, v uint64) {
		if !some {
			dst = append(dst, "; read later:"...)
			some = true
		}
		dst = strconv.AppendUint(append(append(append(dst, ' '), name...), '='), v, 10)
	})
	return dst
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	return dst
}

// appendCount writes 17/20, or 17/max where there is no limit.
func appendCount(dst []byte, count int64, limit, none uint64) []byte {
	dst = append(strconv.AppendInt(dst, count, 10), '/')
	if limit >= none {
		return append(dst, "max"...)
	}
	return strconv.AppendUint(dst, limit, 10)
}
