// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// KernelVersion is the version of a kernel release.
type KernelVersion struct {
	Major, Minor, Patch uint16 // Patch may be LastPatch
}

// LastPatch stands for the last stable update of a series, whichever that is.
const LastPatch = 1<<16 - 1

// ErrRelease says that a text is no kernel release.
var ErrRelease = errors.New("not a kernel release")

var (
	releaseForm = regexp.MustCompile(`^([0-9]{1,4})\.([0-9]{1,4})(?:\.([0-9]{1,4}))?([-+_~a-zA-Z][-+._~a-zA-Z0-9]*)?$`)
	// A distribution that keeps .0 counts its own builds instead of stable updates.
	buildForm  = regexp.MustCompile(`^-[0-9]`)
	debianForm = regexp.MustCompile(`^([-+~][-+.~0-9a-z]*\+?deb[0-9]|-[0-9]+-(cloud-|rt-)?(amd64|arm64)$)`)
)

// ParseRelease reads what uname -r prints, or MAJOR.MINOR[.PATCH]. Without PATCH, or with
// .0 and a distribution's build number after it (6.1.0-56-amd64, 5.15.0-91-generic), the
// version is that of the last stable update: such kernels follow the stable series.
// debian says that the release is one of Debian's.
func ParseRelease(release string) (v KernelVersion, debian bool, err error) {
	const longest = 64 // __NEW_UTS_LEN
	var parts []string
	if len(release) <= longest {
		parts = releaseForm.FindStringSubmatch(release)
	}
	if parts == nil {
		return v, false, fmt.Errorf("%w: %.70q", ErrRelease, release)
	}
	number := func(s string) uint16 {
		n, _ := strconv.ParseUint(s, 10, 16) // four digits at most
		return uint16(n)
	}
	v = KernelVersion{number(parts[1]), number(parts[2]), number(parts[3])}
	if parts[3] == "" || v.Patch == 0 && buildForm.MatchString(parts[4]) {
		v.Patch = LastPatch
	}
	return v, debianForm.MatchString(parts[4]), nil
}

// has says whether v is since or later, or a stable update that has what since brought.
func (v KernelVersion) has(since KernelVersion, backports []KernelVersion) bool {
	if !v.Before(since) {
		return true
	}
	for _, b := range backports {
		if v.Major == b.Major && v.Minor == b.Minor && v.Patch >= b.Patch {
			return true
		}
	}
	return false
}

// Before says whether v is older than w.
func (v KernelVersion) Before(w KernelVersion) bool {
	if v.Major != w.Major {
		return v.Major < w.Major
	}
	if v.Minor != w.Minor {
		return v.Minor < w.Minor
	}
	return v.Patch < w.Patch
}

// Series is MAJOR.MINOR.
func (v KernelVersion) Series() string {
	return strconv.Itoa(int(v.Major)) + "." + strconv.Itoa(int(v.Minor))
}
