// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// TestAttribute reads testdata/cgroups.tsv: a path, and what it says, as field=value.
func TestAttribute(t *testing.T) {
	f, err := os.Open("testdata/cgroups.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") || s.Text() == "" {
			continue
		}
		path, want, _ := strings.Cut(s.Text(), "\t")
		if got := describe(Attribute(path)); got != strings.TrimSpace(want) {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
		n++
	}
	if n < 40 {
		t.Errorf("only %d paths", n)
	}
}

func describe(a Attribution) string {
	var parts []string
	for _, f := range []struct{ name, value string }{
		{"unit", a.Unit}, {"user_unit", a.UserUnit}, {"slice", a.Slice}, {"uid", a.UID},
		{"runtime", a.Runtime}, {"container", a.Container}, {"pod", a.Pod},
	} {
		if f.value != "" {
			parts = append(parts, f.name+"="+f.value)
		}
	}
	return strings.Join(parts, " ")
}

func TestAttributionName(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for path, want := range map[string]string{
		"/":                                     "",
		"/system.slice/docker-" + id + ".scope": "docker:0123456789ab",
		"/system.slice/nginx.service":           "nginx.service",
		"/user.slice/user-1.slice/user@1.service/app.slice/a.service": "a.service",
		"/lxc.payload.web": "lxc:web",
	} {
		if a := Attribute(path); a.Name() != want {
			t.Errorf("%s is %q, want %q", path, a.Name(), want)
		}
	}
}

func FuzzAttribute(f *testing.F) {
	f.Add("/kubepods.slice/kubepods-pod1.slice/x")
	f.Fuzz(func(t *testing.T, path string) {
		a := Attribute(path)
		_ = a.Name()
	})
}
