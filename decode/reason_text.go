// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"strconv"
	"strings"
)

// ReasonContext is what sentences about reasons need beside the record.
type ReasonContext struct {
	System *System
	// Cgroup, Pids and Memory find the path of a cgroup by its id, in the hierarchy of
	// version 2, of the pids controller and of the memory controller, which may be others
	// of version 1; nil where none can be found.
	Cgroup, Pids, Memory func(id uint64) (path string, ok bool)
	// PidsV2 says that the pids controller is on the hierarchy of version 2, where not
	// every cgroup need have it.
	PidsV2 bool
	// Path writes a path, which may come from an attacker, so that it does no harm.
	Path func(dst []byte, path string) []byte
}

// observation is one row of the table of sentences that have the numbers of the instant:
// what follows replaces the general sentence of the rule when known.
type observation struct {
	id     string
	known  Known
	append func(dst []byte, r *Record, c *ReasonContext) []byte
	fix    func(dst []byte, r *Record, c *ReasonContext) []byte // nil: the rule's remedy
}

var observations = []observation{
	{"pids-limit", KnownPids, appendPids, fixPids},
	{"nproc-limit", KnownNproc, appendNproc, fixNproc},
	{"max-threads", 0, appendThreads, nil},
	{"pid-exhausted", KnownFullest, appendPidsUsed, nil},
	{"pidns-dead", KnownPidns, appendPidnsDead, nil},
	{"pidfd-no-fd", KnownFiles, appendNoFD, nil},
	{"newpid-depth", KnownPidns, appendPidDepth, nil},
	{"userns-depth", KnownCreator, appendUserDepth, nil},
	{"seccomp-denied", KnownCreator, appendSeccomp, nil},
}

func observationOf(rule *Rule, r *Record) *observation {
	for i := range observations {
		if o := &observations[i]; o.id == rule.ID && r.Evidence.Known&o.known == o.known {
			return o
		}
	}
	return nil
}

// maxExplained is how many candidates are explained in the sentence that lists them.
const maxExplained = 3

// AppendReason appends one sentence that says why an attempt failed, with the numbers of
// that instant where they are known.
func AppendReason(dst []byte, r *Record, reason *Reason, c *ReasonContext) []byte {
	switch {
	case reason.Rule != nil:
		return appendRule(dst, reason.Rule, r, c)
	case r.Restarted() || reason.Count == 0:
		return append(dst, FailureText(r)...)
	}
	dst = append(dst, "not known which: "...)
	for i, rule := range reason.List() {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, rule.ID...)
		if reason.Count <= maxExplained {
			dst = append(append(dst, " ("...), strings.TrimSuffix(rule.Sentence, ".")...)
			dst = append(dst, ')')
		}
	}
	if reason.More > 0 {
		dst = strconv.AppendInt(append(dst, " and "...), int64(reason.More), 10)
		dst = append(dst, " more"...)
	}
	return appendMemory(dst, r, c)
}

func appendRule(dst []byte, rule *Rule, r *Record, c *ReasonContext) []byte {
	if o := observationOf(rule, r); o != nil {
		at := len(dst)
		if dst = o.append(dst, r, c); len(dst) > at {
			return dst
		}
	}
	dst = append(dst, strings.TrimSuffix(rule.Sentence, ".")...)
	if rule.When.meets(memory) {
		return appendMemory(dst, r, c)
	}
	return dst
}

// AppendFix appends what moves the limit or mends the request, or nothing if the reason is
// not known. It is advice: nothing applies it.
func AppendFix(dst []byte, r *Record, reason *Reason, c *ReasonContext) []byte {
	if reason.Rule == nil {
		return dst
	}
	if o := observationOf(reason.Rule, r); o != nil && o.fix != nil {
		at := len(dst)
		if dst = o.fix(dst, r, c); len(dst) > at {
			return dst
		}
	}
	return append(dst, strings.TrimSuffix(reason.Rule.Remedy, ".")...)
}

func (c *ReasonContext) appendCgroup(dst []byte, find func(uint64) (string, bool), id uint64) []byte {
	if find != nil {
		if path, ok := find(id); ok {
			return c.Path(dst, path)
		}
	}
	return strconv.AppendUint(append(dst, "cgroup "...), id, 10)
}

// pidsBeyond says that no cgroup that was looked at can have refused, and that there are more above.
func (e *Evidence) pidsBeyond() bool {
	return e.Known&KnownParentChain == 0 && e.PidsLimit-e.PidsCount > nearCount
}

