// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"os"
	"slices"
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

func TestCases(t *testing.T) {
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
		if res.Outcome == Diverges || v.root && res.Outcome == Skipped {
			t.Errorf("%+v", res)
		}
	}
}

// TestSample issues a part of what --exhaustive does.
func TestSample(t *testing.T) {
	v := newVerifier(t)
	counts, err := v.Exhaustive(Exhaustive{Stride: 15, Sample: 200, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if counts.Diverged != 0 || counts.Open != 0 || counts.Issued < 800_000 {
		t.Errorf("%+v", counts)
	}
}

// TestMutations deletes each rule that the cases provoke, and changes its error: a case
// must diverge whose answer the table without the change gives by that rule.
func TestMutations(t *testing.T) {
	testkit.NeedRoot(t)
	v := newVerifier(t)
	cases := Cases()
	provoked := map[string]int{} // by rule: a case that it decides
	for i := range cases {
		if res, err := v.Run(&cases[i]); err != nil {
			t.Fatal(err)
		} else if res.Outcome == Conforms && res.Rule != "" {
			provoked[res.Rule] = i
		}
	}
	if len(provoked) < 25 {
		t.Errorf("only %d rules are provoked", len(provoked))
	}
	for id, i := range provoked {
		changed := slices.Clone(decode.Rules)
		for j := range changed {
			if changed[j].ID == id {
				changed[j].Errno++
			}
		}
		for name, rules := range map[string][]decode.Rule{
			"changed": changed,
			"deleted": slices.DeleteFunc(slices.Clone(decode.Rules), func(r decode.Rule) bool { return r.ID == id }),
		} {
			v.Book = decode.NewBook(rules)
			res, err := v.Run(&cases[i])
			if err != nil {
				t.Fatal(err)
			}
			// another rule with the same error may stand behind the deleted one
			if res.Outcome == Conforms && (name == "changed" || res.Rule == "") {
				t.Errorf("%s %s: %+v", id, name, res)
			}
		}
	}
}

// TestExecutorKilled: a helper that is gone is an error, not a hang.
func TestExecutorKilled(t *testing.T) {
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
