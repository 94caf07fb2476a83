// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// golden compares with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// render writes all synthetic records as text.
func render(t *testing.T, o TextOptions) string {
	t.Helper()
	var out, diag bytes.Buffer
	o.Cgroups.V2, o.PidMax = paths, 32768
	text := NewText(&out, &diag, o)
	if err := text.Header(); err != nil {
		t.Fatal(err)
	}
	for _, r := range allRecords() {
		if err := text.Creation(&r); err != nil {
			t.Fatal(err)
		}
	}
	if err := text.Livelock(aLivelock()); err != nil {
		t.Fatal(err)
	}
	if err := text.Flush(); err != nil {
		t.Fatal(err)
	}
	if diag.Len() > 0 {
		t.Errorf("diagnostics: %q", &diag)
	}
	return out.String()
}

func TestTextGolden(t *testing.T) {
	for name, o := range map[string]TextOptions{
		"text-pipe":          {Times: TimeBoot},
		"text-60":            {Times: TimeBoot, LineWidth: 60},
		"text-80":            {Times: TimeBoot, LineWidth: 80},
		"text-120":           {Times: TimeBoot, LineWidth: 120, Stages: true},
		"text-20":            {Times: TimeBoot, LineWidth: 20},
		"text-verbose":       {Times: TimeBoot, Verbose: true},
		"text-verbose-color": {Times: TimeBoot, Verbose: true, Color: true, LineWidth: 80},
		"text-color":         {Times: TimeNone, Color: true},
		"text-color-80":      {Times: TimeNone, Color: true, LineWidth: 80},
		"text-delta":         {Times: TimeDelta, Stages: true},
		"text-none":          {Times: TimeNone},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, render(t, o)) })
	}
}

var escapeSequence = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestTextFits: no line is wider than the terminal, and none ends in spaces.
func TestTextFits(t *testing.T) {
	for _, width := range []int{40, 60, 79, 80, 81, 100, 120, 200} {
		for _, color := range []bool{false, true} {
			for line := range strings.Lines(render(t, TextOptions{Times: TimeUTC, LineWidth: width, Color: color})) {
				plain := strings.TrimSuffix(escapeSequence.ReplaceAllString(line, ""), "\n")
				if n := utf8.RuneCountInString(plain); n > width {
					t.Errorf("width %d: %d characters: %q", width, n, plain)
				}
				if strings.HasSuffix(plain, " ") {
					t.Errorf("width %d: spaces at the end of %q", width, plain)
				}
			}
		}
	}
}

// TestTextAligned: what is under a title begins, or for numbers ends, where the title does.
func TestTextAligned(t *testing.T) {
	lines := strings.Split(render(t, TextOptions{Times: TimeBoot}), "\n")
	runes := func(s string, n int) string { return string([]rune(s)[:n]) }
	result := utf8.RuneCountInString(lines[0][:strings.Index(lines[0], "RESULT")])
	for _, line := range lines[1:3] {
		if before := runes(line, result); !strings.HasSuffix(before, " ") || strings.HasSuffix(line[:result+1], " ") {
			t.Errorf("RESULT is at %d:\n%s\n%s", result, lines[0], line)
		}
	}
}

// TestTextSafe: the only control bytes that come out are line ends and our own colours.
func TestTextSafe(t *testing.T) {
	for _, o := range []TextOptions{{Times: TimeWall}, {Times: TimeWall, Verbose: true, Color: true}} {
		out := escapeSequence.ReplaceAllString(render(t, o), "")
		for _, r := range out {
			if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e') {
				t.Fatalf("%U in %q", r, out)
			}
		}
	}
}

// TestTextWall: the time of day is that of the machine's clock.
func TestTextWall(t *testing.T) {
	form := map[TimeStyle]string{
		TimeWall: `^\d\d:\d\d:\d\d\.\d{6} `, TimeUTC: `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z `,
		TimeBoot: `^5\.000001 `, TimeDelta: `^0\.000000 `, TimeNone: `^worker `,
	}
	for _, style := range TimeStyles {
		lines := strings.Split(render(t, TextOptions{Times: style}), "\n")
		if !regexp.MustCompile(form[style]).MatchString(strings.TrimLeft(lines[1], " ")) {
			t.Errorf("%s: %q", style, lines[1])
		}
	}
}

func TestTextLost(t *testing.T) {
	var out, diag bytes.Buffer
	text := NewText(&out, &diag, TextOptions{Times: TimeNone})
	r := forkRecord
	for _, step := range []func() error{
		func() error { return text.Creation(&r) },
		func() error { return text.Lost(3, 17) },
		func() error { return text.Lost(^uint32(0), 1) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(out.String(), "bash") {
		t.Error("what came before the loss was not written before it was told")
	}
	const want = "forktrace: 17 records lost on CPU 3: the buffer was full\n" +
		"forktrace: 1 records lost at the end: the buffer was full\n"
	if diff := cmp.Diff(want, diag.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
