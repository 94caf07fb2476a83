// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// publicMirror is Debian's own front end, used where the machine's sources name no mirror or theirs lacks a suite.
const publicMirror = "http://deb.debian.org/debian"

// aptSource is one repository of the machine's apt configuration.
type aptSource struct {
	uri        string
	suites     []string
	components []string
}

// mirrorsFor lists the base addresses under which a suite may be found, the machine's own mirror first.
func mirrorsFor(suite string, sources []aptSource) []string {
	security := strings.HasSuffix(suite, "-security")
	var mirrors []string
	add := func(uri string) {
		if uri = strings.TrimRight(uri, "/"); !slices.Contains(mirrors, uri) {
			mirrors = append(mirrors, uri)
		}
	}
	for _, s := range sources {
		if s.isDebian() && s.isSecurity() == security {
			add(s.uri)
		}
	}
	if security {
		add(publicMirror + "-security")
	} else {
		add(publicMirror)
	}
	return mirrors
}

// isDebian tells Debian's own archive from the many others that use its suite names.
func (s aptSource) isDebian() bool {
	if !slices.Contains(s.components, "main") || !strings.Contains(s.uri, "debian") {
		return false
	}
	names := []string{"bullseye", "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable"}
	return slices.ContainsFunc(s.suites, func(suite string) bool {
		name, _, _ := strings.Cut(suite, "-")
		return slices.Contains(names, name)
	})
}

func (s aptSource) isSecurity() bool {
	return slices.ContainsFunc(s.suites, func(suite string) bool { return strings.HasSuffix(suite, "-security") })
}

// readAptSources reads every source list below dir, which is /etc/apt on a Debian machine. A list that is absent or
// unreadable is no error: the public mirror is left.
func readAptSources(dir string) []aptSource {
	var found []aptSource
	names, _ := filepath.Glob(filepath.Join(dir, "sources.list.d", "*")) // the pattern is well-formed
	for _, name := range append([]string{filepath.Join(dir, "sources.list")}, names...) {
		parse := parseSourceLines
		switch filepath.Ext(name) {
		case ".list":
		case ".sources":
			parse = parseSourceStanzas
		default: // apt ignores other names, too
			continue
		}
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		sources, err := parse(f)
		f.Close()
		if err == nil {
			found = append(found, sources...)
		}
	}
	return found
}

// parseSourceLines reads the one-line format: deb [options] uri suite component…
func parseSourceLines(from io.Reader) ([]aptSource, error) {
	var found []aptSource
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind != "deb" {
			continue
		}
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "[") {
			_, rest, _ = strings.Cut(rest, "]")
		}
		if fields := strings.Fields(rest); len(fields) >= 2 {
			found = append(found, aptSource{uri: fields[0], suites: fields[1:2], components: fields[2:]})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading apt sources: %w", err)
	}
	return found, nil
}

// parseSourceStanzas reads the deb822 format.
func parseSourceStanzas(from io.Reader) ([]aptSource, error) {
	stanzas, err := parseStanzas(from)
	if err != nil {
		return nil, fmt.Errorf("reading apt sources: %w", err)
	}
	var found []aptSource
	for _, stanza := range stanzas {
		if !slices.Contains(strings.Fields(stanza["types"]), "deb") || strings.EqualFold(stanza["enabled"], "no") {
			continue
		}
		for _, uri := range strings.Fields(stanza["uris"]) {
			found = append(found, aptSource{
				uri:        uri,
				suites:     strings.Fields(stanza["suites"]),
				components: strings.Fields(stanza["components"]),
			})
		}
	}
	return found, nil
}

// parseStanzas reads deb822 paragraphs into maps with lower-case field names. Continuation lines are joined by blanks.
func parseStanzas(from io.Reader) ([]map[string]string, error) {
	var stanzas []map[string]string
	var current map[string]string
	var field string
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "#"):
		case strings.TrimSpace(line) == "":
			current = nil
		case line[0] == ' ' || line[0] == '\t':
			if current != nil {
				current[field] += " " + strings.TrimSpace(line)
			}
		default:
			if current == nil {
				current = map[string]string{}
				stanzas = append(stanzas, current)
			}
			name, value, _ := strings.Cut(line, ":")
			field = strings.ToLower(name)
			current[field] = strings.TrimSpace(value)
		}
	}
	return stanzas, lines.Err()
}
