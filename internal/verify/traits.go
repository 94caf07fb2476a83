// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
)

// Release is the release of the running kernel, as uname -r prints it.
func Release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// By is how a trait of the running kernel is known.
type By string

// The ways.
const (
	ByProbe   By = "probe"   // a request made by a child was answered so
	ByTypes   By = "types"   // looked up in the kernel's BTF
	ByFile    By = "file"    // a file below /proc is there, or is not
	ByRelease By = "release" // the table says so of this release: nothing else tells, or could be asked
)

// Learned is what is known of one trait of the running kernel.
type Learned struct {
	Trait   *decode.TraitInfo
	Present bool
	By      By
}

// setups are what probes ask for, by their words in the table of traits.
var setups = map[string]Setup{
	"":                       0,
	"unshare(CLONE_NEWTIME)": SetupTime,
	"chroot(2) to a directory below the root, become an ordinary user, setrlimit(RLIMIT_NPROC, 0)": SetupChroot | SetupUser | SetupNproc0,
	"unshare(CLONE_NEWPID), and a first fork that fails late":                                      SetupSpoilt,
	"be the init of a pid namespace, in a user namespace without rights over the outer one":        SetupMapped | SetupInit,
}

// Learn finds the traits of the running kernel by the probes of [decode.TraitTable], by its
// types and files, and by its release where none of these tells. Without privileges what a
// probe needs is brought about in a user namespace, where there can be one.
func (e *Executor) Learn() (decode.Traits, []Learned, error) {
	guess, err := decode.TraitsOf(Release(), runtime.GOARCH)
	if err != nil {
		guess = 0
	}
	types := startTypes()
	told := make([]decode.Truth, len(decode.TraitTable))
	for i := range decode.TraitTable { // all probes, while the types are read
		if told[i], err = e.probe(&decode.TraitTable[i]); err != nil {
			return guess, nil, fmt.Errorf("probing %s: %w", decode.TraitTable[i].Name, err)
		}
	}
	var traits decode.Traits
	var all []Learned
	for i := range decode.TraitTable {
		info := &decode.TraitTable[i]
		if !info.IsOf(runtime.GOARCH) {
			continue
		}
		l, told := Learned{Trait: info, By: ByProbe}, told[i]
		if told == decode.Open {
			l.By, told = ByFile, fileTells(info.File, "/proc")
		}
		if told == decode.Open {
			l.By, told = ByTypes, types.tell(info.Types)
		}
		if told == decode.Open {
			l.By, told = ByRelease, decode.TruthOf(guess&info.Trait != 0)
		}
		if l.Present = told == decode.Yes; l.Present {
			traits |= info.Trait
		}
		all = append(all, l)
	}
	return traits, all, nil
}

// probe makes the request of a trait, if it has one that can be made.
func (e *Executor) probe(info *decode.TraitInfo) (decode.Truth, error) {
	if info.Probe == nil || !info.IsOf(runtime.GOARCH) {
		return decode.Open, nil
	}
	setup, can := setups[info.Probe.Setup]
	if !privileged() && setup != 0 {
		can = can && setup&^(inUserNS|SetupMapped) == 0
		setup |= SetupMapped
	}
	if !can {
		return decode.Open, nil
	}
	r := info.Probe.Request
	if r.SetTidSize > 0 {
		r.SetTid = placeTids
	}
	a, err := e.Issue(&r, setup, "")
	switch { // another answer, such as a filter's, tells nothing
	case err != nil || a.Unprepared != 0:
		return decode.Open, err
	case slices.Contains(info.Probe.With, a.Errno):
		return decode.Yes, nil
	case slices.Contains(info.Probe.Without, a.Errno):
		return decode.No, nil
	}
	return decode.Open, nil
}

// TaskSize finds the end of user space, 0 where the kernel's answers do not tell it.
func (e *Executor) TaskSize() (uint64, error) {
	for _, limit := range taskSizes[runtime.GOARCH] {
		// whatever passes for an address fails at the place for the pidfd
		r := with(clone3(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes })
		refusal := decode.EINVAL
		if runtime.GOARCH == "amd64" { // where not all kernels bound the stack
			r.Flags, r.TLS, refusal = r.Flags|decode.CloneSetTLS, limit, decode.EPERM
		} else {
			r.Stack, r.StackSize = limit-1, 2
		}
		switch a, err := e.Issue(&r, 0, ""); {
		case err != nil:
			return 0, err
		case a.Errno == refusal:
			return limit, nil
		case a.Errno != decode.EFAULT:
			return 0, nil
		}
	}
	return 0, nil
}

// taskSizes are the ends that user space can have, the least first.
var taskSizes = map[string][]uint64{
	"amd64": {decode.TaskSizeAMD64, decode.TaskSizeAMD64LA57},
	"arm64": {1 << 36, 1 << 39, 1 << 42, 1 << 47, 1 << 48, 1 << 52},
}

// privileged says whether this is root with CAP_SYS_ADMIN.
func privileged() bool {
	const capSysAdmin = 21
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Geteuid() == 0 && unix.Capget(&header, &data[0]) == nil && data[0].Effective>>capSysAdmin&1 != 0
}
