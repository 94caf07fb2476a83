// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// nobody is a user without any privilege.
var nobody = &syscall.Credential{Uid: 65534, Gid: 65534}

// Capabilities of include/uapi/linux/capability.h.
const (
	capPerfmon = 38
	capBPF     = 39
)

// TestRefusals starts forktrace where it cannot work: it must end with the status for that
// and say what is wrong, before it has traced anything.
func TestRefusals(t *testing.T) {
	testkit.NeedRoot(t)
	forktrace := testkit.Forktrace(t)
	inNewMounts := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	for name, c := range map[string]struct {
		before []string // what starts forktrace
		attr   *syscall.SysProcAttr
		status int
		says   []string
	}{
		"no privilege": {nil, &syscall.SysProcAttr{Credential: nobody}, exitPrivilege, []string{"CAP_BPF", "CAP_PERFMON", "root"}},
		"one capability": {nil, &syscall.SysProcAttr{Credential: nobody, AmbientCaps: []uintptr{capBPF}}, exitPrivilege,
			[]string{"missing CAP_PERFMON"}},
		"user namespace": {nil, userNamespace(), exitPrivilege, []string{"user namespace"}},
		"seccomp":        {[]string{testkit.Creations(t), "seccomp-bpf"}, nil, exitKernel, []string{"seccomp"}},
		"hidden BTF": {[]string{"sh", "-c", `mount -t tmpfs none /sys/kernel/btf && exec "$@"`, "sh"}, inNewMounts, exitKernel,
			[]string{"BTF"}},
	} {
		t.Run(name, func(t *testing.T) {
			argv := append(append(c.before, forktrace, "trace", "-d", "1"), testkit.PlanArgs()...)
			status, out, diag := runAs(t, c.attr, argv)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			for _, want := range c.says {
				if !strings.Contains(diag, want) {
					t.Errorf("%q does not speak of %q", diag, want)
				}
			}
			if out != "" || strings.Count(diag, "\n") != 1 {
				t.Errorf("output %q, diagnostics %q", out, diag)
			}
		})
	}
}

// userNamespace is where root has all capabilities and none that counts for bpf(2).
func userNamespace() *syscall.SysProcAttr {
	root := []syscall.SysProcIDMap{{Size: 1}}
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: root, GidMappings: root}
}

func runAs(t *testing.T, attr *syscall.SysProcAttr, argv []string) (status int, out, diag string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.SysProcAttr, cmd.Stdout, cmd.Stderr, cmd.Dir = attr, &stdout, &stderr, "/"
	err := cmd.Start()
	if err != nil && attr != nil && attr.Cloneflags != 0 {
		t.Skipf("needs: user namespaces: none can be made: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return testkit.ExitStatus(t, cmd.Wait()), stdout.String(), stderr.String()
}

// TestTwoCapabilities: an ordinary user with exactly the two capabilities that the message
// names can trace all of the machine.
func TestTwoCapabilities(t *testing.T) {
	testkit.NeedRoot(t)
	attr := &syscall.SysProcAttr{Credential: nobody, AmbientCaps: []uintptr{capPerfmon, capBPF}}
	argv := append([]string{testkit.Forktrace(t), "trace", "--format", "json"}, testkit.PlanArgs()...)
	status, out, diag := runAs(t, attr, append(argv, "--", testkit.Creations(t), "cases", "raw"))
	if status != exitOK {
		t.Fatalf("status %d: %s", status, diag)
	}
	var expected, events []byte
	for line := range strings.Lines(out) { // both programs write there
		if strings.HasPrefix(line, `{"case":`) {
			expected = append(expected, line...)
		} else {
			events = append(events, line...)
		}
	}
	want := testkit.Expectations(t, expected)
	got := testkit.ParseStream[testkit.Event](t, bytes.NewReader(events))
	if len(want) == 0 {
		t.Fatal("the program performed nothing")
	}
	matchAll(t, want, got.Creations)
}
