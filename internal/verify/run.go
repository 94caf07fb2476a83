// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"

	"github.com/forktrace/forktrace/decode"
)

// Outcome is how a case ended.
type Outcome string

// The outcomes.
const (
	Conforms Outcome = "conforms"
	Diverges Outcome = "diverges"
	Affected Outcome = "affected" // by a known bug: a divergence too
	Skipped  Outcome = "skipped"
)

// Result is what became of a case.
type Result struct {
	Suite   string  `json:"suite"`
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Want    string  `json:"want"`              // error, or "accepted"; of an observation "yes" or "no"
	Got     string  `json:"got"`               // likewise, or "neither"; "hung" or "died" if there was no answer
	Promise string  `json:"promise,omitempty"` // what an observation is about
	Rule    string  `json:"rule,omitempty"`    // by which it is refused
	About   string  `json:"about,omitempty"`   // the rule that the case is made for
	Bug     string  `json:"bug,omitempty"`
	Reason  string  `json:"reason,omitempty"` // of a case that was skipped
	Source  string  `json:"source"`
}

// Verifier compares the running kernel with the rules.
type Verifier struct {
	Executor *Executor
	Book     *decode.Book // nil: by decode.Rules
	// UnshareBook is the like for unshare, nil: decode.UnshareRules.
	UnshareBook *decode.Book
	Traits      decode.Traits
	state       decode.State
	root        bool
	noClone3    string // why clone3 cannot be asked, "" if it can
}

// New prepares a verifier: it learns the traits of the kernel.
func New(e *Executor) (*Verifier, error) {
	traits, _, err := e.Learn()
	if err != nil {
		return nil, err
	}
	v := &Verifier{Executor: e, Traits: traits, root: privileged(), state: decode.OrdinaryState(privileged(), runtime.GOARCH)}
	v.state.PageSize = uint64(os.Getpagesize())
	if v.state.TaskSize, err = e.TaskSize(); err != nil {
		return nil, err
	}
	v.state.Pids[0].PidMax = readPidMax("/proc")
	readState(&v.state, "/proc")
	if err := v.learnCreator(); err != nil {
		return nil, err
	}
	// the kernel itself has but one answer to a size of 0: another is a filter's
	size0 := with(clone3(0), func(r *decode.Request) { r.Size = 0 })
	if a, err := e.Issue(&size0, 0, ""); err != nil {
		return nil, err
	} else if a.Errno != decode.EINVAL {
		v.noClone3 = "clone3 is hidden, as a seccomp filter does: " + a.text()
	}
	return v, nil
}

// learnCreator finds out what is special about this process as a creator: it may be root of
// a user namespace only, or root without some capabilities.
func (v *Verifier) learnCreator() error {
	if ids, err := os.ReadFile("/proc/self/uid_map"); err == nil && !wholeMap.Match(ids) {
		for _, c := range []decode.Condition{decode.CondCapAdminInit, decode.CondCapResourceInit, decode.CondRootUser} {
			v.state.Set(c, false)
		}
	} else if v.root || os.Geteuid() != 0 {
		return nil
	}
	v.state.Forget(decode.CondRootUser)
	v.state.Forget(decode.CondCapResourceInit)
	one := tid(0, 1) // always in use: the answer tells whether it may be asked for
	a, err := v.Executor.Issue(&one, 0, "")
	if err != nil {
		return err
	}
	may := decode.TruthOf(a.Errno != decode.EPERM)
	v.state.Pids = []decode.PidNamespace{{PidMax: v.state.Pids[0].PidMax, CheckpointRestore: may, SysAdmin: may}}
	return nil
}

// wholeMap is the uid_map of the initial user namespace.
var wholeMap = regexp.MustCompile(`^\s*0\s+0\s+4294967295\s*$`)

// Root says whether cases run that need root.
func (v *Verifier) Root() bool { return v.root }

