// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

func TestViolations(t *testing.T) {
	check := func(*decode.Record) []decode.Violation {
		return []decode.Violation{
			{ID: "mm", Promised: "the memory is copied", Seen: "mm is the creator's", Source: "kernel/fork.c, copy_mm", Bug: "G6"},
			{ID: decode.ViolationAccepted, Promised: "EINVAL", Seen: "a child", Source: "kernel/fork.c", Rule: "newns-with-fs"},
		}
	}
	var out bytes.Buffer
	j := NewJSON(&out, Cgroups{}, nil)
	j.Check = check
	r := forkRecord
	if err := j.Creation(&r); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	testkit.ValidateLine(t, testkit.Schema(t), out.Bytes())
	if !bytes.Contains(out.Bytes(), []byte(`"check":[{"id":"mm",`)) || !bytes.Contains(out.Bytes(), []byte(`"rule":"newns-with-fs"`)) {
		t.Errorf("%s", &out)
	}

	out.Reset()
	text := NewText(&out, &out, TextOptions{Times: TimeNone, Check: check})
	if err := text.Creation(&r); err != nil {
		t.Fatal(err)
	}
	if err := text.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = "    ✗ mm: promised the memory is copied; seen mm is the creator's; known bug G6 (kernel/fork.c, copy_mm)\n" +
		"    ✗ accepted: promised EINVAL; seen a child; rule newns-with-fs (kernel/fork.c)\n"
	if !bytes.HasSuffix(out.Bytes(), []byte(want)) {
		t.Errorf("%s", &out)
	}
	s := Summary{Checked: true, Violations: 2, Shown: 3}
	out.Reset()
	if err := s.WriteText(&out); err != nil || !bytes.Contains(out.Bytes(), []byte("forktrace: 2 violations in 3 attempts that were checked\n")) {
		t.Errorf("%v %s", err, &out)
	}
	out.Reset()
	if err := s.WriteJSON(&out); err != nil || !bytes.Contains(out.Bytes(), []byte(`"violations":2`)) {
		t.Errorf("%v %s", err, &out)
	}
	testkit.ValidateLine(t, testkit.Schema(t), out.Bytes())
}
