// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/forktrace/forktrace/decode"
)

// explain says what the kernels that were asked for answer.
func (o *callOptions) explain(w, diag io.Writer, format string) error {
	all, err := o.answers()
	if err != nil {
		return err
	}
	for _, note := range notesOf(all) {
		fmt.Fprintf(diag, "forktrace: %s\n", note)
	}
	return o.write(w, format, all)
}

// notesOf are the notes that hold for every answer; those of some kernels only are left to JSON.
func notesOf(all []answer) []string {
	notes := slices.Clone(all[0].Notes)
	for _, a := range all[1:] {
		notes = slices.DeleteFunc(notes, func(n string) bool { return !slices.Contains(a.Notes, n) })
	}
	return notes
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
	return writeFolded(w, b.String())
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
			fmt.Fprintf(tw, "open\t%s: whether %s%s\n", open.Name, open.Sentence, open.how())
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
	if a.Asked {
		fmt.Fprintf(tw, "known\tby asking this kernel%s\n", a.guesses())
	}
	tw.Flush()
}

// dependsOn are the words of --state that would settle the answer.
func (a *answer) dependsOn() (words []string) {
	for _, open := range a.Open {
		if open.State != "" {
			words = append(words, open.State)
		} else {
			words = append(words, open.Name)
		}
	}
	return words
}

// how says how to settle what is open.
func (t *openText) how() string {
	if t.State == "" {
		return ""
	}
	return "; --state " + t.State + " tells"
}

// guesses says what of the running kernel is not known for sure.
func (a *answer) guesses() string {
	if len(a.Guessed) == 0 {
		return ""
	}
	return "; by its release alone: " + strings.Join(a.Guessed, ", ")
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
		switch {
		case a.Outcome == decode.OutcomeOpen:
			rule = "depends on " + strings.Join(a.dependsOn(), ", ")
		case a.Rule != nil:
			rule = a.Rule.ID
		}
		if a.Fits != nil && *a.Fits {
			rule += ", as seen"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", a.Kernel, mark, a.verdict(), rule)
	}
	tw.Flush()
	b.WriteString("\n* the answer, or the rule behind it, differs from that of the kernel above\n")
}
