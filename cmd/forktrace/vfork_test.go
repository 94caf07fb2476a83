// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"slices"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// kernelCloneHooked is what -v says where the return of kernel_clone is hooked.
var kernelCloneHooked = regexp.MustCompile(`(?m)^forktrace: refusals by kernel_clone: by [fk]`)

// TestResumed: for each creation by vfork, and for no other, it is told when the creator
// ran again, and for how long it did not.
func TestResumed(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t, "-v", "--", testkit.Creations(t), "cases", "calls", "raw")
	r.Launch(t).WantStatus(t, 0)
	s := r.Events(t)
	if !kernelCloneHooked.Match(r.Stderr.Bytes()) {
		if len(s.Resumed) > 0 {
			t.Errorf("%d resumed without a hook", len(s.Resumed))
		}
		t.Skip("needs: the return of kernel_clone: its function cannot be hooked")
	}
	vforks := 0
	for i := range s.Creations {
		e := &s.Creations[i]
		if e.Result < 0 || !slices.Contains(e.FlagNames, "CLONE_VFORK") {
			continue
		}
		vforks++
		n := 0
		for _, back := range s.Resumed {
			if int64(back.Creator.Tid) == e.Creator.Tid && back.Child.Tid == e.Result {
				n++
				if back.BootNS < e.BootNS || back.SuspendedNS == 0 || back.BootNS-e.BootNS != back.SuspendedNS {
					t.Errorf("suspended by %d at %d for %d, resumed at %d", e.Result, e.BootNS, back.SuspendedNS, back.BootNS)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d times resumed from %s", n, describe(e))
		}
	}
	if vforks == 0 || vforks != len(s.Resumed) {
		t.Errorf("%d creations by vfork, %d times resumed", vforks, len(s.Resumed))
	}
}
