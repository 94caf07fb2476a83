// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"

	"github.com/forktrace/forktrace/decode"
)

// combinedCases are flags that mean something together beyond a pair: threads with each
// other flag, the flags of 7.1 with each other, and every flag of an ordinary user.
func combinedCases() (all []Case) {
	add := func(name string, r decode.Request, setup Setup) {
		c := Case{Suite: "flags", Name: name, Request: r, Setup: setup, Source: flagTable}
		if r.Entry == decode.EntryClone3 && r.Flags&decode.CloneIntoCgroup != 0 {
			c.Given = badCgroup
		}
		all = append(all, c)
	}
	for i := range decode.Flags {
		f := &decode.Flags[i]
		both := []decode.Request{clone3(f.Value)}
		if f.Value>>32 == 0 && f.Value&decode.CSignal == 0 {
			both = append(both, clone(f.Value))
		}
		for _, r := range both {
			add(fmt.Sprintf("user-%v-%s", r.Entry, f.Short), r, SetupUser)
			r.Flags |= threadFlags
			add(fmt.Sprintf("thread-%v-%s", r.Entry, f.Short), r, 0)
			add(fmt.Sprintf("thread-user-%v-%s", r.Entry, f.Short), r, SetupUser)
		}
	}
	recent := []uint64{decode.ClonePidfd, decode.CloneAutoreap, decode.CloneNNP, decode.ClonePidfdAutokill, decode.CloneEmptyMntNS}
	for n := range 1 << len(recent) {
		flags := uint64(0)
		for i, f := range recent {
			flags |= f * uint64(n>>i&1)
		}
		for _, signal := range []uint64{0, 17} {
			r := with(clone3(flags), func(r *decode.Request) { r.ExitSignal = signal })
			name := fmt.Sprintf("recent-%02d-signal-%d", n, signal)
			add(name, r, 0)
			add("user-"+name, r, SetupUser)
			r.Flags |= decode.CloneParent
			add("parent-"+name, r, 0)
		}
		add(fmt.Sprintf("recent-%02d-fs", n), clone3(flags|decode.CloneFS), 0)
		add(fmt.Sprintf("recent-%02d-newuser", n), clone3(flags|decode.CloneNewUser), SetupUser)
		add(fmt.Sprintf("recent-%02d-clone", n), clone(flags), SetupUser)
	}
	return all
}
