// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

func TestParseFlags(t *testing.T) {
	for _, c := range []struct {
		text   string
		flags  uint64
		signal int
	}{
		{"", 0, 0},
		{" | , ", 0, 0},
		{"CLONE_VM", CloneVM, 0},
		{"vm", CloneVM, 0},
		{"clone_vm|Vfork", CloneVM | CloneVfork, 0},
		{"VM,FS FILES\tSIGHAND", CloneVM | CloneFS | CloneFiles | CloneSighand, 0},
		{"CLONE_VFORK |CLONE_VM | SIGCHLD", CloneVM | CloneVfork, 17},
		{"TLS|PTID|CTID|CLEARTID|AUTOKILL", CloneSetTLS | CloneParentSetTid | CloneChildSetTid | CloneChildClearTid | ClonePidfdAutokill, 0},
		{"IO|SIGIO", CloneIO, 29},
		{"0x1200011", 0x1200000, 17},
		{"18874385", 0x1200000, 17},
		{"0110000021", 0x1200000, 17},
		{"0x100004100|sigchld", CloneClearSighand | CloneVM | CloneVfork, 17},
		{"0x80", CloneNewTime, 0},
		{"NEWTIME|0x11", CloneNewTime, 17},
		{"SIGCHLD|17", 0, 17},
		{"SIGRTMIN+3", 0, 35},
		{"0xffffffffffffffff", ^uint64(0x7f), 0x7f},
	} {
		flags, sig, err := ParseFlags(c.text)
		if err != nil || flags != c.flags || sig != c.signal {
			t.Errorf("%q: %#x, %d, %v; want %#x, %d", c.text, flags, sig, err, c.flags, c.signal)
		}
	}
}

func TestParseFlagsErrors(t *testing.T) {
	for _, c := range []struct {
		text string
		is   error
		near string // of an unknown name: one that must be proposed
	}{
		{"CLONE_VMM", nil, "CLONE_VM"},
		{"NEWNAT", nil, "NEWNET"},
		{"THRAED", nil, "THREAD"},
		{"clone_newpdi", nil, "CLONE_NEWPID"},
		{"VM|SIGCHILD", nil, "SIGCHLD"},
		{"CLONE_NEW", nil, "CLONE_NEWNS"},
		{"xyzzy", nil, ""},
		{"CLONE_", nil, ""},
		{"-1", nil, ""},
		{"0x", strconv.ErrSyntax, ""},
		{"12monkeys", strconv.ErrSyntax, ""},
		{"0x10000000000000000", strconv.ErrRange, ""},
		{"SIGCHLD|SIGUSR1", ErrTwoSignals, ""},
		{"0x11|0x12", ErrTwoSignals, ""},
		{strings.Repeat("VM|", 10000), ErrFlagText, ""},
	} {
		_, _, err := ParseFlags(c.text)
		var unknown *UnknownNameError
		switch {
		case err == nil:
			t.Errorf("%.20q: no error", c.text)
		case c.is != nil && !errors.Is(err, c.is):
			t.Errorf("%.20q: %v, want one that is %v", c.text, err, c.is)
		case c.is == nil && !errors.As(err, &unknown):
			t.Errorf("%.20q: %v is no UnknownNameError", c.text, err)
		case c.near != "" && !slices.Contains(unknown.Near, c.near):
			t.Errorf("%.20q: %v does not propose %s", c.text, err, c.near)
		}
	}
}

func TestUnknownNameErrorIsBounded(t *testing.T) {
	_, _, err := ParseFlags("\x1b[31m" + strings.Repeat("A", 4000))
	if msg := err.Error(); len(msg) > 120 || strings.ContainsRune(msg, '\x1b') {
		t.Errorf("message of %d bytes: %s", len(msg), msg)
	}
}

func FuzzParseFlags(f *testing.F) {
	for _, seed := range []string{
		"", "CLONE_VM|SIGCHLD", "0x1200011", "vm,fs files", "CLONE_NEWNS|0x4000000000", "SIGRTMIN+3",
		"SIG", "CLONE_", "0", "0b1", "1_0", "\xff\x00|", "SIGRTMAX-1", "é|VM",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		flags, sig, err := ParseFlags(text)
		if err != nil {
			if flags != 0 || sig != 0 {
				t.Errorf("%q: %#x and %d beside %v", text, flags, sig, err)
			}
			if len(err.Error()) > len(text)*4+200 {
				t.Errorf("%q: message of %d bytes", text, len(err.Error()))
			}
			return
		}
		if sig < 0 || sig > 127 || flags&0x7f != 0 {
			t.Fatalf("%q: flags %#x, signal %d", text, flags, sig)
		}
		again, sig2, err := ParseFlags(string(AppendSignal(append(AppendFlags(nil, flags, StyleFull), '|'), sig)))
		if err != nil || again != flags || sig2 != sig {
			t.Errorf("%q: %#x and %d, written and read again %#x and %d, %v", text, flags, sig, again, sig2, err)
		}
		Explain(flags, sig, EntryUnknown)
	})
}
