// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// neededCaps are the capabilities that loading, attaching and reading need on kernels
// from 5.8; CAP_SYS_ADMIN implies both (capabilities(7)).
var neededCaps = []struct {
	value cap.Value
	name  string
}{
	{cap.BPF, "CAP_BPF"},
	{cap.PERFMON, "CAP_PERFMON"},
}

// checkPrivilege returns a *PrivilegeError when the process lacks a capability.
func checkPrivilege() error {
	set := cap.GetProc()
	if on, err := set.GetFlag(cap.Effective, cap.SYS_ADMIN); err == nil && on {
		return nil
	}
	var missing []string
	for _, c := range neededCaps {
		if on, err := set.GetFlag(cap.Effective, c.value); err != nil || !on {
			missing = append(missing, c.name)
		}
	}
	if missing != nil {
		return &PrivilegeError{Missing: missing}
	}
	return nil
}

// kernelCache holds the kernel's types, which take a tenth of the time until all is attached
// to read.
var kernelCache = btf.NewCache()

// KernelTypes reads the kernel's BTF, once, which every plan needs; or it returns a
// *KernelError. Safe for concurrent use.
func KernelTypes() (*btf.Spec, error) {
	kernel, err := kernelCache.Kernel()
	if err != nil {
		return nil, &KernelError{
			Feature: "it has no readable BTF (/sys/kernel/btf/vmlinux)",
			Help:    "a kernel built with CONFIG_DEBUG_INFO_BTF=y has it; containers must not hide /sys/kernel/btf",
			Err:     err,
		}
	}
	return kernel, nil
}

// guard is something that makes the kernel refuse what capabilities allow.
type guard struct {
	file  string
	holds func(content []byte) bool
	err   func(answer error) error
}

// guards are asked, in order, when the kernel answered EPERM although the capabilities
// are there.
var guards = []guard{
	{
		"/proc/self/uid_map",
		func(b []byte) bool { return len(bytes.Fields(b)) > 0 && !isInitialMap(b) },
		func(error) error {
			return &PrivilegeError{Because: "this is a user namespace, where capabilities do not count for bpf(2); run it outside, in the initial one"}
		},
	},
	{
		"/proc/self/status",
		func(b []byte) bool { return statusField(b, "Seccomp") == "2" },
		func(err error) error {
			return &KernelError{Feature: "bpf(2) is refused, and a seccomp filter guards this process",
				Help: "run it outside of the sandbox, or with a profile that allows bpf and perf_event_open", Err: err}
		},
	},
	{
		"/sys/kernel/security/lockdown",
		func(b []byte) bool { return bytes.Contains(b, []byte("[confidentiality]")) },
		func(err error) error {
			return &KernelError{Feature: "it is locked down (confidentiality), which forbids BPF to read kernel memory",
				Help: "boot with lockdown=integrity or lockdown=none", Err: err}
		},
	},
}

// explainRefusal turns the kernel's answer to a load or attach into the error a person
// can act on; nil stays nil.
func explainRefusal(err error) error {
	var rejected *ebpf.VerifierError
	var noHook *noHookError
	verifier := errors.As(err, &rejected) && len(rejected.Log) > 0 // EACCES too, but nobody's permission
	refused := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	for _, g := range guards {
		if !refused || verifier {
			break
		}
		if b, readErr := os.ReadFile(g.file); readErr == nil && g.holds(b) {
			return g.err(err)
		}
	}
	switch {
	case errors.As(err, &noHook):
		return &KernelError{Feature: "no hook works for " + string(noHook.need),
			Help: "--plan auto tries all there are; 'forktrace doctor' tells what this kernel has", Err: err}
	case verifier:
		return &KernelError{Feature: "its verifier rejects a program", Help: "please report this with the kernel's version", Err: err}
	case refused:
		return &KernelError{Feature: "bpf(2) is refused although the capabilities are there",
			Help: "a security module or the sandbox of a container may forbid it", Err: err}
	default:
		return err
	}
}

// isInitialMap says whether a uid_map is that of the initial user namespace.
func isInitialMap(b []byte) bool {
	f := bytes.Fields(b)
	return len(f) == 3 && string(f[0]) == "0" && string(f[1]) == "0" && string(f[2]) == "4294967295"
}

// statusField is the value of one line of /proc/PID/status, "" if there is none.
func statusField(b []byte, name string) string {
	s := bufio.NewScanner(bytes.NewReader(b))
	for s.Scan() {
		if v, ok := strings.CutPrefix(s.Text(), name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// ownPidNamespace is the inode number of this process's pid namespace.
func ownPidNamespace() (uint32, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return 0, fmt.Errorf("reading the pid namespace: %w", err)
	}
	return uint32(st.Ino), nil
}

// HostPidNamespace says whether this process sees the ids that records carry: those of
// the initial pid namespace (its inode number is fixed, include/linux/proc_ns.h).
func HostPidNamespace() (bool, error) {
	const procPidInitIno = 0xEFFFFFFC
	ns, err := ownPidNamespace()
	return ns == procPidInitIno, err
}
