// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Report is what a run comes to. As JSON it is what --baseline reads.
type Report struct {
	Type       string   `json:"type"` // "verify"
	Schema     int      `json:"schema"`
	Kernel     string   `json:"kernel"`
	Machine    string   `json:"machine"`
	Root       bool     `json:"root"`
	Results    []Result `json:"results"`
	Checked    *Checked `json:"checked,omitempty"`
	Exhaustive *Counts  `json:"exhaustive,omitempty"`
}

// Formats are the names of the formats that Write knows.
var Formats = []string{"text", "json", "tap", "junit"}

// Diverges says whether the kernel does anything else than expected.
func (r *Report) Diverges() bool {
	return r.Exhaustive != nil && r.Exhaustive.Diverged > 0 || slices.ContainsFunc(r.Results, Result.failed)
}

func (r Result) failed() bool { return r.Outcome == Diverges || r.Outcome == Affected }

// Against keeps only the results that differ from those of an earlier report.
func (r *Report) Against(before *Report) {
	old := map[string]Result{}
	for _, b := range before.Results {
		old[b.Suite+" "+b.Name] = b
	}
	r.Results = slices.DeleteFunc(r.Results, func(now Result) bool {
		was, there := old[now.Suite+" "+now.Name]
		return there && was.Got == now.Got && was.Outcome == now.Outcome
	})
	for i := range r.Results {
		now := &r.Results[i]
		if was, there := old[now.Suite+" "+now.Name]; there {
			now.Reason = fmt.Sprintf("was %s (%s) on %s", was.Got, was.Outcome, before.Kernel)
		} else {
			now.Reason = "not in the baseline"
		}
	}
}

// all are the results with those of the exhaustive run.
func (r *Report) all() []Result {
	if r.Exhaustive == nil {
		return r.Results
	}
	return append(slices.Clone(r.Results), r.Exhaustive.Results...)
}

// Write writes the report in one of [Formats].
func (r *Report) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		return json.NewEncoder(w).Encode(r)
	case "tap":
		return r.writeTAP(w)
	case "junit":
		return r.writeJUnit(w)
	}
	return r.writeText(w)
}

func (r *Report) writeText(w io.Writer) error {
	counts := map[string]map[Outcome]int{}
	for _, res := range r.Results {
		if counts[res.Suite] == nil {
			counts[res.Suite] = map[Outcome]int{}
		}
		counts[res.Suite][res.Outcome]++
	}
	for _, suite := range Suites {
		if c := counts[suite]; c != nil {
			fmt.Fprintf(w, "%-11s %6d conform  %d diverge  %d affected by known bugs  %d left out\n", suite, c[Conforms], c[Diverges], c[Affected], c[Skipped])
		}
	}
	if c := r.Checked; c != nil && c.Reason != "" {
		fmt.Fprintf(w, "%-11s left out: %s\n", "checks", c.Reason)
	} else if c != nil {
		fmt.Fprintf(w, "%-11s %6d creations compared with what their flags promise  %d promises broken  %d creations lost\n", "checks", c.Creations, c.Broken, c.Lost)
	}
	if e := r.Exhaustive; e != nil {
		fmt.Fprintf(w, "%-11s %d words: %d refused early, %d late, %d accepted, %d open, of %d classes\n", "exhaustive",
			e.Early+e.Late+e.Accepted+e.Open, e.Early, e.Late, e.Accepted, e.Open, e.Classes)
		h := &e.High
		fmt.Fprintf(w, "%-11s clone3's high flags with %d classes of low ones: %d refused early, %d late, %d accepted, %d open\n", "",
			h.Classes, h.Early, h.Late, h.Accepted, h.Open)
		fmt.Fprintf(w, "%-11s %d issued in %.1f s, %d diverge\n", "", e.Issued, e.Seconds, e.Diverged)
	}
	for _, res := range r.all() {
		if line := res.explain(); line != "" && res.Outcome != Skipped {
			fmt.Fprintln(w, line)
		}
	}
	r.writeSkipped(w)
	verdict := "conforms"
	if r.Diverges() {
		verdict = "diverges"
	}
	_, err := fmt.Fprintf(w, "Linux %s %s %s\n", r.Kernel, r.Machine, verdict)
	return err
}

