// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestAppendSafe(t *testing.T) {
	for text, want := range map[string]string{
		"plain name":        "plain name",
		"naïve 進程":          "naïve 進程",
		"\x1b[31mred":       `\x1b[31mred`,
		"a\nb\tc\x00\x7f":   `a\x0ab\x09c\x00\x7f`,
		`back\slash`:        `back\\slash`,
		"\u009b2J":          `\xc2\x9b2J`,         // CSI as one C1 character
		"\x9b2J":            `\x9b2J`,             // and as a byte that is no UTF-8
		"exe\u202egpj":      `exe\xe2\x80\xaegpj`, // right-to-left override
		"a\u200b\u00a0b":    `a\xe2\x80\x8b\xc2\xa0b`,
		"\xff\xfe cut \xe2": `\xff\xfe cut \xe2`,
		"\ufffd":            "\ufffd", // a real one
		"":                  "",
	} {
		if got := string(AppendSafe(nil, []byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestJSONStringTable(t *testing.T) {
	for text, want := range map[string]string{
		"plain":          `"plain"`,
		`q"b\`:           `"q\"b\\"`,
		"\x1b\n\x7f":     `"\u001b\u000a\u007f"`,
		"\u009b\u2028":   `"\u009b\u2028"`,
		"bad\xff":        "\"bad\ufffd\"",
		"cut short \xe2": "\"cut short \ufffd\"",
	} {
		if got := string(appendJSONString(nil, []byte(text))); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// hostile are seeds for both fuzzers.
var hostile = []string{"", "bash", "\x1b]0;x\a", "\u202e", "\x80\x9b", `\x1b`, "é\xc3", "\ufffd\xff", "\"\\/\b", "\U000e0001"}

// FuzzAppendSafe: nothing that a terminal acts upon comes out, and different names stay
// different.
func FuzzAppendSafe(f *testing.F) {
	for _, s := range hostile {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := AppendSafe([]byte("kept"), text)
		safe, found := bytes.CutPrefix(got, []byte("kept"))
		if !found || !utf8.Valid(safe) {
			t.Fatalf("%q became %q", text, got)
		}
		for _, r := range string(safe) {
			if r != ' ' && !unicode.IsPrint(r) || r == '\x1b' {
				t.Fatalf("%U in %q", r, safe)
			}
		}
		if back := unescape(string(safe)); back != string(text) {
			t.Fatalf("%q became %q, which reads %q", text, safe, back)
		}
	})
}

// unescape undoes AppendSafe.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b.WriteByte(s[i])
		case s[i+1] == '\\':
			b.WriteByte('\\')
			i++
		default: // \xNN
			b.WriteByte(byte(strings.IndexByte(hexDigits, s[i+2])<<4 | strings.IndexByte(hexDigits, s[i+3])))
			i += 3
		}
	}
	return b.String()
}

// FuzzJSONString: encoding/json reads what was written, and no raw control character of
// any kind is in it.
func FuzzJSONString(f *testing.F) {
	for _, s := range hostile {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got := appendJSONString(nil, text)
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		if want := strings.ToValidUTF8(string(text), "\ufffd"); !sameButRuns(back, want, text) {
			t.Fatalf("%q became %q, which reads %q", text, got, back)
		}
		if i := bytes.IndexFunc(got, unicode.IsControl); i >= 0 {
			t.Fatalf("a raw control character in %q", got)
		}
	})
}

// sameButRuns compares with valid text exactly; where bytes were replaced, each has its own
// replacement.
func sameButRuns(got, want string, text []byte) bool {
	if utf8.Valid(text) {
		return got == want
	}
	return got == string([]rune(string(text)))
}
