// SPDX-License-Identifier: Apache-2.0

package decode

// Certainty says how sure a [Reason] is.
type Certainty uint8

// The degrees.
const (
	// Unknown: several rules may have refused, or none that is known.
	Unknown Certainty = iota
	// Deduced: the error number, the request and the evidence leave one rule.
	Deduced
	// Certain: what the kernel looked at is known, cannot have changed since, and pins it.
	Certain
)

var certaintyNames = [...]string{"unknown", "deduced", "certain"}

// String is the name used in JSON.
func (c Certainty) String() string { return certaintyNames[min(int(c), len(certaintyNames)-1)] }

// MaxCandidates is how many rules a [Reason] lists; the rest are counted.
const MaxCandidates = 12

// Reason is why an attempt failed.
type Reason struct {
	Certainty Certainty
	// Rule is the one that refused, nil if that is not known.
	Rule *Rule
	// Candidates are the rules that may have refused where that is unknown, in the
	// kernel's order, each once. More counts those for which there was no room, or which are
	// much less likely.
	Candidates [MaxCandidates]*Rule
	Count      int
	More       int

	last *Rule // that was listed or counted
}

// ID is the name of the rule, "" if it is not known.
func (r *Reason) ID() string {
	if r.Rule == nil {
		return ""
	}
	return r.Rule.ID
}

// List returns the candidates.
func (r *Reason) List() []*Rule { return r.Candidates[:r.Count] }

// add lists a rule, or counts it; isNew is false for a row of a rule that is there already
// (those of one rule stand together).
func (r *Reason) add(rule *Rule) (isNew bool) {
	if r.last != nil && r.last.ID == rule.ID {
		return false
	}
	for _, c := range r.List() {
		if c.ID == rule.ID {
			return false
		}
	}
	if r.Count == MaxCandidates {
		r.count(rule)
		return true
	}
	r.last = rule
	r.Candidates[r.Count] = rule
	r.Count++
	return true
}

// count counts a rule that is not listed.
func (r *Reason) count(rule *Rule) {
	if r.last == nil || r.last.ID != rule.ID {
		r.More++
	}
	r.last = rule
}

// racy are conditions that others change, so that what is read after a refusal need not
// be what the kernel saw: a rule that rests on one is at best deduced.
var racy = ConditionsOf(CondNprocReached, CondMaxThreadsReached, CondPidsReached, CondPidsExhausted, CondFSInExec,
	CondPidNSDead, CondPidNSDying, CondPidNSSpoilt, CondPidNSEmpty, CondFatalSignal, CondSignalPending,
	CondCgroupBadFD, CondCgroupDenied, CondUsernsCloneOff, CondIDsUnmapped)

func (s ConditionSet) meets(other ConditionSet) bool { return s[0]&other[0]|s[1]&other[1] != 0 }

// memory are the conditions of having none. Nothing shows them afterwards, and they are
// rare: what was observed comes before them.
var memory = ConditionsOf(CondTaskNoMem, CondExecStateNoMem, CondCredsNoMem, CondUserNSNoMem, CondIORestrictNoMem,
	CondMempolicyNoMem, CondAuditNoMem, CondSemundoNoMem, CondFilesNoMem, CondFSNoMem, CondSighandNoMem, CondSignalNoMem,
	CondMMNoMem, CondNSNoMem, CondIONoMem, CondShadowStackNoMem, CondPidNoMem, CondFutexHashNoMem, CondKthreadNoMem,
	CondPerfFails)

// System is what holds for all creators of the machine. What is zero is not known.
type System struct {
	Traits     Traits
	PageSize   uint64 // bytes
	TaskSize   uint64 // first address past user space
	PidMax     uint32 // sysctl kernel.pid_max
	MaxThreads uint64 // sysctl kernel.threads-max
	NrOpen     uint64 // sysctl fs.nr_open, at about the time of the failure
	Threads    uint64 // tasks of the machine at about the time of the failure
	// Memory that was promised about the time of the failure, and that may be, in KiB, and the
	// sysctl vm.overcommit_memory: read for ENOMEM only. The limit holds where the latter is 2.
	Committed, CommitLimit uint64
	Overcommit             uint8
	// Known and True are conditions of the machine: what is not built in, sysctls.
	Known, True ConditionSet

	pids [1]PidNamespace // room for what a State refers to
}

