// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/internal/verify"
	"github.com/forktrace/forktrace/tracer"
)

func newDoctor() *cobra.Command {
	format, plan := "text", string(tracer.PlanAuto)
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what can be traced here, how, and how near the limits are",
		Long: `Tries every hook on this kernel, without leaving any attached, and says which plan a
trace would use, what it would not see, what would give a better one, and which limits
on processes are in force, with their use.

Exit status: 0 if tracing works, 5 if not, 2 usage.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usagef("--format %s: must be text or json", format)
			}
			if !slices.Contains(tracer.Plans, tracer.Plan(plan)) {
				return usagef("--plan %s: must be one of %v", plan, tracer.Plans)
			}
			return runDoctor(c.OutOrStdout(), format, tracer.Plan(plan))
		},
	}
	c.Flags().StringVar(&format, "format", format, "text or json")
	c.Flags().StringVar(&plan, "plan", plan, "diagnose with the hooks of one plan: auto, trampoline, kprobe or tracepoint")
	return c
}

// report is the diagnosis as JSON has it.
type report struct {
	Type         string             `json:"type"`
	Schema       int                `json:"schema"`
	Kernel       string             `json:"kernel"`
	Machine      string             `json:"machine"`
	BTF          bool               `json:"btf"`
	Lockdown     string             `json:"lockdown,omitempty"` // "": not known
	Works        bool               `json:"works"`
	Error        string             `json:"error,omitempty"`
	Capabilities []reportCapability `json:"capabilities"`
	Hooks        []reportHook       `json:"hooks"`
	Plan         []reportNeed       `json:"plan"`
	Traits       []reportTrait      `json:"traits"`
	Limits       []host.Limit       `json:"limits"`
	Advice       []string           `json:"advice"`
}

type reportCapability struct {
	Name string `json:"name"`
	Held bool   `json:"held"`
	For  string `json:"for"`
}

type reportHook struct {
	Name   string `json:"name"`
	Plan   string `json:"plan,omitempty"`
	Need   string `json:"need"`
	Answer string `json:"answer"`
	Error  string `json:"error,omitempty"`
	Gives  string `json:"gives"`
	Cost   string `json:"cost"`
}

type reportNeed struct {
	Need  string `json:"need"`
	Hook  string `json:"hook,omitempty"`
	Blind string `json:"not_seen,omitempty"`
}

type reportTrait struct {
	Name    string `json:"name"`
	Present bool   `json:"present"`
	Means   string `json:"means"`
	By      string `json:"by"` // how that is known
}

func runDoctor(w io.Writer, format string, plan tracer.Plan) error {
	d := tracer.Diagnose(plan)
	r := newReport(d)
	var err error
	if format == "json" {
		err = json.NewEncoder(w).Encode(r)
	} else {
		err = r.writeText(w)
	}
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if d.Err != nil {
		return &statusError{exitKernel, d.Err}
	}
	return nil
}

func newReport(d *tracer.Diagnosis) *report {
	r := &report{
		Type: "doctor", Schema: 1, BTF: tracer.HaveBTF(), Lockdown: tracer.Lockdown(), Works: d.Err == nil, Limits: host.Limits(),
		Capabilities: []reportCapability{}, Hooks: []reportHook{}, Plan: []reportNeed{}, Traits: []reportTrait{},
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.Kernel, r.Machine = unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:])
	}
	if d.Err != nil {
		r.Error = d.Err.Error()
	}
	for _, c := range tracer.Capabilities() {
		r.Capabilities = append(r.Capabilities, reportCapability{c.Name, c.Held, c.For})
	}
	for _, t := range d.Trials {
		h := reportHook{Name: t.Hook.Name, Plan: string(t.Hook.Plan), Need: string(t.Hook.Need), Answer: string(t.Answer), Gives: t.Hook.Gives, Cost: t.Hook.Cost}
		if t.Err != nil {
			h.Error = t.Err.Error()
		}
		r.Hooks = append(r.Hooks, h)
	}
	for _, a := range d.Plan {
		n := reportNeed{Need: string(a.Need), Blind: a.Blind()}
		if a.Hook != nil {
			n.Hook = a.Hook.Name
		}
		r.Plan = append(r.Plan, n)
	}
	for _, t := range d.Traits {
		r.Traits = append(r.Traits, reportTrait{t.Name, t.Present, t.Means, string(verify.ByTypes)})
	}
	if d.Err == nil {
		r.Traits = append(r.Traits, reportTrait{"nr_threads", d.Threads, "tasks and threads-max are read at a failure, not from /proc a moment later", "symbols"})
	}
	r.Traits = append(r.Traits, ruleTraits()...)
	r.Advice = advice(r)
	return r
}

// adviceTable says what would give a better plan: each row holds when a hook of a plan
// does not work, or nothing of it does.
var adviceTable = []struct {
	holds func(r *report) bool
	text  string
}{
	{func(r *report) bool {
		return r.Works && !r.anyWorks(tracer.PlanTrampoline) && !r.anyWorks(tracer.PlanKprobe)
	},
		"a kernel with BPF trampolines (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS) or kprobes (CONFIG_KPROBE_EVENTS), not restricted by the hypervisor or a security module, would show failures inside the kernel, durations and whole requests"},
	{func(r *report) bool {
		return r.Works && !r.anyWorks(tracer.PlanTrampoline) && r.anyWorks(tracer.PlanKprobe)
	},
		"a kernel with BPF trampolines (on arm64 from 6.4 on) would cost less per creation than kprobes"},
	{func(r *report) bool { return r.Lockdown == "confidentiality" },
		"lockdown=confidentiality forbids BPF to read kernel memory: boot with lockdown=integrity or none"},
}

func (r *report) anyWorks(p tracer.Plan) bool {
	return slices.ContainsFunc(r.Hooks, func(h reportHook) bool {
		return h.Plan == string(p) && h.Answer == string(tracer.AnswerWorks)
	})
}

func advice(r *report) []string {
	all := []string{}
	for _, a := range adviceTable {
		if a.holds(r) {
			all = append(all, a.text)
		}
	}
	return all
}

func (r *report) writeText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	verdict := "tracing works"
	if !r.Works {
		verdict = "tracing does not work: " + r.Error
	}
	lockdown := r.Lockdown
	if lockdown == "" {
		lockdown = "not known (no readable /sys/kernel/security/lockdown)"
	}
	fmt.Fprintf(tw, "%s\nkernel %s %s, BTF %s, lockdown %s\n", verdict, r.Kernel, r.Machine, yesNo(r.BTF), lockdown)
	fmt.Fprint(tw, "\nCAPABILITY\tHELD\tFOR\n")
	for _, c := range r.Capabilities {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", c.Name, yesNo(c.Held), c.For)
	}
	r.writeTrials(tw)
	fmt.Fprint(tw, "\nLIMIT\tWHERE\tUSED\tMAX\tOF\n")
	for _, l := range r.Limits {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", l.Name, l.Where, count(l.Used, "?"), count(l.Max, "none"), l.Note)
	}
	for _, a := range r.Advice {
		fmt.Fprintf(tw, "\nbetter: %s\n", a)
	}
	return tw.Flush()
}

// writeTrials writes what trying came to; without privilege nothing was tried.
func (r *report) writeTrials(tw io.Writer) {
	if len(r.Plan) > 0 {
		fmt.Fprint(tw, "\nTO SEE\tUSED\tNOT SEEN\n")
	}
	for _, n := range r.Plan {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", n.Need, orDash(n.Hook), n.Blind)
	}
	if len(r.Hooks) > 0 {
		fmt.Fprint(tw, "\nHOOK\tANSWER\tBECAUSE\n")
	}
	for _, h := range r.Hooks {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", h.Name, h.Answer, shorten(h.Error))
	}
	if len(r.Traits) > 0 {
		fmt.Fprint(tw, "\nTRAIT\tHERE\tKNOWN BY\tMEANS\n")
	}
	for _, t := range r.Traits {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", t.Name, yesNo(t.Present), t.By, t.Means)
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func count(n *uint64, absent string) string {
	if n == nil {
		return absent
	}
	return fmt.Sprint(*n)
}

// shorten keeps the end of an error, where the cause is, on one line.
func shorten(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	parts := strings.Split(s, ": ")
	return strings.Join(parts[max(0, len(parts)-2):], ": ")
}
