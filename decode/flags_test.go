// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

// ownSentence checks what a table tells people.
func ownSentence(t *testing.T, row, sentence string) {
	t.Helper()
	if len(sentence) < 12 || !strings.HasSuffix(sentence, ".") {
		t.Errorf("%s: not a sentence: %q", row, sentence)
	}
}

func TestFlagsTable(t *testing.T) {
	names := map[string]uint64{}
	last := uint64(0)
	for _, f := range Flags {
		if bits.OnesCount64(f.Value) != 1 || f.Value <= last {
			t.Errorf("%s: value %#x is no single bit above the row before", f.Name, f.Value)
		}
		last = f.Value
		for _, name := range []string{f.Name, f.Short} {
			if v, ok := names[name]; ok {
				t.Errorf("name %s stands for %#x and %#x", name, v, f.Value)
			}
			names[name] = f.Value
		}
		if !strings.HasPrefix(f.Name, "CLONE_") || f.Since == "" || f.Source == "" {
			t.Errorf("%+v: name, version or source is missing", f)
		}
		ownSentence(t, f.Name, f.Sentence)
		if f.Clone == AcceptNo && f.Clone3 == AcceptNo {
			t.Errorf("%s: no call makes a child with it", f.Name)
		}
		if strange := f.Clone > AcceptIgnored || f.Clone3 > AcceptYes || f.Unshare == AcceptOther; strange && f.Caveat == "" {
			t.Errorf("%s: an answer that needs a caveat has none", f.Name)
		}
		if f.Value>>32 != 0 && (f.Clone != AcceptIgnored || f.Unshare != AcceptNo || f.Setns != AcceptNo) {
			t.Errorf("%s: only clone3 has more than 32 bits", f.Name)
		}
		if f.Setns == AcceptYes && !f.IsNamespace() {
			t.Errorf("%s: setns enters namespaces only", f.Name)
		}
	}
	if len(Flags) != 31 {
		t.Errorf("%d rows, Linux 7.3 has 31 flags", len(Flags))
	}
}

// TestFlagNames holds the constants against the table.
func TestFlagNames(t *testing.T) {
	for name, value := range map[string]uint64{
		"CLONE_NEWTIME": CloneNewTime, "CLONE_VM": CloneVM, "CLONE_FS": CloneFS, "CLONE_FILES": CloneFiles,
		"CLONE_SIGHAND": CloneSighand, "CLONE_PIDFD": ClonePidfd, "CLONE_PTRACE": ClonePtrace,
		"CLONE_VFORK": CloneVfork, "CLONE_PARENT": CloneParent, "CLONE_THREAD": CloneThread,
		"CLONE_NEWNS": CloneNewNS, "CLONE_SYSVSEM": CloneSysvsem, "CLONE_SETTLS": CloneSetTLS,
		"CLONE_PARENT_SETTID": CloneParentSetTid, "CLONE_CHILD_CLEARTID": CloneChildClearTid,
		"CLONE_DETACHED": CloneDetached, "CLONE_UNTRACED": CloneUntraced, "CLONE_CHILD_SETTID": CloneChildSetTid,
		"CLONE_NEWCGROUP": CloneNewCgroup, "CLONE_NEWUTS": CloneNewUTS, "CLONE_NEWIPC": CloneNewIPC,
		"CLONE_NEWUSER": CloneNewUser, "CLONE_NEWPID": CloneNewPid, "CLONE_NEWNET": CloneNewNet,
		"CLONE_IO": CloneIO, "CLONE_CLEAR_SIGHAND": CloneClearSighand, "CLONE_INTO_CGROUP": CloneIntoCgroup,
		"CLONE_AUTOREAP": CloneAutoreap, "CLONE_NNP": CloneNNP, "CLONE_PIDFD_AUTOKILL": ClonePidfdAutokill,
		"CLONE_EMPTY_MNTNS": CloneEmptyMntNS,
	} {
		if got := string(AppendFlags(nil, value, StyleFull)); got != name {
			t.Errorf("%#x is %s, want %s", value, got, name)
		}
	}
}

func TestAppendFlags(t *testing.T) {
	for _, c := range []struct {
		flags              uint64
		full, short, brief string
	}{
		{0, "0", "0", ""},
		{0x1200000, "CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID", "CLEARTID|CTID", ""},
		{0x4100, "CLONE_VM|CLONE_VFORK", "VM|VFORK", "VM|VFORK"},
		{0x3d0f00, "CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS|CLONE_PARENT_SETTID|CLONE_CHILD_CLEARTID",
			"VM|FS|FILES|SIGHAND|THREAD|SYSVSEM|TLS|PTID|CLEARTID", "VM|FS|FILES|SIGHAND|THREAD"},
		{0x4000000000, "0x4000000000", "0x4000000000", "0x4000000000"},
		{0x100000000 | 1<<63 | 0x11, "CLONE_CLEAR_SIGHAND|0x8000000000000011", "CLEAR_SIGHAND|0x8000000000000011", "CLEAR_SIGHAND|0x8000000000000011"},
		{0x800000 | 1<<40, "CLONE_UNTRACED|0x10000000000", "UNTRACED|0x10000000000", "0x10000000000"},
	} {
		for style, want := range map[FlagStyle]string{StyleFull: c.full, StyleShort: c.short, StyleBrief: c.brief} {
			if got := string(AppendFlags([]byte("x "), c.flags, style)); got != "x "+want {
				t.Errorf("%#x in style %d: %q, want %q", c.flags, style, got, "x "+want)
			}
		}
	}
}

func TestFlagsIn(t *testing.T) {
	const flags = 0x3d0f00 | 1<<50
	var seen uint64
	for f := range FlagsIn(flags) {
		seen |= f.Value
	}
	if want := flags & KnownFlags; seen != want || flags&^KnownFlags != 1<<50 {
		t.Errorf("iterated %#x, want %#x", seen, want)
	}
	for f := range FlagsIn(flags) {
		if f.Value != CloneVM {
			t.Errorf("first row is %s", f.Name)
		}
		break
	}
}

func TestSplitCloneWord(t *testing.T) {
	for _, c := range []struct {
		word, flags uint64
		signal      int
	}{
		{0x1200011, 0x1200000, 17},
		{0x3d0f00, 0x3d0f00, 0},
		{0x80, 0, 0x80}, // no CLONE_NEWTIME here
		{0x1000000ff, 0x100000000, 255},
	} {
		if flags, sig := SplitCloneWord(c.word); flags != c.flags || sig != c.signal {
			t.Errorf("%#x: %#x and %d, want %#x and %d", c.word, flags, sig, c.flags, c.signal)
		}
	}
}

// flagWords are all single bits and many random words.
func flagWords() []uint64 {
	words := []uint64{0, ^uint64(0), KnownFlags}
	for bit := range 64 {
		words = append(words, 1<<bit)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		words = append(words, random.Uint64(), random.Uint64()&random.Uint64()&random.Uint64(), random.Uint64()&KnownFlags)
	}
	return words
}

func TestFlagsRoundTrip(t *testing.T) {
	for _, flags := range flagWords() {
		for _, style := range []FlagStyle{StyleFull, StyleShort} {
			text := string(AppendFlags(nil, flags, style))
			parsed, sig, err := ParseFlags(text)
			if err != nil {
				t.Fatalf("%#x: reading %q: %v", flags, text, err)
			}
			if parsed|uint64(sig) != flags {
				t.Fatalf("%#x: %q reads as %#x and signal %d", flags, text, parsed, sig)
			}
		}
	}
}
