// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"

	"github.com/forktrace/forktrace/decode"
)

func unshare(flags uint64) decode.Request { return decode.Request{Flags: flags} }

// unshareCases ask unshare(2), whose rules are a creation's or its own: each bit, each pair of
// flags, and the states that its rules depend on.
func unshareCases() []Case {
	var all []Case
	for bit := range 64 {
		c := Case{Suite: "rules", Name: fmt.Sprintf("unshare-bit-%d", bit), Request: unshare(1 << bit), Rule: "unshare-unknown-flag"}
		for f := range decode.FlagsIn(1 << bit) {
			if f.Unshare == decode.AcceptYes || f.Unshare == decode.AcceptPretends {
				c.Rule = ""
			}
		}
		all = append(all, c)
	}
	for i := range decode.Flags {
		f := &decode.Flags[i]
		all = append(all, Case{Suite: "flags", Name: "user-unshare-" + f.Short, Request: unshare(f.Value), Setup: SetupUser})
		all = append(all, Case{Suite: "flags", Name: "threaded-unshare-" + f.Short, Request: unshare(f.Value), Setup: SetupThreaded})
		for j := range i {
			g := &decode.Flags[j]
			if f.Unshare != decode.AcceptNo && g.Unshare != decode.AcceptNo {
				all = append(all, Case{Suite: "flags", Name: "unshare-" + f.Short + "|" + g.Short, Request: unshare(f.Value | g.Value)})
			}
		}
	}
	all = append(all, unshareStates()...)
	for i := range all {
		all[i].Source = "kernel-facts A; kernel/fork.c, ksys_unshare"
	}
	return all
}

func unshareStates() []Case {
	all := []Case{
		{Name: "shared-mm-unshare-vm", Request: unshare(decode.CloneVM), Setup: SetupSharedMM, Rule: "unshare-mm-shared"},
		{Name: "shared-mm-unshare-sighand", Request: unshare(decode.CloneSighand), Setup: SetupSharedMM},
		{Name: "shared-mm-unshare-newuser", Request: unshare(decode.CloneNewUser), Setup: SetupSharedMM},
		{Name: "shared-sighand-unshare-sighand", Request: unshare(decode.CloneSighand), Setup: SetupSharedSighand, Rule: "unshare-sighand-shared"},
		{Name: "shared-sighand-unshare-vm", Request: unshare(decode.CloneVM), Setup: SetupSharedSighand, Rule: "unshare-sighand-shared"},
		{Name: "shared-sighand-unshare-thread", Request: unshare(decode.CloneThread), Setup: SetupSharedSighand},
		{Name: "threaded-unshare-thread", Request: unshare(decode.CloneThread), Setup: SetupThreaded, Rule: "unshare-multithreaded"},
		{Name: "foreign-pidns-unshare-newpid", Request: unshare(decode.CloneNewPid), Setup: SetupPid, Rule: "newpid-foreign-pidns"},
		{Name: "dead-pidns-unshare-newpid", Request: unshare(decode.CloneNewPid), Setup: SetupDead, Rule: "newpid-foreign-pidns"},
		{Name: "init-unshare-newpid", Request: unshare(decode.CloneNewPid), Setup: SetupInit},
		{Name: "others-pidns-unshare-newpid", Request: unshare(decode.CloneNewPid), Setup: SetupOthersPid, Rule: "newpid-userns-not-descendant"},
		{Name: "pidns-depth-unshare-newpid", Request: unshare(decode.CloneNewPid), Setup: SetupPidDepth, Rule: "newpid-depth"},
		{Name: "foreign-timens-unshare-newtime", Request: unshare(decode.CloneNewTime), Setup: SetupTime},
		{Name: "chrooted-unshare-newuser", Request: unshare(decode.CloneNewUser), Setup: SetupChroot, Rule: "userns-chroot"},
		{Name: "unmapped-unshare-newuser", Request: unshare(decode.CloneNewUser), Setup: SetupUserNS, Rule: "userns-unmapped"},
		{Name: "userns-depth-unshare-newuser", Request: unshare(decode.CloneNewUser), Setup: SetupUserDepth, Rule: "userns-depth"},
		{Name: "nproc-unshare-newuser", Request: unshare(decode.CloneNewUser), Setup: SetupUser | SetupNproc0},
		{Name: "deadline-unshare-newnet", Request: unshare(decode.CloneNewNet), Setup: SetupDeadline},
		{Name: "signalled-unshare-newns", Request: unshare(decode.CloneNewNS), Setup: SetupSignalled},
		{Name: "user-unshare-newuser-newnet", Request: unshare(decode.CloneNewUser | decode.CloneNewNet), Setup: SetupUser},
		{Name: "user-unshare-newipc-sysvsem", Request: unshare(decode.CloneNewIPC | decode.CloneSysvsem), Setup: SetupUser, Rule: "ns-needs-admin"},
		{Name: "user-unshare-bad-bit-newnet", Request: unshare(decode.CloneNewNet | decode.ClonePidfd), Setup: SetupUser, Rule: "unshare-unknown-flag"},
		{Name: "userns-off-unshare", Request: unshare(decode.CloneNewUser), Setup: SetupUser, Rule: usernsRule},
		{Name: "userns-off-unshare-bad-bit", Request: unshare(decode.CloneNewUser | decode.ClonePidfd), Setup: SetupUser, Rule: usernsRule},
	}
	for _, ns := range quotas {
		all = append(all, Case{Name: "quota-unshare-" + ns.name, Request: unshare(ns.flag), Setup: SetupQuota, Rule: ns.name + "-quota"})
	}
	all = append(all, Case{Name: "quota-unshare-newuser", Request: unshare(decode.CloneNewUser), Setup: SetupQuota, Rule: "userns-quota"})
	for i := range all {
		all[i].Suite = "rules"
	}
	return all
}