// ReasonOf finds the reason of a failed attempt. For a success, and for what is made again
// after a signal, there is none: the zero Reason. It does not allocate.
// Calls with one System must not overlap.
func ReasonOf(r *Record, sys *System) Reason {
	var reason Reason
	errno := r.Errno()
	if errno == 0 || r.Restarted() {
		return reason
	}
	if r.Layer == LayerSeccomp {
		reason.Certainty, reason.Rule = Certain, seccompRule
		return reason
	}
	req := requestOf(r)
	state := stateOf(r, sys)
	v := viewOf(&req, &state, sys.Traits)
	at := failedStages(r)
	if !creationBook.explain(&reason, &v, sys.Traits, r, at, errno) {
		// what speaks against the rules is over by now
		v.forgetAbsent(passing)
		reason = Reason{}
		if r.over() == OverLimit { // and the capability was denied, which a module can do
			v.forgetPresent(exempt)
		}
		creationBook.explain(&reason, &v, sys.Traits, r, at, errno)
		reason.Certainty = min(reason.Certainty, Deduced)
		return reason
	}
	if reason.Certainty == Certain {
		v.forgetAbsent(passing.without(state.firm))
		var again Reason
		if creationBook.explain(&again, &v, sys.Traits, r, at, errno); again.Certainty != Certain {
			reason.Certainty = Deduced
		}
	}
	return reason
}

// unexplained says whether no rule gives this error to the request of a failure, however
// what others change may have been at that moment, and wherever it failed.
func (r *Record) unexplained(sys *System) bool {
	req := requestOf(r)
	state := stateOf(r, sys)
	v := viewOf(&req, &state, sys.Traits)
	v.forgetAbsent(racy)
	var reason Reason
	creationBook.explain(&reason, &v, sys.Traits, r, stageRange{}, r.Errno())
	return reason.Rule == nil && reason.Count == 0
}

// passing are conditions that can be over when the evidence is read, so that their absence
// then does not speak against a rule for sure.
var passing = ConditionsOf(CondNprocReached, CondMaxThreadsReached, CondPidsReached, CondPidsExhausted, CondFSInExec, CondPidNSDying)

func (s ConditionSet) without(t ConditionSet) ConditionSet {
	return ConditionSet{s[0] &^ t[0], s[1] &^ t[1]}
}

// forgetAbsent makes unknown which of the conditions are known not to hold.
func (v *view) forgetAbsent(set ConditionSet) {
	for i := range v.known {
		v.known[i] &^= set[i] &^ v.true[i]
	}
}

// exempt are conditions of creators whom RLIMIT_NPROC does not bind.
var exempt = ConditionsOf(CondCapAdminInit, CondCapResourceInit)

// forgetPresent makes unknown which of the conditions are known to hold.
func (v *view) forgetPresent(set ConditionSet) {
	for i := range v.known {
		v.known[i] &^= set[i] & v.true[i]
	}
}

// stageRange is what is known of where in copy_process an attempt failed.
type stageRange struct {
	first, last Stage
	known       bool
}

func failedStages(r *Record) (s stageRange) {
	s.first, s.last, s.known = r.FailedStages()
	return s
}

// hold says whether the rule is one of these stages.
func (s stageRange) hold(rule *Rule) bool {
	return !s.known || s.first <= rule.Stage && rule.Stage <= s.last
}

var seccompRule = ruleByID("seccomp-denied")

func ruleByID(id string) *Rule {
	for i := range Rules {
		if Rules[i].ID == id {
			return &Rules[i]
		}
	}
	panic("no rule " + id)
}

// weighed counts the rules that may have refused, by what is known of them.
type weighed struct {
	sure  *Rule // decided by what cannot have changed
	limit *Rule // the last of those that were observed, of limits that pass
	open  *Rule // the last of those of which nothing is known
	other *Rule // the last of those that may answer anything

	limits, plain, short, wild int
	claims                     bool // one of wild is known to answer like this
	about                      bool // there are rules of this error for such a request, whether or not they apply
}

