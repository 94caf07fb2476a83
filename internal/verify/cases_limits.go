// SPDX-License-Identifier: Apache-2.0

package verify

import "github.com/forktrace/forktrace/decode"

// into is a clone3 request into the case's cgroup.
func into(flags uint64) decode.Request {
	r := clone3(flags | decode.CloneIntoCgroup)
	r.Cgroup = placeCgroup
	return r
}

// quotas are the namespaces whose number is limited, as rules name them, but for those of
// users.
var quotas = []struct {
	name string
	flag uint64
}{
	{"newns", decode.CloneNewNS}, {"newuts", decode.CloneNewUTS}, {"newipc", decode.CloneNewIPC}, {"newpid", decode.CloneNewPid},
	{"newcgroup", decode.CloneNewCgroup}, {"newnet", decode.CloneNewNet}, {"newtime", decode.CloneNewTime},
}

// limitCases meet limits in processes, namespaces and cgroups of their own: at the limit,
// and just below it.
func limitCases() []Case {
	all := []Case{
		{Name: "nproc-0", Request: clone(0), Setup: SetupUser | SetupNproc0, Rule: "nproc-limit"},
		{Name: "nproc-reached", Request: clone(0), Setup: SetupStranger | SetupNproc1, Rule: "nproc-limit"},
		{Name: "nproc-reached-thread", Request: clone(threadFlags), Setup: SetupStranger | SetupNproc1, Rule: "nproc-limit"},
		{Name: "nproc-below", Request: clone(0), Setup: SetupStranger | SetupNproc2},
		{Name: "nproc-before-namespaces", Request: clone(decode.CloneNewNet), Setup: SetupUser | SetupNproc0, Rule: "nproc-limit"},
		{Name: "nproc-root", Request: clone(0), Setup: SetupNproc0},
		{Name: "no-files-pidfd", Request: clone3(decode.ClonePidfd), Setup: SetupNoFile, Rule: "pidfd-no-fd"},
		{Name: "no-files-clone-pidfd", Request: clone(decode.ClonePidfd), Setup: SetupNoFile, Rule: "pidfd-no-fd"},
		{Name: "no-files-no-pidfd", Request: clone(0), Setup: SetupNoFile},
		{Name: "pidns-dead", Request: clone(0), Setup: SetupDead, Rule: "pidns-dead"},
		{Name: "pidns-spoilt", Request: clone(0), Setup: SetupSpoilt, Rule: "pidns-dead"},
		{Name: "pidns-depth", Request: clone(decode.CloneNewPid), Setup: SetupPidDepth, Rule: "newpid-depth"},
		{Name: "pidns-depth-process", Request: clone(0), Setup: SetupPidDepth},
		{Name: "pidns-pid-max", Request: clone(0), Setup: SetupPidMax, Rule: "pid-exhausted"},
		{Name: "userns-depth", Request: clone(decode.CloneNewUser), Setup: SetupUserDepth, Rule: "userns-depth"},
		{Name: "userns-depth-process", Request: clone(0), Setup: SetupUserDepth},
		{Name: "quota-userns", Request: clone(decode.CloneNewUser), Setup: SetupQuota, Rule: "userns-quota"},
		{Name: "quota-none", Request: clone(0), Setup: SetupQuota},
		{Name: "pids-max-reached", Request: clone(0), Setup: SetupJoin, Cgroup: CgroupPids1, Rule: "pids-limit"},
		{Name: "pids-max-below", Request: clone(0), Setup: SetupJoin, Cgroup: CgroupPids2},
		{Name: "pids-max-of-target", Request: into(0), Cgroup: CgroupPids0, Rule: "pids-limit"},
		{Name: "pids-max-above-target", Request: into(0), Cgroup: CgroupBelowPids0, Rule: "pids-limit"},
		{Name: "pidfd-fault-before-pids-max", Request: with(into(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes }), Cgroup: CgroupPids0, Rule: "pidfd-put-fault"},
		{Name: "into-cgroup", Request: into(0), Cgroup: CgroupPlain},
		{Name: "into-own-cgroup", Request: into(0), Setup: SetupJoin, Cgroup: CgroupPlain},
		{Name: "into-own-cgroup-thread", Request: into(threadFlags), Setup: SetupJoin, Cgroup: CgroupPlain},
		{Name: "into-cgroup-thread", Request: into(threadFlags), Cgroup: CgroupPlain, Given: []decode.Condition{decode.CondCgroupOtherDomain}, Rule: "into-cgroup-cross-domain"},
		{Name: "into-threaded-process", Request: into(0), Cgroup: CgroupThreaded},
		{Name: "into-threaded-own", Request: into(0), Setup: SetupJoin, Cgroup: CgroupThreaded},
		{Name: "into-cgroup-short", Request: with(into(0), func(r *decode.Request) { r.Size = 80 }), Cgroup: CgroupPlain, Rule: "cgroup-fd-range"},
		{Name: "into-cgroup-clone", Request: clone(decode.CloneIntoCgroup), Cgroup: CgroupPlain},
		{Name: "into-cgroup-gone-thread", Request: into(threadFlags), Setup: SetupRemove, Cgroup: CgroupPlain, Given: []decode.Condition{decode.CondCgroupGone, decode.CondCgroupOtherDomain}, Rule: "into-cgroup-gone"},
		{Name: "into-cgroup-gone", Request: into(0), Setup: SetupRemove, Cgroup: CgroupPlain, Given: []decode.Condition{decode.CondCgroupGone}, Rule: "into-cgroup-gone"},
		{Name: "into-cgroup-denied", Request: into(0), Setup: SetupUser, Cgroup: CgroupPlain, Given: []decode.Condition{decode.CondCgroupDenied}, Rule: "into-cgroup-denied"},
		{Name: "into-cgroup-busy", Request: into(0), Cgroup: CgroupBusy, Rule: "into-cgroup-busy"},
		{Name: "into-cgroup-invalid-domain", Request: into(0), Cgroup: CgroupInvalid, Rule: "into-cgroup-invalid-domain"},
		{Name: "into-cgroup-cross-domain", Request: into(threadFlags), Cgroup: CgroupThreaded, Rule: "into-cgroup-cross-domain"},
	}
	for _, ns := range quotas {
		all = append(all, Case{Name: "quota-" + ns.name, Request: clone3(ns.flag), Setup: SetupQuota, Rule: ns.name + "-quota"})
	}
	for i := range all {
		all[i].Suite, all[i].Source = "limits", "kernel-facts C-4"
	}
	return all
}
