// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	const why = "why     A new mount namespace gives the child a root of its own.\n"
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{why, 0, why},
		{why, 80, why},
		{why, 40, "why     A new mount namespace gives the\n        child a root of its own.\n"},
		{"        fix: Raise the limit of that cgroup.\n", 30, "        fix: Raise the limit\n        of that cgroup.\n"},
		{"no columns at all in here\n", 10, "no columns\nat all in\nhere\n"},
		{"a  unbreakableunbreakable word\n", 12, "a  unbreakableunbreakable\n   word\n"},
		{"unbreakableunbreakable\n", 10, "unbreakableunbreakable\n"},
		{"exact  ten\n", 10, "exact  ten\n"},
		{"a   bcd efg\n", 10, "a   bcd\n    efg\n"},
		{"äöü  äöüä öäö\n", 10, "äöü  äöüä\n     öäö\n"},
	} {
		if got := fold(c.text, c.width); got != c.want {
			t.Errorf("%q to %d: %q", c.text, c.width, got)
		}
	}
}

// TestExplainFolded: on a terminal no line of any explanation is longer than it, but a single word.
func TestExplainFolded(t *testing.T) {
	for _, width := range []int{60, 80, 120} {
		var b strings.Builder
		for _, errno := range []string{"EAGAIN", "EINVAL", "ENOMEM", "EPERM"} {
			o := callOptions{errno: errno}
			if err := o.writeCauses(&b, "text"); err != nil {
				t.Fatal(err)
			}
		}
		for line := range strings.Lines(fold(b.String(), width)) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > width && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%d columns of %d: %q", n, width, line)
			}
		}
	}
}
