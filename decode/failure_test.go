// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

func TestFailures(t *testing.T) {
	for _, f := range Failures {
		if len(f.Sentence) < 12 || strings.HasSuffix(f.Sentence, ".") || strings.ToLower(f.Sentence[:1]) != f.Sentence[:1] {
			t.Errorf("%v: text to stand behind a colon: %q", f.Errno, f.Sentence)
		}
		if f.Errno != 0 && f.Errno.Name() == "" {
			t.Errorf("errno %d has no name", f.Errno)
		}
		entry := EntryClone3
		if list := f.Entries.List(); len(list) > 0 {
			entry = list[0]
		} else if f.Flags == 0 && f.Layer == LayerUnknown {
			entry = EntryClone // the general row of a number that has one for clone3
		}
		errno := max(f.Errno, EPERM)
		r := Record{Entry: entry, Layer: f.Layer, Flags: f.Flags, Have: HaveFlags, Result: -int32(errno)}
		if got := FailureText(&r); got != f.Sentence {
			t.Errorf("%v by %v: %q hides %q", errno, entry, got, f.Sentence)
		}
	}
}

func TestFailureText(t *testing.T) {
	for _, c := range []struct {
		r    Record
		want string // part of it
	}{
		{Record{Result: 1234}, ""},
		{Record{Result: -11, Entry: EntryClone}, "not known here"},
		{Record{Result: -1, Entry: EntryClone, Flags: CloneNewUser, Have: HaveFlags}, "namespaces"},
		{Record{Result: -1, Entry: EntryClone, Flags: CloneNewUser}, "tls"}, // flags not known
		{Record{Result: -38, Entry: EntryClone3, Layer: LayerSeccomp}, "seccomp filter"},
		{Record{Result: -513, Entry: EntryClone}, "not a failure"},
		{Record{Result: -2, Entry: EntryClone3}, "No such file"},
	} {
		if got := FailureText(&c.r); !strings.Contains(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%d: %q, want %q", c.r.Result, got, c.want)
		}
	}
	if got := FailureText(&Record{Result: -4000}); !strings.Contains(got, "filter") {
		t.Errorf("errno 4000: %q", got)
	}
}
