// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

func TestSignalNames(t *testing.T) {
	seen := map[string]bool{}
	for sig := 1; sig <= 64; sig++ {
		name := SignalName(sig)
		if !strings.HasPrefix(name, "SIG") || seen[name] {
			t.Errorf("signal %d is called %q", sig, name)
		}
		seen[name] = true
		for _, text := range []string{name, strings.ToLower(name), strings.TrimPrefix(name, "SIG")} {
			if got, err := ParseSignal(text); err != nil || got != sig {
				t.Errorf("%s reads as %d, %v", text, got, err)
			}
		}
	}
	for sig, want := range map[int]string{17: "SIGCHLD", 35: "SIGRTMIN+3", 0: "0", -1: "-1", 65: "65", 128: "128"} {
		if got := string(AppendSignal(nil, sig)); got != want {
			t.Errorf("signal %d is written %s, want %s", sig, got, want)
		}
	}
}

func TestParseSignal(t *testing.T) {
	for text, want := range map[string]int{
		"17": 17, "0": 0, "255": 255, "CHLD": 17, "sigcld": 17, "SIGPOLL": 29,
		"SIGRTMAX-1": 63, "RTMAX-0": 64, "RTMIN+32": 64, "sigrtmin": 32,
	} {
		if got, err := ParseSignal(text); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "256", "-1", "SIG", "SIGRTMIN+33", "SIGRTMAX-33", "SIGRTMAX--1", "SIGNAL", strings.Repeat("S", 5000)} {
		if got, err := ParseSignal(text); err == nil {
			t.Errorf("%.12q reads as %d", text, got)
		}
	}
}
