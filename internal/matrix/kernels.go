// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

//go:embed kernels.tsv
var kernelTable string

// row is one line of kernels.tsv: a kernel that the matrix wants to run.
type row struct {
	kernel  string // version prefix, such as "6.12"
	arch    string // Debian architecture
	short   bool   // member of the --short selection
	suites  []string
	pattern *regexp.Regexp // anchored at both ends
}

// String names the row as the final table does.
func (r row) String() string { return r.kernel + " " + r.arch }

// matches tells whether a package of that name and version is a kernel of this row.
func (r row) matches(name, version string) bool {
	rest, found := strings.CutPrefix(version, r.kernel)
	if !found || rest == "" || (rest[0] >= '0' && rest[0] <= '9') {
		return false
	}
	return r.pattern.MatchString(name)
}

// parseKernels reads the kernel table.
func parseKernels(from io.Reader) ([]row, error) {
	var rows []row
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		r, err := parseRow(strings.Split(line, "\t"))
		if err != nil {
			return nil, fmt.Errorf("parsing kernel table, line %d: %w", n, err)
		}
		rows = append(rows, r)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading kernel table: %w", err)
	}
	return rows, nil
}

func parseRow(fields []string) (row, error) {
	if len(fields) != 5 {
		return row{}, fmt.Errorf("%d fields instead of 5", len(fields))
	}
	r := row{kernel: fields[0], arch: fields[1], suites: strings.Split(fields[3], ",")}
	if _, known := machines[r.arch]; !known {
		return row{}, fmt.Errorf("unknown architecture %q", r.arch)
	}
	switch fields[2] {
	case "short":
		r.short = true
	case "-":
	default:
		return row{}, fmt.Errorf("unknown set %q", fields[2])
	}
	pattern, err := regexp.Compile("^(" + fields[4] + ")$")
	if err != nil {
		return row{}, fmt.Errorf("compiling package expression: %w", err)
	}
	r.pattern = pattern
	return r, nil
}

// selectRows picks the rows of the given architectures and kernels, in the order of the table. No kernels means all.
// A kernel that the table has for none of the architectures is an error: a typing mistake must not pass as success.
func selectRows(rows []row, arches, kernels []string, short bool) ([]row, error) {
	var picked []row
	seen := map[string]bool{}
	for _, r := range rows {
		if !slices.Contains(arches, r.arch) || (short && !r.short) {
			continue
		}
		if len(kernels) > 0 && !slices.Contains(kernels, r.kernel) {
			continue
		}
		seen[r.kernel] = true
		picked = append(picked, r)
	}
	for _, k := range kernels {
		if !seen[k] {
			return nil, fmt.Errorf("no kernel %s for %s in this selection (--list shows the table)", k, strings.Join(arches, ", "))
		}
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("no kernel of %s in this selection (--list shows the table)", strings.Join(arches, ", "))
	}
	return picked, nil
}