// explain weighs the rules that give this error number. First comes one that the request
// alone decides: the kernel cannot have passed it. Then what was observed of limits, if
// nothing else may have come before; where two remain, both are listed. found is false
// where no rule that gives this error remains.
func (b *ruleBook) explain(reason *Reason, v *view, traits Traits, r *Record, at stageRange, errno Errno) (found bool) {
	w := b.weigh(reason, v, traits, r, at, errno)
	found = reason.Count > 0
	switch {
	case at.known && reason.Count == 1 && w.wild == 0: // the kernel passed by no other
		reason.settle(reason.Candidates[0], Certain)
	case w.sure != nil && w.limits+w.plain == 0:
		reason.settle(w.sure, Deduced)
		if w.wild+w.short == 0 && r.Have&HaveReread == 0 {
			reason.Certainty = Certain
		}
	case w.sure == nil && w.limits == 1 && w.plain == 0:
		reason.settle(w.limit, Deduced)
	case w.sure == nil && w.limits == 0 && w.plain == 1 && w.short == 0 && !w.claims:
		reason.settle(w.open, Deduced)
	case !found && w.wild == 1 && (at.known || !w.about):
		reason.settle(w.other, Deduced)
	case w.sure == nil && w.limits == 0:
		b.listAll(reason, v, traits, r, at, errno, true)
	case w.sure == nil && w.short > 0: // which are less likely than what was observed
		b.listAll(reason, v, traits, r, at, errno, false)
	}
	return found
}

// weigh goes through the rules, and lists those of this error that remain.
func (b *ruleBook) weigh(reason *Reason, v *view, traits Traits, r *Record, at stageRange, errno Errno) (w weighed) {
	unsure := racy
	if r.over() != OverUnknown {
		unsure = racy.without(ConditionsOf(CondNprocReached))
	}
	for i := range b.matchers {
		m, rule := &b.matchers[i], &b.rules[i]
		if m.misses(v, traits) || rule.Errno != errno && rule.Errno != 0 || !reachedLayer(rule, r) || !at.hold(rule) {
			continue
		}
		w.about = w.about || rule.Errno == errno
		applies, _ := m.judge(v)
		if applies == No {
			continue
		}
		if rule.Errno == 0 && !(rule == seccompRule && usualOfFilters(errno)) {
			w.wild, w.other = w.wild+1, rule
			w.claims = w.claims || usualOfModules(errno) && rule.When.meets(modules)
			continue
		}
		isNew := reason.add(rule)
		switch {
		case rule.When.meets(memory):
			w.short++
		case applies == Yes && !rule.When.meets(unsure):
			w.sure = rule
			return w
		case applies == Yes:
			w.limits, w.limit = w.limits+1, rule
		case isNew:
			w.plain, w.open = w.plain+1, rule
		}
	}
	return w
}

// usualOfFilters says whether seccomp filters are known to answer so: such an answer of a
// task that has a filter may always be the filter's.
func usualOfFilters(errno Errno) bool { return errno == ENOSYS || errno == EPERM || errno == EACCES }

// usualOfModules says the same of security modules: SELinux and AppArmor refuse so.
func usualOfModules(errno Errno) bool { return errno == EPERM || errno == EACCES }

var modules = ConditionsOf(CondLSMTask, CondLSMUserNS)

// listAll lists what may have refused, in the kernel's order; rare says whether also those
// who may answer anything, as filters, security modules and schedulers do, and want of memory:
// if not, they are counted.
func (b *ruleBook) listAll(reason *Reason, v *view, traits Traits, r *Record, at stageRange, errno Errno, rare bool) {
	*reason = Reason{}
	for i := range b.matchers {
		m, rule := &b.matchers[i], &b.rules[i]
		if m.misses(v, traits) || rule.Errno != errno && rule.Errno != 0 || !reachedLayer(rule, r) || !at.hold(rule) {
			continue
		}
		switch applies, _ := m.judge(v); {
		case applies == No:
		case !rare && (rule.Errno == 0 || rule.When.meets(memory)):
			reason.count(rule)
		default:
			reason.add(rule)
		}
	}
}

func (r *Reason) settle(rule *Rule, c Certainty) { *r = Reason{Certainty: c, Rule: rule} }

// reachedLayer says whether the attempt can have been refused by a rule, by the layer that
// the hook saw it in.
func reachedLayer(rule *Rule, r *Record) bool {
	return r.Layer == LayerUnknown || rule.Layer == r.Layer || rule.Layer == LayerUnknown
}
