// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

func newVerifier(t *testing.T) *Verifier {
	t.Helper()
	e, err := NewExecutor()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	v, err := New(e)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerifyCases(t *testing.T) {
	v := newVerifier(t)
	seen := map[string]bool{}
	for _, c := range Cases() {
		if seen[c.Suite+c.Name] || c.Source == "" || !slices.Contains(Suites, c.Suite) {
			t.Errorf("%s: twice, without a source, or of no suite", c.Name)
		}
		seen[c.Suite+c.Name] = true
		res, err := v.Run(&c)
		if err != nil {
			t.Fatal(err)
		}
		if res.Outcome == Diverges || v.root && res.Outcome == Skipped && !mayBeSkipped(&c, &res, v) {
			t.Errorf("%+v", res)
		}
	}
}

// mayBeSkipped says whether root may be unable to run a case: kernels lack flags, and
// machines with the first version of cgroups have no controller in the second.
func mayBeSkipped(c *Case, res *Result, v *Verifier) bool {
	switch {
	case strings.HasPrefix(res.Reason, "this kernel has "), strings.HasPrefix(res.Reason, "the sysctl "):
		return true
	case strings.HasPrefix(res.Reason, "the cgroup cannot be made: "):
		return !testkit.InGuest() || c.Cgroup == CgroupKilled // cgroup.kill came with 5.14
	case strings.HasSuffix(res.Reason, " unknown-flag"):
		return c.Request.Flags&(autoreapFlags|decode.CloneEmptyMntNS) != 0 && v.Traits&decode.TraitAutoreap == 0
	case strings.HasSuffix(res.Reason, " reserved-low-bits"), strings.HasSuffix(res.Reason, " vm-foreign-timens"):
		return v.Traits&(decode.TraitNewTimeClone3|decode.TraitTimeNSAtExec) != decode.TraitNewTimeClone3|decode.TraitTimeNSAtExec
	}
	return false
}

// TestVerifySample issues a part of what --exhaustive does.
func TestVerifySample(t *testing.T) {
	v := newVerifier(t)
	counts, err := v.Exhaustive(Exhaustive{Stride: 15, Sample: 200, Seed: 1, Classes: 300})
	if err != nil {
		t.Fatal(err)
	}
	if counts.Diverged != 0 || counts.Open+counts.High.Open != 0 || counts.Issued < 800_000 || counts.High.Early < 5000 {
		t.Errorf("%+v", counts)
	}
}

// deciding are the cases that a row of a table decides, by its index.
func deciding(v *Verifier, cases []Case, table []decode.Rule) map[int][]*Case {
	rows := map[*decode.Rule]int{}
	for i := range table {
		rows[&table[i]] = i
	}
	found := map[int][]*Case{}
	for i := range cases {
		c := &cases[i]
		if c = v.fit(c); c.Fit != nil {
			continue
		}
		p := v.predictCase(c)
		row, ofTable := rows[p.Rule]
		if ofTable && c.Observe == "" && c.Bug == "" && p.Outcome == decode.OutcomeRefused && v.cannot(c) == "" {
			found[row] = append(found[row], c)
		}
	}
	return found
}

// diverging runs the cases by a table with a mutation until one diverges, and returns its
// result. Only cases of which the table says something else are worth running.
func diverging(t *testing.T, v *Verifier, cases []*Case, rules []decode.Rule) (res Result, found bool) {
	t.Helper()
	for _, c := range cases {
		v.Book, v.UnshareBook = nil, nil
		before := v.predictCase(c)
		if c.Request.Entry == decode.EntryUnknown {
			v.UnshareBook = decode.NewBook(rules)
		} else {
			v.Book = decode.NewBook(rules)
		}
		after := v.predictCase(c)
		if before.Errno() == after.Errno() {
			continue
		}
		var err error
		if res, err = v.Run(c); err != nil {
			t.Fatal(err)
		}
		if res.Outcome == Diverges {
			return res, true
		}
		if res.Outcome == Conforms {
			t.Errorf("%s conforms to a table that says otherwise: %+v", c.Name, res)
		}
	}
	return res, false
}

// unreached are the rules that no case meets, and why: what provokes them would disturb the
// machine, or cannot be brought about at will.
var unreached = []string{
	"seccomp-denied",                              // TestVerifySeccomp
	"max-threads", "pidfd-nfile", "files-nr-open", // limits of the whole machine
	"fs-in-exec", "pidns-dying", "fatal-signal", "newnet-interrupted", "io-creator-dying", // races
	"userns-lsm", "lsm-task-alloc", "scx-init-task", "newnet-init", // depend on what is loaded
	"perf-inherit", "cpuset-fork", "into-cgroup-ns", // need the machine's hierarchy or events
	"tls-desc", "kthread-struct", "umh-fs", // not of 64-bit system calls
	usernsRule, // TestVerifyUsernsOff
	"shadow-stack",
}

// unprovoked are conditions of single rows of rules that other cases meet, which take a race.
var unprovoked = []decode.Condition{decode.CondCgroupGoing, decode.CondPidNSTaken}

func mustReach(r *decode.Rule) bool {
	if slices.ContainsFunc(unprovoked, r.When.Has) {
		return false
	}
	return !slices.Contains(unreached, r.ID) && !strings.HasSuffix(r.ID, "-nomem") && !strings.HasSuffix(r.ID, "-not-built")
}

// autoreapFlags came with Linux 7.1.
const autoreapFlags = decode.CloneAutoreap | decode.CloneNNP | decode.ClonePidfdAutokill

// TestVerifyMutations deletes each row of the table that kernels like this one have, and changes
// its error: a case must diverge, and its result name the rule.
func TestVerifyMutations(t *testing.T) {
	testkit.NeedRoot(t)
	v := newVerifier(t)
	mutate(t, v, decode.Rules, mustReach)
}

// TestVerifyUnshareMutations does the same to the table of unshare.
func TestVerifyUnshareMutations(t *testing.T) {
	testkit.NeedRoot(t)
	v := newVerifier(t)
	mutate(t, v, decode.UnshareRules, mustReach)
}

// mutate deletes and changes each row of a table that cases can reach.
func mutate(t *testing.T, v *Verifier, table []decode.Rule, mustReach func(*decode.Rule) bool) {
	t.Helper()
	found := deciding(v, Cases(), table)
	for i := range table {
		rule := &table[i]
		if !rule.HoldsFor(v.Traits) || (rule.All|rule.Any)&autoreapFlags != 0 && rule.ID != "unknown-flag" && v.Traits&decode.TraitAutoreap == 0 {
			continue
		}
		cases := found[i]
		if len(cases) == 0 {
			if mustReach(rule) && (rule.ID != "pid-exhausted" || v.Traits&decode.TraitPidMaxPerNS != 0) {
				t.Errorf("no case meets row %d, %s", i, rule.ID)
			}
			continue
		}
		changed := slices.Clone(table)
		changed[i].Errno = decode.ENOTSUPP
		deleted := slices.Delete(slices.Clone(table), i, i+1)
		for name, rules := range map[string][]decode.Rule{"changed": changed, "deleted": deleted} {
			// cases that are made for the rule first: they name it even if it is gone
			slices.SortStableFunc(cases, func(a, b *Case) int { return named(b, rule) - named(a, rule) })
			res, found := diverging(t, v, cases, rules)
			if !found && res.Outcome == Skipped && !testkit.InGuest() {
				t.Logf("row %d, %s: %s", i, rule.ID, res.Reason)
			} else if !found || res.Rule != rule.ID && res.About != rule.ID {
				t.Errorf("row %d, %s, %s: %v %+v", i, rule.ID, name, found, res)
			}
		}
		v.Book, v.UnshareBook = nil, nil
	}
}

func named(c *Case, r *decode.Rule) int {
	if c.Rule == r.ID {
		return 1
	}
	return 0
}

// TestVerifyExecutorKilled: a helper that is gone is an error, not a hang.
func TestVerifyExecutorKilled(t *testing.T) {
	v := newVerifier(t)
	if err := v.Executor.cmd.Process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Executor.Issue(&decode.Request{Entry: decode.EntryClone}, 0, ""); !errors.Is(err, ErrExecutor) {
		t.Errorf("%v", err)
	}
}

// TestFallbackFile runs the program from a file, as where memory may not be executed.
func TestFallbackFile(t *testing.T) {
	path, done, err := inFile()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	done()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is left: %v", err)
	}
}
