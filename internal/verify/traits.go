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

// Learned is what is known of one trait of the running kernel.
type Learned struct {
	Trait  *decode.TraitInfo
	Probed decode.Truth // what its probe told; Open if it has none, or it did not tell
}

// setups are what probes ask for, by their words in the table of traits.
var setups = map[string]Setup{
	"":                       0,
	"unshare(CLONE_NEWTIME)": SetupTime,
	"chroot(2) to a directory below the root, become an ordinary user, setrlimit(RLIMIT_NPROC, 0)": SetupChroot | SetupUser | SetupNproc0,
}

// Learn finds the traits of the running kernel by the probes of [decode.TraitTable], and
// by its release where a probe does not tell.
func (e *Executor) Learn() (decode.Traits, []Learned, error) {
	traits, err := decode.TraitsOf(Release(), runtime.GOARCH)
	if err != nil {
		traits = 0
	}
	var all []Learned
	for i := range decode.TraitTable {
		info := &decode.TraitTable[i]
		if info.Archs != nil && !slices.Contains(info.Archs, runtime.GOARCH) {
			continue
		}
		l := Learned{Trait: info}
		setup, can := Setup(0), false
		if info.Probe != nil {
			setup, can = setups[info.Probe.Setup]
		}
		if can && (setup == 0 || privileged()) {
			a, err := e.Issue(&info.Probe.Request, setup, "")
			if err != nil {
				return traits, all, fmt.Errorf("probing %s: %w", info.Name, err)
			}
			switch { // another answer, such as a filter's, tells nothing
			case slices.Contains(info.Probe.With, a.Errno):
				l.Probed = decode.Yes
				traits |= info.Trait
			case slices.Contains(info.Probe.Without, a.Errno):
				l.Probed = decode.No
				traits &^= info.Trait
			}
		}
		all = append(all, l)
	}
	return traits, all, nil
}

// privileged says whether this is root with CAP_SYS_ADMIN.
func privileged() bool {
	const capSysAdmin = 21
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Geteuid() == 0 && unix.Capget(&header, &data[0]) == nil && data[0].Effective>>capSysAdmin&1 != 0
}