func (v *Verifier) predict(r *decode.Request, s *decode.State, traits decode.Traits) decode.Prediction {
	switch {
	case r.Entry == decode.EntryUnknown && v.UnshareBook != nil:
		return v.UnshareBook.PredictUnshare(r.Flags, s, traits)
	case r.Entry == decode.EntryUnknown:
		return decode.PredictUnshare(r.Flags, s, traits)
	case v.Book != nil:
		return v.Book.Predict(r, s, traits)
	}
	return decode.Predict(r, s, traits)
}

// fixed are the traits of kernels without the bugs that are tested by requests alone.
const fixed = decode.TraitNewTimeClone3 | decode.TraitTimeNSAtExec | decode.TraitSignalChecked | decode.TraitPidNSRetry

// adapt lets an ordinary user run in a user namespace what needs capabilities over other
// namespaces only.
func (v *Verifier) adapt(c *Case) *Case {
	if v.root || c.Setup&(SetupUserNS|SetupMapped|SetupQuota|SetupUserDepth|SetupPidMax) != 0 || c.Setup&^inUserNS != 0 {
		return c
	}
	p := v.predictCase(c)
	if c.Setup == 0 && c.Observe != "undo" && (c.Observe == "" || p.Rule == nil || p.Rule.ID != "ns-needs-admin") {
		return c
	}
	adapted := *c
	adapted.Setup |= SetupMapped
	return &adapted
}

// fit fills in what of a request depends on the machine.
func (v *Verifier) fit(c *Case) *Case {
	if c.Fit == nil {
		return c
	}
	fitted := *c
	c.Fit(&fitted.Request, &v.state)
	fitted.Fit = nil
	return &fitted
}

// cannot says why a case cannot be run here, "" if it can.
func (v *Verifier) cannot(c *Case) string {
	switch {
	case !v.root && (c.Setup&^(rootlessSetups|inUserNS) != 0 || c.Cgroup != CgroupNone):
		return "needs root"
	case v.noClone3 != "" && (c.Request.Entry == decode.EntryClone3 || c.Setup&SetupAutoreap != 0):
		return v.noClone3
	case c.Setup&SetupAutoreap != 0 && v.Traits&decode.TraitAutoreap == 0:
		return "this kernel has no CLONE_AUTOREAP"
	case c.Setup&SetupPidMax != 0 && v.Traits&decode.TraitPidMaxPerNS == 0:
		return "this kernel has one pid_max for all namespaces"
	case c.Rule == usernsRule && v.Traits&decode.TraitUsernsSysctl == 0:
		return "this kernel has no sysctl kernel.unprivileged_userns_clone"
	case c.Rule == usernsRule && !v.state.True.Has(decode.CondUsernsCloneOff):
		return "the sysctl kernel.unprivileged_userns_clone is 1, and is not for verify to change"
	case c.Fit != nil && v.state.TaskSize == 0:
		return "the end of user space is not known"
	}
	return ""
}

// predictCase is what the rules say of a case.
func (v *Verifier) predictCase(c *Case) decode.Prediction {
	state := v.state
	state.Pids = slices.Clone(state.Pids)
	c.Setup.apply(&state, v.Traits)
	for _, g := range slices.Concat(c.Given, cgroupKinds[c.Cgroup].given) {
		state.Set(g, true)
	}
	traits := v.Traits
	if c.Bug != "" {
		traits |= fixed
	}
	if c.Observe != "" {
		traits = v.Traits // the kernel as it is has to make the child
	}
	return v.predict(&c.Request, &state, traits)
}

