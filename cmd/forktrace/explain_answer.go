// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/forktrace/forktrace/decode"

// answer is what explain says about a call on one kernel.
type answer struct {
	Call       string         `json:"call"`
	Flags      decode.Hex     `json:"flags"`
	ExitSignal uint64         `json:"exit_signal"`
	Kernel     string         `json:"kernel"`
	Arch       string         `json:"arch"`
	User       string         `json:"user"`
	Outcome    decode.Outcome `json:"outcome"`
	Errno      string         `json:"errno"` // "" if not refused, or if the refuser chooses it
	Changed    bool           `json:"changed"`
	Rule       *ruleText      `json:"rule,omitempty"`
	Open       []openText     `json:"open,omitempty"`
	Seen       string         `json:"seen,omitempty"`
	Fits       *bool          `json:"fits,omitempty"` // whether Seen is Errno
	Candidates []*ruleText    `json:"candidates,omitempty"`
	Asked      bool           `json:"asked,omitempty"`   // the running kernel, which was asked what it does
	Guessed    []string       `json:"guessed,omitempty"` // traits that its release alone tells
	Notes      []string       `json:"notes,omitempty"`
}

// ruleText is a rule as text and JSON show it.
type ruleText struct {
	ID       string `json:"id"`
	Errno    string `json:"errno"`
	Layer    string `json:"layer"`
	Sentence string `json:"sentence"`
	Remedy   string `json:"remedy"`
	Evidence string `json:"evidence,omitempty"`
	Source   string `json:"source"`
}

// openText is a condition that is not known.
type openText struct {
	Name     string `json:"name"`
	Sentence string `json:"sentence"`
	State    string `json:"state,omitempty"` // word of --state that settles it, if it is not Name
}

func textOf(r *decode.Rule) *ruleText {
	t := &ruleText{r.ID, "", r.Layer.String(), r.Sentence, r.Remedy, r.Evidence, r.Source}
	if r.Errno != 0 {
		t.Errno = r.Errno.String()
	}
	return t
}

// answers asks the rules about each kernel.
func (o *callOptions) answers() ([]answer, error) {
	r, err := o.request()
	if err != nil {
		return nil, err
	}
	c, err := o.state(&r)
	if err != nil {
		return nil, err
	}
	kernels, err := o.kernels()
	if err != nil {
		return nil, err
	}
	var seen decode.Errno
	if o.errno != "" {
		if seen, err = decode.ParseErrno(o.errno); err != nil {
			return nil, usageError{err}
		}
	}
	all := make([]answer, 0, len(kernels))
	for i := range kernels {
		a := o.answer(&r, c, &kernels[i], seen)
		a.Changed = i > 0 && a.differs(&all[i-1])
		all = append(all, a)
	}
	return all, nil
}

// differs says whether another kernel answers otherwise, or for another reason.
func (a *answer) differs(b *answer) bool {
	return a.Outcome != b.Outcome || a.Errno != b.Errno || a.ruleID() != b.ruleID()
}

func (a *answer) ruleID() string {
	if a.Rule == nil {
		return ""
	}
	return a.Rule.ID
}

// creator are conditions of who calls, which --user settles.
var creator = decode.ConditionsOf(decode.CondCapAdmin, decode.CondCapAdminInit, decode.CondCapResourceInit, decode.CondRootUser)

func (o *callOptions) answer(r *decode.Request, c *creatorState, kernel *askedKernel, seen decode.Errno) answer {
	s := kernel.complete(c, o.architecture())
	p := predict(r, &s, kernel.traits)
	a := answer{
		Call: o.call, Flags: decode.Hex(r.Flags), ExitSignal: r.ExitSignal,
		Kernel: kernel.release, Arch: o.architecture(), User: "unprivileged", Outcome: p.Outcome,
		Asked: kernel.asked, Guessed: kernel.guessed, Notes: o.notes(r, c, kernel),
	}
	if root, _ := o.isRoot(); root {
		a.User = "root"
	}
	if p.Rule != nil {
		a.Rule = textOf(p.Rule)
	}
	if errno := p.Errno(); errno != 0 {
		a.Errno = errno.String()
	}
	for _, open := range p.Open.List() {
		a.Open = append(a.Open, openText{open.Name(), decode.Conditions[open].Sentence, wordFor(open, a.Arch)})
	}
	if seen != 0 {
		// what was not said may hold
		known := c.said.With(creator)
		for i := range s.Known {
			s.Known[i] &= known[i]
		}
		s.TidBusy = nil
		a.judge(r, &s, kernel.traits, p, seen)
	}
	return a
}

// wordFor is the word of --state that says whether a condition holds which follows from
// other facts, "" for one that --state has by its own name.
func wordFor(c decode.Condition, arch string) string {
	switch c {
	case decode.CondTLSOutside, decode.CondStackOutside:
		if arch == "amd64" {
			return "la57"
		}
		return "task-size=N"
	case decode.CondSizeAbovePage:
		return "page-size=N"
	case decode.CondPidLevelsUsed, decode.CondSetTidLevels:
		return pidLevelsWord + "=N"
	case decode.CondUserLevelsUsed:
		return "userns-levels=N"
	case decode.CondSetTidRange:
		return "pid-max=N"
	case decode.CondSetTidNoInit:
		return decode.CondPidNSEmpty.Name()
	case decode.CondSetTidNoCap:
		return "cap-checkpoint-restore=LEVEL"
	case decode.CondSetTidBusy:
		return "set-tid-busy=LEVEL"
	}
	return ""
}

// predict asks the rules; an unknown entry stands for unshare.
func predict(r *decode.Request, s *decode.State, traits decode.Traits) decode.Prediction {
	if r.Entry == decode.EntryUnknown {
		return decode.PredictUnshare(r.Flags, s, traits)
	}
	return decode.Predict(r, s, traits)
}

func candidates(r *decode.Request, s *decode.State, traits decode.Traits) []*decode.Rule {
	if r.Entry == decode.EntryUnknown {
		return decode.CandidatesUnshare(r.Flags, s, traits)
	}
	return decode.Candidates(r, s, traits)
}

// judge compares the answer with an error that was seen. Where they differ, something
// holds that was not said: any rule with that error may be the one, if it could apply.
func (a *answer) judge(r *decode.Request, unsure *decode.State, traits decode.Traits, p decode.Prediction, seen decode.Errno) {
	fits := p.Outcome == decode.OutcomeRefused && (p.Rule.Errno == seen || p.Rule.Errno == 0)
	a.Seen, a.Fits = seen.String(), &fits
	if fits {
		return
	}
	for _, rule := range candidates(r, unsure, traits) {
		if rule.Errno == seen || rule.Errno == 0 {
			a.Candidates = append(a.Candidates, textOf(rule))
		}
	}
}
