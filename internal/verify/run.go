// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"os"
	"runtime"
	"strings"

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
	Want    string  `json:"want"`           // error, or "accepted"
	Got     string  `json:"got"`            // likewise; "hung" or "died" if there was no answer
	Rule    string  `json:"rule,omitempty"` // by which it is refused
	Bug     string  `json:"bug,omitempty"`
	Reason  string  `json:"reason,omitempty"` // of a case that was skipped
	Source  string  `json:"source"`
}

// Verifier compares the running kernel with the rules.
type Verifier struct {
	Executor *Executor
	Book     *decode.Book // nil: by decode.Rules
	Traits   decode.Traits
	state    decode.State
	root     bool
	noClone3 string // why clone3 cannot be asked, "" if it can
}

// New prepares a verifier: it learns the traits of the kernel.
func New(e *Executor) (*Verifier, error) {
	traits, _, err := e.Learn()
	if err != nil {
		return nil, err
	}
	v := &Verifier{Executor: e, Traits: traits, root: privileged(), state: decode.OrdinaryState(privileged(), runtime.GOARCH)}
	v.state.PageSize = uint64(os.Getpagesize())
	if runtime.GOARCH == "amd64" && hasLA57() {
		v.state.TaskSize = decode.TaskSizeAMD64LA57
	}
	v.state.Pids[0].PidMax = 0 // differs; no case asks for a number near it
	readState(&v.state, "/proc")
	// the kernel itself has but one answer to a size of 0: another is a filter's
	size0 := with(clone3(0), func(r *decode.Request) { r.Size = 0 })
	if a, err := e.Issue(&size0, 0); err != nil {
		return nil, err
	} else if a.Errno != decode.EINVAL {
		v.noClone3 = "clone3 is hidden, as a seccomp filter does: " + a.text()
	}
	return v, nil
}

// hasLA57 says whether the kernel uses five levels of page tables: it hides the flag of
// the processor when it does not.
func hasLA57() bool {
	info, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && strings.Contains(string(info), " la57 ")
}

// Root says whether cases run that need root.
func (v *Verifier) Root() bool { return v.root }

func (v *Verifier) predict(r *decode.Request, s *decode.State, traits decode.Traits) decode.Prediction {
	if v.Book != nil {
		return v.Book.Predict(r, s, traits)
	}
	return decode.Predict(r, s, traits)
}

// Run does one case. An error means that the executor is gone.
func (v *Verifier) Run(c *Case) (Result, error) {
	res := Result{Suite: c.Suite, Name: c.Name, Source: c.Source, Bug: c.Bug}
	if c.Setup != 0 && !v.root {
		res.Outcome, res.Reason = Skipped, "needs root"
		return res, nil
	}
	if v.noClone3 != "" && c.Request.Entry == decode.EntryClone3 {
		res.Outcome, res.Reason = Skipped, v.noClone3
		return res, nil
	}
	state := v.state
	for _, g := range c.Given {
		state.Set(g, true)
	}
	for _, l := range c.Lacks {
		state.Set(l, false)
	}
	traits := v.Traits
	if c.Bug != "" { // what a kernel without the bug does
		traits |= decode.TraitNewTimeClone3 | decode.TraitTimeNSAtExec | decode.TraitSignalChecked
	}
	p := v.predict(&c.Request, &state, traits)
	switch {
	case p.Outcome == decode.OutcomeOpen:
		res.Outcome, res.Reason = Skipped, "depends on what is not known: "+p.Open.List()[0].Name()
		return res, nil
	case p.Rule != nil:
		res.Rule, res.Want = p.Rule.ID, string(decode.AppendErrno(nil, p.Rule.Errno))
	default:
		res.Want = "accepted"
	}
	a, err := v.Executor.Issue(&c.Request, c.Setup)
	if err != nil {
		return res, fmt.Errorf("%s: %w", c.Name, err)
	}
	res.Got = a.text()
	switch {
	case res.Got == res.Want:
		res.Outcome = Conforms
	case c.Bug != "":
		res.Outcome = Affected
	default:
		res.Outcome = Diverges
	}
	return res, nil
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