// appendPids: pids.max of /system.slice/ci.slice reached: 512 of 512 (creator in …).
func appendPids(dst []byte, r *Record, c *ReasonContext) []byte {
	e := &r.Evidence
	if e.pidsBeyond() {
		dst = append(dst, "pids.max reached of a cgroup above those that were looked at"...)
		if chain := e.PidsChain(); len(chain) > 0 {
			dst = c.appendCgroup(append(dst, ", from "...), c.Pids, chain[0].Cgroup)
			dst = append(dst, " upwards"...)
		}
		return dst
	}
	dst = c.appendCgroup(append(dst, "pids.max of "...), c.Pids, e.PidsCgroup)
	if e.PidsCount >= e.PidsLimit {
		dst = append(dst, " reached: "...)
	} else { // it has least left of those above the task
		dst = append(dst, " probably reached: a moment later "...)
	}
	dst = strconv.AppendInt(dst, e.PidsCount, 10)
	dst = strconv.AppendInt(append(dst, " of "...), e.PidsLimit, 10)
	into := r.Flags&CloneIntoCgroup != 0
	own := c.PidsV2 && !into && r.Have&HaveCgroup != 0
	if own && r.CgroupID == e.PidsCgroup || !own && e.PidsUp == 0 {
		return dst
	}
	switch chain := e.PidsChain(); {
	case into && len(chain) > 0:
		dst = c.appendCgroup(append(dst, " (child in "...), c.Pids, chain[0].Cgroup)
	case own:
		dst = c.appendCgroup(append(dst, " (creator in "...), c.Cgroup, r.CgroupID)
	case len(chain) > 0:
		dst = c.appendCgroup(append(dst, " (creator in "...), c.Pids, chain[0].Cgroup)
	default:
		dst = strconv.AppendUint(append(dst, " ("...), uint64(e.PidsUp), 10)
		dst = append(dst, " above the creator's own"...)
	}
	return append(dst, ')')
}