// writeSkipped writes a line for each reason for which cases were left out.
func (r *Report) writeSkipped(w io.Writer) {
	type reason struct{ suite, text string }
	var reasons []reason
	names := map[reason][]string{}
	for _, res := range r.Results {
		if key := (reason{res.Suite, res.Reason}); res.Outcome == Skipped {
			if names[key] == nil {
				reasons = append(reasons, key)
			}
			names[key] = append(names[key], res.Name)
		}
	}
	for _, key := range reasons {
		list, n := names[key], len(names[key])
		more := ""
		if n > 3 {
			list, more = list[:3], fmt.Sprintf(" and %d more", n-3)
		}
		fmt.Fprintf(w, "%s: %d left out: %s: %s%s\n", key.suite, n, key.text, strings.Join(list, ", "), more)
	}
}

// explain is what there is to say about a result, "" for one that conforms.
func (r *Result) explain() string {
	rule := ""
	if r.Rule != "" {
		rule = " by " + r.Rule
	}
	if r.About != "" && r.About != r.Rule {
		rule += ", a case of " + r.About
	}
	note := ""
	if r.Reason != "" {
		note = "; " + r.Reason
	}
	promise := ""
	if r.Promise != "" {
		promise = " to \"" + r.Promise + "\""
	}
	switch r.Outcome {
	case Affected:
		return fmt.Sprintf("%s/%s: bug %s: the kernel answers %s%s, without the bug %s%s (%s)%s", r.Suite, r.Name, r.Bug, r.Got, promise, r.Want, rule, r.Source, note)
	case Diverges:
		return fmt.Sprintf("%s/%s: the kernel answers %s%s, expected %s%s (%s)%s", r.Suite, r.Name, r.Got, promise, r.Want, rule, r.Source, note)
	case Skipped:
		return fmt.Sprintf("%s/%s: left out: %s", r.Suite, r.Name, r.Reason)
	}
	if r.Reason != "" {
		return fmt.Sprintf("%s/%s: %s%s", r.Suite, r.Name, r.Got, note)
	}
	return ""
}

func (r *Report) writeTAP(w io.Writer) error {
	all := r.all()
	fmt.Fprintf(w, "TAP version 13\n1..%d\n", len(all))
	for i, res := range all {
		ok, note := "ok", ""
		switch {
		case res.failed():
			ok, note = "not ok", " # "+res.explain()
		case res.Outcome == Skipped:
			note = " # SKIP " + res.Reason
		}
		if _, err := fmt.Fprintf(w, "%s %d - %s/%s%s\n", ok, i+1, res.Suite, res.Name, note); err != nil {
			return err
		}
	}
	return nil
}

type junitCase struct {
	Suite   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Failure *junitNote `xml:"failure,omitempty"`
	Skipped *junitNote `xml:"skipped,omitempty"`
}

type junitNote struct {
	Message string `xml:"message,attr"`
}

func (r *Report) writeJUnit(w io.Writer) error {
	suite := struct {
		XMLName xml.Name    `xml:"testsuite"`
		Name    string      `xml:"name,attr"`
		Tests   int         `xml:"tests,attr"`
		Cases   []junitCase `xml:"testcase"`
	}{Name: "forktrace verify " + r.Kernel}
	for _, res := range r.all() {
		c := junitCase{Suite: res.Suite, Name: res.Name}
		switch {
		case res.failed():
			c.Failure = &junitNote{res.explain()}
		case res.Outcome == Skipped:
			c.Skipped = &junitNote{res.Reason}
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Tests = len(suite.Cases)
	b, err := xml.MarshalIndent(suite, "", " ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, b)
	return err
}
