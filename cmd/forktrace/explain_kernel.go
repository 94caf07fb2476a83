// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/verify"
)

// askedKernel is a kernel that --kernel names, or the running one.
type askedKernel struct {
	release string
	traits  decode.Traits

	// Of the running kernel, if it could be asked.
	asked    bool
	guessed  []string // names of the traits that are known by the release alone
	taskSize uint64
	pidMax   uint32
	note     string // why it could not
}

// releases are what --kernel all stands for: those that are maintained for long, and
// those with which a trait came.
var releases = []string{
	"5.10", "5.15", "5.17", "6.1", "6.2", "6.3", "6.4", "6.6", "6.9", "6.12", "6.13", "6.14", "6.16", "6.17", "6.18", "6.19",
	"7.0", "7.1", "7.2", "7.3",
}

// kernels are those that --kernel names.
func (o *callOptions) kernels() ([]askedKernel, error) {
	names := []string{o.kernel}
	switch o.kernel {
	case "all":
		names = releases
	case "":
		if o.architecture() == runtime.GOARCH {
			k, err := runningKernel()
			return []askedKernel{k}, err
		}
		names[0] = verify.Release()
	}
	var all []askedKernel
	for _, name := range names {
		traits, err := decode.TraitsOf(name, o.architecture())
		if err != nil {
			return nil, usagef("--kernel: %w; give one as 6.12 or 6.1.0-56-amd64, or all", err)
		}
		all = append(all, askedKernel{release: name, traits: traits})
	}
	return all, nil
}

// runningKernel asks the running kernel what it does, as far as that takes no privilege.
func runningKernel() (askedKernel, error) {
	k := askedKernel{release: verify.Release(), asked: true}
	traits, learned, err := learnTraits()
	if err != nil {
		k.asked, k.note = false, "this kernel could not be asked, so its release alone tells its rules: "+err.Error()
		k.traits, err = decode.TraitsOf(k.release, runtime.GOARCH)
		return k, err
	}
	k.traits = traits
	for _, l := range learned.traits {
		if l.By == verify.ByRelease {
			k.guessed = append(k.guessed, l.Trait.Name)
		}
	}
	k.taskSize = learned.taskSize
	if text, err := os.ReadFile("/proc/sys/kernel/pid_max"); err == nil {
		n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32) // 0 is not known
		k.pidMax = uint32(n)
	}
	return k, nil
}

// complete is the state with what the kernel tells of it, where the options do not.
func (k *askedKernel) complete(c *creatorState, arch string) decode.State {
	s := c.State
	s.Pids = slices.Clone(s.Pids)
	if !c.saidTaskSize {
		s.TaskSize = k.taskSize
		s.BoundTaskSize(k.release, arch)
	}
	if !k.asked {
		return s
	}
	if !c.saidPageSize {
		s.PageSize = uint64(os.Getpagesize())
	}
	for i := range s.Pids {
		if !c.saidPidMax {
			s.Pids[i].PidMax = k.pidMax
		}
	}
	return s
}

// The series whose rules are in the tables.
var (
	oldestKernel = decode.KernelVersion{Major: 5, Minor: 8}
	newestKernel = decode.KernelVersion{Major: 7, Minor: 3}
)

// notes are what has to be said beside an answer: about words that have no effect, about
// kernels that the tables are not made for, and about what was taken for granted.
func (o *callOptions) notes(r *decode.Request, c *creatorState, k *askedKernel) (notes []string) {
	if k.note != "" {
		notes = append(notes, k.note)
	}
	v, _, err := decode.ParseRelease(k.release)
	switch {
	case err != nil:
	case v.Before(oldestKernel):
		notes = append(notes, fmt.Sprintf("the rules known are those of Linux %s to %s: of older ones %s is told what the oldest does", oldestKernel.Series(), newestKernel.Series(), k.release))
	case newestKernel.Before(decode.KernelVersion{Major: v.Major, Minor: v.Minor}):
		notes = append(notes, fmt.Sprintf("the rules known are those of Linux %s to %s: of newer ones %s is told what the newest does", oldestKernel.Series(), newestKernel.Series(), k.release))
	}
	for _, condition := range c.said.List() {
		if !matters(condition, r.Entry, k.traits) {
			notes = append(notes, fmt.Sprintf("--state %s has no effect: no rule of Linux %s asks for it%s", condition.Name(), k.release, hint(condition)))
		}
	}
	if r.Entry == decode.EntryClone3 && r.Flags&decode.CloneIntoCgroup != 0 && *o.numbers["cgroup"] == "" {
		notes = append(notes, "--cgroup is not given: a good descriptor is taken for granted, of a cgroup that takes the child")
	}
	return notes
}

// matters says whether a rule of such a kernel depends on a condition.
func matters(c decode.Condition, entry decode.Entry, traits decode.Traits) bool {
	rules := decode.Rules
	if entry == decode.EntryUnknown {
		rules = decode.UnshareRules
	}
	return c == decode.CondPidNSEmpty || // set_tid's own checks ask for it
		slices.ContainsFunc(rules, func(r decode.Rule) bool {
			return r.HoldsFor(traits) && (r.When.Has(c) || r.Unless.Has(c))
		})
}

// hint says how to name a kernel that a condition matters to.
func hint(c decode.Condition) string {
	if c == decode.CondUsernsCloneOff {
		return "; Debian's kernels have it, named in full as 6.1.0-56-amd64"
	}
	return ""
}
