// SPDX-License-Identifier: Apache-2.0

package verify

import "github.com/forktrace/forktrace/decode"

// ruleCases break one rule each, and no other one: without the rule the kernel would have to
// accept them. Rules that need a creator in a certain state are in [setupCases] and
// [limitCases].
func ruleCases() []Case {
	set := func(change func(*decode.Request)) decode.Request { return with(clone3(0), change) }
	all := []Case{
		{Rule: "c3-size-gt-page", Request: set(func(r *decode.Request) { r.Size = 1 << 20 })},
		{Rule: "c3-size-lt-ver0", Request: set(func(r *decode.Request) { r.Size = 63 })},
		{Rule: "c3-tail-fault", Request: set(func(r *decode.Request) { r.Size, r.Tail = 96, decode.TailFault })},
		{Rule: "c3-tail-nonzero", Request: set(func(r *decode.Request) { r.Size, r.Tail = 96, decode.TailNonzero })},
		{Rule: "c3-args-fault", Request: set(func(r *decode.Request) { r.ArgsFault = decode.Yes })},
		{Rule: "settid-size-gt-32", Request: set(func(r *decode.Request) { r.SetTid, r.SetTidSize = placeTids, 33 })},
		{Rule: "settid-null-with-size", Request: with(tid(0, 7), func(r *decode.Request) { r.SetTid = 0 })},
		{Rule: "settid-ptr-without-size", Request: set(func(r *decode.Request) { r.SetTid = placeTids })},
		{Rule: "settid-fault", Request: with(tid(0, 7), func(r *decode.Request) { r.SetTidFault = decode.Yes })},
		{Rule: "settid-too-many-levels", Request: tid(0, 7, 7, 7, 7)},
		{Rule: "settid-range", Request: tid(0, 0)},
		{Rule: "exit-signal-wide", Request: set(func(r *decode.Request) { r.ExitSignal = 1 << 32 })},
		{Rule: "exit-signal-invalid", Request: set(func(r *decode.Request) { r.ExitSignal = 65 })},
		{Rule: "cgroup-fd-range", Request: with(clone3(decode.CloneIntoCgroup), func(r *decode.Request) { r.Cgroup = 1 << 31 })},
		{Rule: "unknown-flag", Request: clone3(1 << 38)},
		{Rule: "unknown-flag", Request: clone3(decode.CloneNNP)},
		{Rule: "unknown-flag", Request: clone3(decode.CloneEmptyMntNS)},
		{Rule: "reserved-low-bits", Request: clone3(decode.CloneDetached)},
		{Rule: "reserved-low-bits", Request: clone3(decode.CloneNewTime)},
		{Rule: "clear-sighand-with-sighand", Request: clone3(decode.CloneClearSighand | decode.CloneSighand | decode.CloneVM)},
		{Rule: "exit-signal-with-thread-or-parent", Request: with(clone3(threadFlags), func(r *decode.Request) { r.ExitSignal = 17 })},
		{Rule: "stack-null-with-size", Request: set(func(r *decode.Request) { r.StackSize = 4096 })},
		{Rule: "stack-without-size", Request: set(func(r *decode.Request) { r.Stack = 4096 })},
		{Rule: "stack-not-user", Request: set(func(r *decode.Request) { r.Stack, r.StackSize = beyondUser, 4096 })},
		{Rule: "pidfd-aliases-parent-tid", Request: clone(decode.ClonePidfd | decode.CloneParentSetTid)},
		{Rule: "pidfd-aliases-parent-tid", Request: with(clone3(decode.ClonePidfd|decode.CloneParentSetTid), func(r *decode.Request) { r.ParentTid = r.Pidfd })},
		{Rule: "exit-signal-invalid", Request: with(clone(0), func(r *decode.Request) { r.ExitSignal = 65 })},
		{Rule: "newns-with-fs", Request: clone(decode.CloneNewNS | decode.CloneFS)},
		{Rule: "newuser-with-fs", Request: clone(decode.CloneNewUser | decode.CloneFS)},
		{Rule: "thread-without-sighand", Request: clone(decode.CloneThread | decode.CloneVM)},
		{Rule: "sighand-without-vm", Request: clone(decode.CloneSighand)},
		{Rule: "thread-with-newuser-newpid", Request: clone(threadFlags | decode.CloneNewUser)},
		{Rule: "thread-with-newuser-newpid", Request: clone(threadFlags | decode.CloneNewPid)},
		{Rule: "pidfd-with-detached", Request: clone(decode.ClonePidfd | decode.CloneDetached)},
		{Rule: "pidfd-with-thread", Request: clone(decode.ClonePidfd | threadFlags)},
		{Rule: "autoreap-with-thread", Request: clone3(decode.CloneAutoreap | threadFlags)},
		{Rule: "autoreap-with-parent", Request: clone3(decode.CloneAutoreap | decode.CloneParent)},
		{Rule: "autoreap-with-exit-signal", Request: with(clone3(decode.CloneAutoreap), func(r *decode.Request) { r.ExitSignal = 17 })},
		{Rule: "nnp-with-thread", Request: clone3(decode.CloneNNP | threadFlags)},
		{Rule: "autokill-without-pidfd", Request: clone3(decode.ClonePidfdAutokill | decode.CloneAutoreap | decode.CloneNNP)},
		{Rule: "autokill-without-autoreap", Request: clone3(decode.ClonePidfdAutokill | decode.ClonePidfd | decode.CloneNNP)},
		{Rule: "newipc-with-sysvsem", Request: clone(decode.CloneNewIPC | decode.CloneSysvsem)},
		{Rule: "tls-range", Request: with(clone(decode.CloneSetTLS), func(r *decode.Request) { r.TLS = beyondUser })},
		{Rule: "pidfd-put-fault", Request: with(clone3(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes })},
		{Rule: "into-cgroup-bad-fd", Request: clone3(decode.CloneIntoCgroup), Given: badCgroup},
	}
	seen := map[string]int{}
	for i := range all {
		c := &all[i]
		c.Suite, c.Source, c.Name = "rules", factsC, c.Rule
		if seen[c.Rule]++; seen[c.Rule] > 1 {
			c.Name += "-" + string(rune('0'+seen[c.Rule]))
		}
	}
	return all
}
