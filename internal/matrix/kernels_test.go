// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func embeddedRows(t *testing.T) []row {
	t.Helper()
	rows, err := parseKernels(strings.NewReader(kernelTable))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestKernelTable checks the properties that the runner relies on, for rows of today and tomorrow.
func TestKernelTable(t *testing.T) {
	seen := map[string]bool{}
	short := 0
	for _, r := range embeddedRows(t) {
		if seen[r.String()] {
			t.Errorf("%s: more than one row", r)
		}
		seen[r.String()] = true
		if r.short {
			short++
		}
		if !strings.Contains(r.pattern.String(), r.arch) {
			t.Errorf("%s: the package expression does not name the architecture", r)
		}
		if strings.Contains(r.pattern.String(), "(?") {
			t.Errorf("%s: apt-cache has POSIX expressions, without (?", r)
		}
	}
	if short == 0 {
		t.Error("no row is in the short set")
	}
}

func TestRowMatches(t *testing.T) {
	for _, tt := range []struct {
		row, name, version string
		want               bool
	}{
		{"5.10 amd64", "linux-image-5.10.0-46-cloud-amd64", "5.10.262-1", true},
		{"5.10 amd64", "linux-image-5.10.0-32-cloud-amd64-unsigned", "5.10.223-1", true},
		{"5.10 amd64", "linux-image-5.10.0-32-amd64", "5.10.223-1", false},
		{"6.1 amd64", "linux-image-6.1.0-56-cloud-amd64", "6.1.192-2", true},
		{"6.1 amd64", "linux-image-6.12.117+deb12-cloud-amd64", "6.12.117-1~deb12u1", false},
		{"6.12 amd64", "linux-image-6.12.117+deb13-cloud-amd64", "6.12.117-1", true},
		{"6.12 amd64", "linux-image-6.12.90+deb13.1-cloud-amd64", "6.12.90-2", true},
		{"6.12 amd64", "linux-image-6.12-cloud-amd64", "6.12.117-1~deb12u1", false}, // meta package
		{"6.12 amd64", "linux-image-6.12.117+deb13-cloud-arm64", "6.12.117-1", false},
		{"6.19 amd64", "linux-image-6.19.14+deb13-cloud-amd64", "6.19.14-1~bpo13+1", false}, // meta package
		{"7.3 amd64", "linux-binary-7.3.4+deb13-cloud-amd64", "7.3.4-1~bpo13+1", true},
		{"7.3 amd64", "linux-binary-7.3-cloud-amd64", "7.3~rc7-1~exp1", true},
		{"7.2 arm64", "linux-binary-7.2.13+deb14-cloud-arm64", "7.2.13-1", true},
	} {
		for _, r := range embeddedRows(t) {
			if r.String() == tt.row && r.matches(tt.name, tt.version) != tt.want {
				t.Errorf("%s matches %s %s: %v", tt.row, tt.name, tt.version, !tt.want)
			}
		}
	}
}

func TestParseKernelsErrors(t *testing.T) {
	for _, line := range []string{
		"6.1\tamd64\tshort\tbookworm",
		"6.1\tvax\tshort\tbookworm\tx",
		"6.1\tamd64\tlong\tbookworm\tx",
		"6.1\tamd64\t-\tbookworm\t(",
	} {
		if rows, err := parseKernels(strings.NewReader("# head\n" + line)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: rows %v, error %v", line, rows, err)
		}
	}
}

func TestSelectRows(t *testing.T) {
	rows, err := parseKernels(strings.NewReader("6.1\tamd64\t-\ta\tb\n6.12\tamd64\tshort\ta\tb\n6.12\tarm64\t-\ta\tb\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		arches, kernels string
		short           bool
		want            string // of the rows, or "error"
	}{
		{"amd64", "", false, "6.1 amd64, 6.12 amd64"},
		{"amd64", "", true, "6.12 amd64"},
		{"amd64,arm64", "6.12", false, "6.12 amd64, 6.12 arm64"},
		{"amd64,arm64", "6.1", false, "6.1 amd64"},
		{"arm64", "6.1", false, "error"},
		{"amd64", "6.1,6.13", false, "error"},
		{"arm64", "", true, "error"},
	} {
		var kernels []string
		if tt.kernels != "" {
			kernels = strings.Split(tt.kernels, ",")
		}
		picked, err := selectRows(rows, strings.Split(tt.arches, ","), kernels, tt.short)
		var names []string
		for _, r := range picked {
			names = append(names, r.String())
		}
		got := strings.Join(names, ", ")
		if err != nil {
			got = "error"
		}
		if got != tt.want {
			t.Errorf("selectRows(%s, %s, %v) = %s, want %s", tt.arches, tt.kernels, tt.short, got, tt.want)
		}
	}
}
