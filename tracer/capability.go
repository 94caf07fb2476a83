// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"os"
	"regexp"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// capabilityTable says what each capability is good for. CAP_SYS_ADMIN stands in for the
// first two (capabilities(7)).
var capabilityTable = []struct {
	value cap.Value
	name  string
	use   string
}{
	{cap.BPF, "CAP_BPF", "loading programs and maps (required)"},
	{cap.PERFMON, "CAP_PERFMON", "attaching programs and reading kernel memory (required)"},
	{cap.SYS_ADMIN, "CAP_SYS_ADMIN", "mounting tracefs for itself where nobody has; stands in for the two above"},
	{cap.DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "finding the paths of cgroups without searching for them"},
	{cap.SYS_RESOURCE, "CAP_SYS_RESOURCE", "raising RLIMIT_MEMLOCK, which kernels before 5.11 charge maps to"},
}

// CapabilityUse says what a capability is needed for, and whether it is there.
type CapabilityUse struct {
	Name string
	For  string
	Held bool
}

// Capabilities lists what this process may do of what tracing uses.
func Capabilities() []CapabilityUse {
	set := cap.GetProc()
	uses := make([]CapabilityUse, len(capabilityTable))
	for i, c := range capabilityTable {
		held, err := set.GetFlag(cap.Effective, c.value)
		uses[i] = CapabilityUse{c.name, c.use, err == nil && held}
	}
	return uses
}

var lockdownPattern = regexp.MustCompile(`\[(\w+)\]`)

// Lockdown is the kernel's lockdown mode: none, integrity or confidentiality; "" where it
// cannot be read: there is none, or securityfs is not mounted and we may not mount it.
func Lockdown() string {
	b, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		root, err := openDetached("securityfs")
		if err != nil {
			return ""
		}
		defer root.Close()
		if b, err = root.ReadFile("lockdown"); err != nil {
			return ""
		}
	}
	if m := lockdownPattern.FindSubmatch(b); m != nil {
		return string(m[1])
	}
	return ""
}

// HaveBTF says whether the kernel shows its types, without which nothing can be traced.
func HaveBTF() bool {
	_, err := os.Stat("/sys/kernel/btf/vmlinux")
	return err == nil
}
