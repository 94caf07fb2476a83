// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// bugsOf are the bugs that this kernel has by testdata/bugs.tsv.
func bugsOf(t *testing.T) []string {
	t.Helper()
	table, err := os.ReadFile("testdata/bugs.tsv")
	if err != nil {
		t.Fatal(err)
	}
	series := strings.Join(strings.SplitN(Release(), ".", 3)[:2], ".")
	for line := range strings.Lines(string(table)) {
		if kernel, bugs, found := strings.Cut(strings.TrimSpace(line), "\t"); found && kernel == series {
			return strings.Fields(bugs)
		}
	}
	t.Skipf("needs: a kernel in the table of bugs: %s is none", Release())
	return nil
}

// TestVerifyBugs: each named test says of each kernel whether it has the bug.
func TestVerifyBugs(t *testing.T) {
	testkit.NeedRoot(t)
	has := bugsOf(t)
	v := newVerifier(t)
	for _, c := range Cases() {
		if c.Bug == "" {
			continue
		}
		want := Conforms
		if slices.Contains(has, c.Bug) {
			want = Affected
		}
		res, err := v.Run(&c)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("STAT %s=%s", c.Bug, res.Outcome)
		skipped := res.Outcome == Skipped && mayBeSkipped(&c, &res, v)
		if res.Outcome != want && !skipped {
			t.Errorf("%s: want %s: %+v", c.Bug, want, res)
		}
	}
}
