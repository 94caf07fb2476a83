// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"slices"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

func TestNearest(t *testing.T) {
	names := []string{"EAGAIN", "EACCES", "ENOMEM", "EINVAL", "thread", "kernel_thread"}
	for _, c := range []struct {
		name string
		want []string
	}{
		{"eagian", []string{"EAGAIN"}},
		{"EINVALL", []string{"EINVAL"}},
		{"kernel", []string{"kernel_thread"}},
		{"tread", []string{"thread"}},
		{"zzzzzz", nil},
		{"", nil},
		{"E", nil},
		{strings.Repeat("EAGAIN", 1000), nil},
	} {
		if got := Nearest(c.name, names); !slices.Equal(got, c.want) {
			t.Errorf("%.20q: %q, want %q", c.name, got, c.want)
		}
	}
	if got := Nearest("EAGAI", []string{"EAGA", "EAGAX", "EAGAIN", "EAGAY"}); len(got) != 3 {
		t.Errorf("%q: want three", got)
	}
}
