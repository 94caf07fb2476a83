// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	for _, tt := range []struct {
		args string
		ok   bool
	}{
		{"", true},
		{"--arch amd64,arm64 --kernel 6.12,5.10 --plans trampoline,kprobe --jobs 2 --timeout 5m", true},
		{"--exec a.test b.test", true},
		{"a.test", false},
		{"--arch vax", false},
		{"--plans auto,auto", false},
		{"--plans a/b", false},
		{"--kernel 6.12,", false},
		{"--test (", false},
		{"--jobs 0", false},
		{"--nonsense", false},
	} {
		if _, err := parseOptions(strings.Fields(tt.args), io.Discard); (err == nil) != tt.ok {
			t.Errorf("%q: %v", tt.args, err)
		}
	}
}
