// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"testing"
)

// versions are in ascending order.
var versions = []string{
	"1.0~~", "1.0~~a", "1.0~", "1.0~rc1-1", "1.0", "1.0-1~bpo13+1", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-2", "1.0a", "1.0+dfsg-1",
	"1.0.1-1", "1.9", "1.10", "5.10.223-1", "5.10.262-1", "6.1.192-1", "6.1.192-2", "6.12.117-1~deb12u1", "6.12.117-1",
	"7.3~rc7-1~exp1", "7.3-1~exp1", "7.3.4-1~bpo13+1", "1:0.1-1", "2:0",
}

func TestCompareVersions(t *testing.T) {
	_, err := exec.LookPath("dpkg")
	haveDpkg := err == nil
	for i, a := range versions {
		for j, b := range versions {
			if got := sign(compareVersions(a, b)); got != sign(i-j) {
				t.Errorf("compareVersions(%s, %s) = %d, want %d", a, b, got, sign(i-j))
			}
		}
		if i > 0 && haveDpkg && exec.Command("dpkg", "--compare-versions", versions[i-1], "lt", a).Run() != nil {
			t.Errorf("dpkg does not think that %s is older than %s", versions[i-1], a)
		}
	}
	for _, same := range [][2]string{{"1.0", "0:1.0"}, {"1.0", "1.0-0"}, {"1.01", "1.1"}} {
		if compareVersions(same[0], same[1]) != 0 {
			t.Errorf("%s and %s are not equal", same[0], same[1])
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