// fixPids names the command where the path tells that systemd made the cgroup.
func fixPids(dst []byte, r *Record, c *ReasonContext) []byte {
	if c.Pids == nil || r.Evidence.pidsBeyond() {
		return dst
	}
	path, ok := c.Pids(r.Evidence.PidsCgroup)
	if !ok {
		return dst
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	for _, kind := range [...]string{".slice", ".service", ".scope"} {
		if strings.HasSuffix(last, kind) {
			dst = append(dst, "systemctl "...)
			if strings.Contains(path, "/user@") && !strings.HasPrefix(last, "user@") {
				dst = append(dst, "--user "...) // of the manager of that user
			}
			dst = append(dst, "set-property "...)
			return append(c.Path(dst, last), " TasksMax=…"...)
		}
	}
	return append(c.Path(append(dst, "raise pids.max of "...), path), " (docker run --pids-limit N for a container)"...)
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// appendNproc: user 1000 has 4096 processes and threads, and RLIMIT_NPROC is 4096.
func appendNproc(dst []byte, r *Record, c *ReasonContext) []byte {
	e := &r.Evidence
	user := r.UID
	if e.Known&KnownNprocLevel != 0 {
		user = e.NprocUID
	}
	dst = strconv.AppendUint(append(dst, "user "...), uint64(user), 10)
	dst = strconv.AppendInt(append(dst, " has "...), e.NprocCount, 10)
	dst = append(dst, plural(e.NprocCount, " process or thread", " processes and threads")...)
	dst = strconv.AppendUint(append(dst, ", and RLIMIT_NPROC is "...), e.NprocLimit, 10)
	if e.NprocUp == 0 {
		return dst
	}
	if e.Known&KnownNprocLevel != 0 {
		dst = strconv.AppendUint(append(dst, " in user namespace "...), uint64(e.NprocNS), 10)
	}
	dst = strconv.AppendUint(append(dst, ", counted "...), uint64(e.NprocUp), 10)
	dst = append(dst, plural(int64(e.NprocUp), " user namespace", " user namespaces")...)
	return append(dst, " above its own"...)
}

// fixNproc: the limit of a user namespace above is that which its creator had; setting the
// own one moves nothing. Otherwise the rule's remedy holds.
func fixNproc(dst []byte, r *Record, _ *ReasonContext) []byte {
	if r.Evidence.NprocUp == 0 {
		return dst
	}
	return append(dst, "raise RLIMIT_NPROC of whoever makes the user namespace, before it does (LimitNPROC= of the container runtime's unit, ulimit -u): the limit is kept as it was then"...)
}

func appendThreads(dst []byte, r *Record, c *ReasonContext) []byte {
	threads, limit, _ := r.Evidence.threadCounts(c.System)
	if limit == 0 {
		return dst
	}
	dst = strconv.AppendUint(append(dst, "the system has "...), threads, 10)
	return strconv.AppendUint(append(dst, " threads, and kernel.threads-max is "...), limit, 10)
}

// appendPidsUsed: pid namespace 4026532001 has 300 numbers in use, and pid_max is 301.
func appendPidsUsed(dst []byte, r *Record, c *ReasonContext) []byte {
	e := &r.Evidence
	used, limit := e.FullestUsed, e.FullestMax
	if limit == 0 && c.System != nil {
		limit = c.System.PidMax
	}
	dst = strconv.AppendUint(append(dst, "pid namespace "...), uint64(e.FullestPidns), 10)
	dst = strconv.AppendUint(append(dst, " has "...), uint64(used), 10)
	dst = append(dst, " numbers in use"...)
	if limit != 0 {
		dst = strconv.AppendUint(append(dst, ", and pid_max is "...), uint64(limit), 10)
	}
	if used+1 < limit && limit-used <= reservedPids {
		dst = strconv.AppendUint(append(dst, "; numbers below "...), reservedPids, 10)
		dst = append(dst, " are not given out twice"...)
	}
	return dst
}

func appendPidnsDead(dst []byte, r *Record, _ *ReasonContext) []byte {
	e := &r.Evidence
	dst = strconv.AppendUint(append(dst, "pid namespace "...), uint64(e.Pidns), 10)
	if !e.PidnsInit {
		return append(dst, " is unusable: its first process could not be created (mended in Linux 7.1)"...)
	}
	return append(dst, ", which children go into, is dead: its init has exited"...)
}

func appendNoFD(dst []byte, r *Record, _ *ReasonContext) []byte {
	dst = append(dst, "no file descriptor is free for the pidfd: RLIMIT_NOFILE is "...)
	return strconv.AppendUint(dst, r.Evidence.NofileLimit, 10)
}

func appendPidDepth(dst []byte, r *Record, _ *ReasonContext) []byte {
	dst = strconv.AppendUint(append(dst, "children are already "...), uint64(r.Evidence.PidnsLevel), 10)
	return append(dst, " pid namespaces deep, and 32 is all there can be"...)
}

func appendUserDepth(dst []byte, r *Record, _ *ReasonContext) []byte {
	dst = strconv.AppendUint(append(dst, "the creator is already "...), uint64(r.Evidence.UserLevel), 10)
	return append(dst, " user namespaces deep, and 33 is all there can be"...)
}

// appendSeccomp says that it was a filter of the task's own, which it has set or inherited.
func appendSeccomp(dst []byte, r *Record, _ *ReasonContext) []byte {
	if r.Evidence.SeccompMode != seccompFilter {
		return dst
	}
	return append(dst, "a seccomp filter that the task has (mode 2, filter) refused the call before the kernel looked at it"...)
}

// nearMemory is how many pages from its limit a memory cgroup may be named as a likely
// cause of ENOMEM: what is charged at once (MEMCG_CHARGE_BATCH, include/linux/memcontrol.h).
const nearMemory = 64

// tablePages is what an attempt may have charged for page tables and given back when it
// failed, in pages of 4 KiB.
func tablePages(r *Record) int64 {
	if r.Flags&CloneVM != 0 || r.Evidence.Known&KnownPgtables == 0 {
		return 0
	}
	return int64(r.Evidence.PgtablesBytes >> 12)
}

// strictOvercommit is the value of vm.overcommit_memory with which no more than CommitLimit
// is promised (OVERCOMMIT_NEVER, include/uapi/linux/mman.h).
const strictOvercommit = 2

// appendPromised says how much memory was promised, of how much, where no more may be: what
// BPF has not read at the failure is from /proc, about that time.
func (e *Evidence) appendPromised(dst []byte, s *System) []byte {
	mode, promised, limit := uint64(s.Overcommit), s.Committed, s.CommitLimit
	if e.Known&KnownCommitted != 0 {
		mode, promised = e.Overcommit, uint64(max(e.Committed, 0))*(s.PageSize/1024)
	}
	if e.Known&KnownCommitLimit != 0 {
		limit = e.CommitLimit * (s.PageSize / 1024)
	}
	if mode != strictOvercommit || limit == 0 {
		return dst
	}
	dst = strconv.AppendUint(append(dst, "; vm.overcommit_memory is 2 and "...), promised, 10)
	return append(strconv.AppendUint(append(dst, " kB are promised of "...), limit, 10), " kB"...)
}

// appendMemory names a memory cgroup that is at its limit, and promises that are.
func appendMemory(dst []byte, r *Record, c *ReasonContext) []byte {
	e := &r.Evidence
	if s := c.System; r.Errno() == ENOMEM && s != nil {
		dst = e.appendPromised(dst, s)
	}
	if r.Errno() != ENOMEM || e.Known&KnownMemory == 0 || e.MemoryLimit-e.MemoryUsage > nearMemory+tablePages(r) {
		return dst
	}
	dst = c.appendCgroup(append(dst, "; memory.max of "...), c.Memory, e.MemoryCgroup)
	near := e.MemoryLimit-e.MemoryUsage > nearMemory
	if near {
		dst = append(dst, " is nearly"...)
	} else {
		dst = append(dst, " is"...)
	}
	dst = strconv.AppendInt(append(dst, " reached: "...), e.MemoryUsage, 10)
	dst = strconv.AppendInt(append(dst, " of "...), e.MemoryLimit, 10)
	dst = append(dst, " pages"...)
	if near {
		dst = strconv.AppendInt(append(dst, ", and a copy of the creator's page tables takes up to "...), tablePages(r), 10)
	}
	return dst
}