// Run does one case. An error means that the executor is gone.
func (v *Verifier) Run(c *Case) (Result, error) {
	res := Result{Suite: c.Suite, Name: c.Name, Source: c.Source, Bug: c.Bug, Promise: c.Promise, About: c.Rule}
	c = v.fit(v.adapt(c))
	if res.skip(v.cannot(c)) {
		return res, nil
	}
	p := v.predictCase(c)
	switch {
	case p.Outcome == decode.OutcomeOpen:
		res.skip("depends on what is not known: " + p.Open.List()[0].Name())
		return res, nil
	case p.Rule != nil && c.Observe != "":
		res.skip("the request is refused here by " + p.Rule.ID)
		return res, nil
	case p.Rule != nil:
		res.Rule, res.Want = p.Rule.ID, string(decode.AppendErrno(nil, p.Rule.Errno))
	case c.Observe != "":
		res.Want = c.Want.String()
	default:
		res.Want = "accepted"
	}
	a, err := v.issue(c, &res)
	if err != nil || res.Outcome != "" {
		return res, err
	}
	res.judge(c, &a)
	if res.Outcome == Diverges && (a.Errno == decode.EAGAIN || a.Errno == decode.ENOMEM) {
		plain := clone(0)
		control, err := v.Executor.Issue(&plain, c.Setup&(SetupUser|SetupStranger), "")
		if err != nil {
			return res, err
		}
		if control.Errno == a.Errno {
			res.skip("not even a plain child can be made: " + a.text())
		}
	}
	return res, nil
}

// issue makes the cgroup that a case needs, and the request.
func (v *Verifier) issue(c *Case, res *Result) (a Answer, err error) {
	dir := ""
	if c.Cgroup != CgroupNone {
		var remove func() error
		if dir, remove, err = c.Cgroup.make(); err != nil {
			res.skip("the cgroup cannot be made: " + err.Error())
			return a, nil
		}
		defer func() { err = errors.Join(err, remove()) }()
	}
	if c.Observe != "" {
		a, err = v.Executor.Observe(c.Observe, &c.Request, c.Setup, dir)
	} else {
		a, err = v.Executor.Issue(&c.Request, c.Setup, dir)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", c.Name, err)
	}
	return a, err
}

// skip leaves a case out for a reason, if there is one.
func (r *Result) skip(reason string) bool {
	if reason != "" {
		r.Outcome, r.Reason = Skipped, reason
	}
	return reason != ""
}

// judge compares the kernel's answer with what is wanted.
func (r *Result) judge(c *Case, a *Answer) {
	switch {
	case a.Unprepared != 0:
		r.skip("the creator cannot be brought into the state: " + a.Unprepared.String())
		return
	case a.Unseen != 0:
		r.skip("cannot be observed: " + a.Unseen.String())
		return
	}
	r.Got = a.text()
	if c.Observe != "" && r.Got == "accepted" {
		r.Got = a.Seen.String()
	}
	switch {
	case r.Got == r.Want:
		r.Outcome = Conforms
	case c.Bug != "":
		r.Outcome = Affected
	default:
		r.Outcome = Diverges
	}
}

func (a *Answer) text() string {
	switch {
	case a.Hung:
		return "hung"
	case a.Died:
		return "died"
	case a.Errno != 0:
		return string(decode.AppendErrno(nil, a.Errno))
	}
	return "accepted"
}

// RunAll does cases, comparing their children with their promises if watched and where that
// is possible. It ends with an error between two cases when ctx does.
func (v *Verifier) RunAll(ctx context.Context, cases []Case, watched bool) (results []Result, checked *Checked, err error) {
	results = make([]Result, 0, len(cases))
	var w *Watch
	switch {
	case !watched:
	case !v.root:
		checked = &Checked{Reason: "needs root"}
	default:
		if w, err = NewWatch(v); err != nil {
			checked = &Checked{Reason: err.Error()}
		}
	}
	for i := range cases {
		if ctx.Err() != nil {
			return nil, nil, errors.Join(fmt.Errorf("after %d of %d cases: %w", i, len(cases), context.Cause(ctx)), w.abort())
		}
		end := w.begin()
		res, err := v.Run(&cases[i])
		if err != nil {
			return nil, nil, errors.Join(err, w.abort())
		}
		end()
		results = append(results, res)
	}
	if w == nil {
		return results, checked, nil
	}
	checked, err = w.End(results)
	return results, checked, err
}
