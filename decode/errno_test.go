// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

func TestErrnoTable(t *testing.T) {
	names := map[string]bool{}
	last := Errno(0)
	for _, row := range Errnos {
		if row.Errno <= last || names[row.Name] {
			t.Errorf("%d %s is out of order or there twice", row.Errno, row.Name)
		}
		last, names[row.Name] = row.Errno, true
		ownSentence(t, row.Name, row.Sentence)
		if e, err := ParseErrno(strings.ToLower(row.Name)); err != nil || e != row.Errno {
			t.Errorf("%s reads as %d, %v", row.Name, e, err)
		}
		if row.Errno.Name() != row.Name {
			t.Errorf("%d is called %s", row.Errno, row.Errno.Name())
		}
	}
	if !slices.Contains(ErrnoNames(), "ENOTSUPP") {
		t.Error("ErrnoNames lacks the last row")
	}
}

func TestErrnoWithoutName(t *testing.T) {
	for e, want := range map[Errno]string{
		0: "errno 0", 41: "errno 41", 515: "errno 515", 525: "errno 525", 4095: "errno 4095", 1 << 31: "errno 2147483648",
	} {
		if e.Name() != "" || e.String() != want || string(AppendErrno(nil, e)) != want {
			t.Errorf("%d: name %q, string %q", uint32(e), e.Name(), e.String())
		}
	}
	// No result that fits into the record may lose bits on its way.
	for _, result := range []int32{-1, -4095, -4096, math.MinInt32} {
		r := Record{Result: result}
		if got := r.Errno(); int64(got) != -int64(result) {
			t.Errorf("result %d is errno %d", result, got)
		}
	}
}

func TestErrnoIsRestart(t *testing.T) {
	for _, row := range Errnos {
		want := strings.HasPrefix(row.Name, "ERESTART") && row.Errno >= 512
		if row.Errno.IsRestart() != want {
			t.Errorf("%s: IsRestart is %v", row.Name, !want)
		}
	}
}

func TestParseErrno(t *testing.T) {
	for text, want := range map[string]Errno{
		"EAGAIN": EAGAIN, "eagain": EAGAIN, "again": EAGAIN, "EWOULDBLOCK": EAGAIN, "11": EAGAIN, "0xb": EAGAIN,
		"513": ERESTARTNOINTR, "enotsup": EOPNOTSUPP, "4095": 4095,
	} {
		if got, err := ParseErrno(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, near := range map[string]string{"EAGIAN": "EAGAIN", "NOMEN": "ENOMEM", "EPREM": "EPERM"} {
		var unknown *UnknownNameError
		if _, err := ParseErrno(text); !errors.As(err, &unknown) || !slices.Contains(unknown.Near, near) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "0", "-11", "4294967296", "1x", strings.Repeat("E", 5000)} {
		if e, err := ParseErrno(text); err == nil {
			t.Errorf("%.10q reads as %v", text, e)
		}
	}
}
