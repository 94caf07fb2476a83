// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const sourceStanzas = `# the machine's mirror
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
`

const sourceLines = `
# deb http://comment.example/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] https://lines.example/debian trixie main non-free # remark
deb-src https://src.example/debian trixie main
deb https://download.example/linux/debian bookworm stable
deb https://vendor.example/apt bookworm main
`

func TestMirrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "sources.list.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"sources.list":                  sourceLines,
		"sources.list.d/debian.sources": sourceStanzas,
		"sources.list.d/old.disabled":   "deb http://disabled.example/debian bookworm main\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sources := readAptSources(dir)
	for suite, want := range map[string][]string{
		"trixie-backports":  {"https://lines.example/debian", "http://mirror.example/debian", publicMirror},
		"bullseye-security": {"http://mirror.example/debian-security", publicMirror + "-security"},
	} {
		if got := mirrorsFor(suite, sources); !slices.Equal(got, want) {
			t.Errorf("mirrorsFor(%s) = %v, want %v", suite, got, want)
		}
	}
}

func TestMirrorsWithoutSources(t *testing.T) {
	if got := mirrorsFor("sid", readAptSources(t.TempDir())); !slices.Equal(got, []string{publicMirror}) {
		t.Errorf("mirrors of sid: %v", got)
	}
}

func TestAptReason(t *testing.T) {
	for stderr, want := range map[string]string{
		"W: GPG error: NO_PUBKEY 6ED0\nE: The repository is not signed.\n": ": GPG error: NO_PUBKEY 6ED0",
		"W: slow\nE: first\nE: second\n":                                   ": first",
		"W: only a warning\n":                                              ": only a warning",
		"something else\n":                                                 "",
	} {
		if got := aptReason(stderr); got != want {
			t.Errorf("aptReason(%q) = %q", stderr, got)
		}
	}
}
