// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

func TestIsInitialMap(t *testing.T) {
	for content, want := range map[string]bool{
		"         0          0 4294967295\n": true,
		"0 0 4294967295":                     true,
		"0 1000 1\n":                         false,
		"0 0 1\n":                            false,
		"1000 1000 4294967295\n":             false,
		"0 0 4294967295\n1 1 1\n":            false, // no kernel writes it, and it is not the initial one
		"":                                   false,
	} {
		if got := isInitialMap([]byte(content)); got != want {
			t.Errorf("%q: %v", content, got)
		}
	}
}

func TestStatusField(t *testing.T) {
	const status = "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\nNStgid:\t5\t1\n"
	for name, want := range map[string]string{
		"Seccomp": "2", "Seccomp_filters": "1", "NStgid": "5\t1", "Name": "x", "Sec": "", "eccomp": "",
	} {
		if got := statusField([]byte(status), name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestExplainRefusalKeepsOthers checks that only refusals are blamed on guards.
func TestExplainRefusalKeepsOthers(t *testing.T) {
	for _, errno := range []unix.Errno{unix.ENOMEM, unix.EINVAL, unix.EMFILE, unix.ENOSPC} {
		err := fmt.Errorf("loading: %w", errno)
		if got := explainRefusal(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestExplainRefusal(t *testing.T) {
	var kernel *KernelError
	rejected := &ebpf.VerifierError{Cause: unix.EACCES, Log: []string{"R1 invalid mem access"}}
	if err := explainRefusal(fmt.Errorf("loading: %w", rejected)); !errors.As(err, &kernel) || !strings.Contains(err.Error(), "verifier") {
		t.Errorf("a rejected program became %v", err)
	}
	for _, errno := range []unix.Errno{unix.EPERM, unix.EACCES} {
		err := explainRefusal(fmt.Errorf("loading: %w", errno))
		var privilege *PrivilegeError
		if !errors.As(err, &kernel) && !errors.As(err, &privilege) {
			t.Errorf("%v became %v, which is neither privilege nor kernel", errno, err)
		}
		if errors.As(err, &kernel) && !errors.Is(err, errno) {
			t.Errorf("%v: the kernel's answer got lost in %v", errno, err)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want []string
	}{
		{&PrivilegeError{Missing: []string{"CAP_BPF", "CAP_PERFMON"}}, []string{"CAP_BPF and CAP_PERFMON", "root", "setcap cap_bpf,cap_perfmon+ep"}},
		{&PrivilegeError{Because: "a user namespace"}, []string{"not permitted", "a user namespace"}},
		{&KernelError{Feature: "no BTF", Help: "boot another", Err: unix.ENOENT}, []string{"no BTF", "no such file", "boot another"}},
	} {
		for _, want := range c.want {
			if !strings.Contains(c.err.Error(), want) {
				t.Errorf("%q lacks %q", c.err, want)
			}
		}
	}
}
