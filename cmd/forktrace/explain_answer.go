// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/forktrace/forktrace/decode"
)

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
	s, said, err := o.state()
	if err != nil {
		return nil, err
	}
	kernels, err := o.releasesAsked()
	if err != nil {
		return nil, err
	}
	var seen decode.Errno
	if o.errno != "" {
		if seen, err = decode.ParseErrno(o.errno); err != nil {
			return nil, usageError{err}
		}
	}
	// For an error that was seen, what was not said may hold.
	unsure := s
	unsure.Known, unsure.TidBusy = decode.ConditionSet{s.Known[0] & said[0], s.Known[1] & said[1]}, nil
	all := make([]answer, 0, len(kernels))
	for i, kernel := range kernels {
		a, err := o.answer(&r, &s, &unsure, kernel, seen)
		if err != nil {
			return nil, err
		}
		a.Changed = i > 0 && (a.Outcome != all[i-1].Outcome || a.Errno != all[i-1].Errno)
		all = append(all, a)
	}
	return all, nil
}

func (o *callOptions) answer(r *decode.Request, s, unsure *decode.State, kernel string, seen decode.Errno) (answer, error) {
	traits, err := decode.TraitsOf(kernel, o.architecture())
	if err != nil {
		return answer{}, fmt.Errorf("telling the kernel's traits: %w", err)
	}
	p := predict(r, s, traits)
	a := answer{
		Call: o.call, Flags: decode.Hex(r.Flags), ExitSignal: r.ExitSignal,
		Kernel: kernel, Arch: o.architecture(), User: "unprivileged", Outcome: p.Outcome,
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
	for _, c := range p.Open.List() {
		a.Open = append(a.Open, openText{c.Name(), decode.Conditions[c].Sentence})
	}
	if seen != 0 {
		a.judge(r, unsure, traits, p, seen)
	}
	return a, nil
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

// explain says what the kernels that were asked for answer.
func (o *callOptions) explain(w io.Writer, format string) error {
	all, err := o.answers()
	if err != nil {
		return err
	}
	return o.write(w, format, all)
}

func (o *callOptions) write(w io.Writer, format string, all []answer) error {
	if format == "json" {
		for i := range all {
			if err := json.NewEncoder(w).Encode(&all[i]); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
		}
		return nil
	}
	var b strings.Builder
	if o.kernel == "all" {
		writeTable(&b, all)
	} else {
		all[0].write(&b)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// verdict is the answer in a word or a few.
func (a *answer) verdict() string {
	switch {
	case a.Outcome == decode.OutcomeAccepted:
		return "accepted"
	case a.Outcome == decode.OutcomeOpen:
		return "open"
	case a.Errno == "":
		return "refused"
	}
	return a.Errno
}

func (a *answer) write(b *strings.Builder) {
	fmt.Fprintf(b, "%s on Linux %s (%s), %s: %s\n\n", a.request(), a.Kernel, a.Arch, a.User, a.verdict())
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	switch {
	case a.Outcome == decode.OutcomeAccepted:
		fmt.Fprint(tw, "why\tno rule refuses it, as far as no limit is reached; --state says what else holds\n")
	case a.Outcome == decode.OutcomeRefused:
		a.Rule.write(tw)
	default:
		for _, open := range a.Open {
			fmt.Fprintf(tw, "open\t%s: whether %s\n", open.Name, open.Sentence)
		}
		if a.Rule == nil {
			fmt.Fprint(tw, "else\taccepted\n")
		} else {
			fmt.Fprintf(tw, "else\t%s by %s: %s\n", a.Rule.Errno, a.Rule.ID, a.Rule.Sentence)
		}
	}
	if a.Fits != nil {
		a.writeSeen(tw)
	}
	tw.Flush()
}

func (a *answer) writeSeen(w io.Writer) {
	switch {
	case *a.Fits:
		fmt.Fprintf(w, "seen\t%s, as this rule has it\n", a.Seen)
	case len(a.Candidates) == 0:
		fmt.Fprintf(w, "seen\t%s, which no rule of this kernel gives to such a call\n", a.Seen)
	default:
		fmt.Fprintf(w, "seen\t%s, which takes one of these:\n", a.Seen)
	}
	for _, c := range a.Candidates {
		c.writeCause(w)
	}
}

// request is the call as one would write it.
func (a *answer) request() string {
	var b []byte
	b = append(b, a.Call...)
	if a.Call == decode.EntryFork.String() || a.Call == decode.EntryVfork.String() {
		return a.Call
	}
	b = append(b, '(')
	if a.Flags != 0 || a.ExitSignal == 0 {
		b = decode.AppendFlags(b, uint64(a.Flags), decode.StyleFull)
	}
	if a.ExitSignal != 0 {
		if a.Flags != 0 {
			b = append(b, " + "...)
		}
		if name := decode.SignalName(int(min(a.ExitSignal, 1<<16))); name != "" {
			b = append(b, name...)
		} else {
			b = decode.AppendHex(b, a.ExitSignal)
		}
	}
	return string(append(b, ')'))
}

func (t *ruleText) write(w io.Writer) {
	fmt.Fprintf(w, "rule\t%s, in %s\nwhy\t%s\nfix\t%s\n", t.ID, t.Layer, t.Sentence, t.Remedy)
	if t.Evidence != "" {
		fmt.Fprintf(w, "tells\t%s\n", t.Evidence)
	}
	fmt.Fprintf(w, "source\t%s\n", t.Source)
}

// writeCause shows a rule as one of several.
func (t *ruleText) writeCause(w io.Writer) {
	evidence := t.Evidence
	if evidence == "" {
		evidence = "The request alone shows it."
	}
	fmt.Fprintf(w, "%s\t%s\n\ttells: %s\n\tfix: %s\n", t.ID, t.Sentence, evidence, t.Remedy)
}

// writeTable shows the answers of many kernels, and marks where they change.
func writeTable(b *strings.Builder, all []answer) {
	fmt.Fprintf(b, "%s (%s), %s\n\n", all[0].request(), all[0].Arch, all[0].User)
	tw := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "KERNEL\t\tANSWER\tRULE\n")
	for i := range all {
		a, mark, rule := &all[i], "", "-"
		if a.Changed {
			mark = "*"
		}
		if a.Rule != nil {
			rule = a.Rule.ID
		}
		if a.Fits != nil && *a.Fits {
			rule += ", as seen"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", a.Kernel, mark, a.verdict(), rule)
	}
	tw.Flush()
	b.WriteString("\n* the answer differs from that of the kernel above\n")
}

// writeCauses lists the rules that give an error: all, or those of the kernel asked for.
func (o *callOptions) writeCauses(w io.Writer, format string) error {
	errno, err := decode.ParseErrno(o.errno)
	if err != nil {
		return usageError{err}
	}
	rules := append(decode.RulesWith(errno), decode.RulesWith(0)...)
	if o.kernel != "" && o.kernel != "all" {
		traits, err := decode.TraitsOf(o.kernel, o.architecture())
		if err != nil {
			return usagef("--kernel: %w", err)
		}
		rules = rulesOf(rules, traits)
	}
	if format == "json" {
		for _, r := range rules {
			if err := json.NewEncoder(w).Encode(textOf(r)); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
		}
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s", errno)
	if info := errno.Info(); info != nil {
		fmt.Fprintf(&b, ": %s", info.Sentence)
	}
	b.WriteString("\nCauses in a creation, in the order in which the kernel looks for them; what\nchooses its error itself comes last:\n\n")
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rules {
		textOf(r).writeCause(tw)
	}
	tw.Flush()
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

func rulesOf(rules []*decode.Rule, traits decode.Traits) (kept []*decode.Rule) {
	for _, r := range rules {
		if r.HoldsFor(traits) {
			kept = append(kept, r)
		}
	}
	return kept
}
