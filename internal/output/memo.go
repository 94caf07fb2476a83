// SPDX-License-Identifier: Apache-2.0

package output

import "github.com/forktrace/forktrace/decode"

// memo keeps texts that follow from a key alone: a machine's creations are of few sorts, in a
// storm they have few creators, and nearly all records repeat a text that was written before.
type memo[K comparable] struct {
	kept [memoSize]struct {
		key   K
		valid bool
		text  []byte
	}
	fresh object // on the stack it would escape
}

// memoSize bounds what is kept whatever is traced; a power of two. Each key has one place, by
// its hash, which it shares: the last text stays.
const memoSize = 16

// append appends the text of a key: write adds it to an object when it is not kept, and says
// whether it may be.
func (m *memo[K]) append(o *object, hash uint64, key *K, write func(o *object) (lasts bool)) {
	// by a product the bits of all positions meet in the highest
	at := &m.kept[hash*0x9e3779b97f4a7c15>>60%memoSize]
	if !at.valid || at.key != *key {
		m.fresh = object{buf: at.text[:0]}
		at.valid = write(&m.fresh)
		at.key, at.text = *key, m.fresh.buf
	}
	if len(at.text) == 0 {
		return
	}
	if o.some {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(o.buf, at.text...)
	o.some = true
}

// factsKey are facts of one group: which are known, and which of these are true.
type factsKey struct{ known, is decode.FactSet }

// creatorKey is all that is written of a creator.
type creatorKey struct {
	startTime, cgroupID, capEffective   uint64
	facts                               factsKey
	comm                                [decode.CommLen]byte
	pid, tid, ppid, uid, gid            uint32
	pidNS, userNS, mntNS, level, signal uint32
	have                                decode.Have
}

func creatorOf(r *decode.Record) creatorKey {
	known := r.FactsKnown & factsOf[decode.FactOfCreator]
	return creatorKey{
		startTime: r.StartTime, cgroupID: r.CgroupID, capEffective: r.CapEffective, facts: factsKey{known, r.Facts & known},
		comm: r.Comm, pid: r.Pid, tid: r.Tid, ppid: r.PPid, uid: r.UID, gid: r.GID,
		pidNS: r.PidNS, userNS: r.UserNS, mntNS: r.MntNS, level: r.CreatorLevel, signal: uint32(r.LeaderSignal),
		have: r.Have & (decode.HaveStartTime | decode.HaveCgroup | decode.HaveNamespaces | decode.HaveCreatorDetails | decode.HaveLeader),
	}
}

// factsOf are the facts of each group.
var factsOf = func() (of [decode.FactOfCreator + 1]decode.FactSet) {
	for i := range decode.Facts {
		of[decode.Facts[i].Group] |= 1 << decode.Facts[i].Fact
	}
	return of
}()

// writeFacts writes the facts in known, those in is as true. They are of one group: the same
// name can be in several.
func writeFacts(o *object, k factsKey) {
	for i := range decode.Facts {
		if f := &decode.Facts[i]; k.known.Has(f.Fact) {
			o.bool(f.Name, k.is.Has(f.Fact))
		}
	}
}

// writeFlags writes a request's flags, as a number and by name.
func writeFlags(o *object, flags uint64) {
	o.hex("flags", flags)
	o.key("flag_names")
	o.buf = append(o.buf, '[')
	for f := range decode.FlagsIn(flags) {
		o.element()
		o.buf = append(append(append(o.buf, '"'), f.Name...), '"')
	}
	if rest := flags &^ decode.KnownFlags; rest != 0 {
		o.element()
		o.buf = append(decode.AppendHex(append(o.buf, '"'), rest), '"')
	}
	o.buf = append(o.buf, ']')
	o.some = true
}
