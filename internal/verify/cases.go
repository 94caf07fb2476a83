// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"

	"github.com/forktrace/forktrace/decode"
)

// Case is one request, of [decode.EntryUnknown] for unshare, of which the rules say what must become, or one observation of the
// child that it makes.
type Case struct {
	Suite   string
	Name    string
	Request decode.Request
	Setup   Setup
	Cgroup  Cgroup
	Given   []decode.Condition                   // what the request itself brings about
	Fit     func(*decode.Request, *decode.State) // fills in what depends on the machine
	Rule    string                               // the rule that the case is made for, where kernels have it
	Source  string                               // where the case is from
	Bug     string                               // the known bug that a divergence would be

	Observe string // what is looked for in the child (executor/observe.c, observations)
	Want    Seen   // what must be seen
	Promise string // of what that is the sign
}

// Suites are the names of the suites, in the order in which they run.
var Suites = []string{"rules", "flags", "limits", "semantics", "bugs"}

// Combinations that many cases need.
const (
	threadFlags = decode.CloneVM | decode.CloneSighand | decode.CloneThread
	autokill    = decode.ClonePidfd | decode.CloneAutoreap | decode.ClonePidfdAutokill
	beyondUser  = 1 << 63 // an address that no user space has
)

func clone(flags uint64) decode.Request {
	return decode.Request{Entry: decode.EntryClone, Flags: flags, ParentTid: placePidfd}
}

func clone3(flags uint64) decode.Request {
	return decode.Request{Entry: decode.EntryClone3, Flags: flags, Size: decode.CloneArgsSize, Pidfd: placePidfd, ParentTid: placeParent}
}

func with(r decode.Request, change func(*decode.Request)) decode.Request {
	change(&r)
	return r
}

// Cases lists all cases.
func Cases() []Case {
	var all []Case
	all = append(all, sizeCases()...)
	all = append(all, boundaryCases()...)
	all = append(all, ruleCases()...)
	all = append(all, setupCases()...)
	all = append(all, flagCases()...)
	all = append(all, combinedCases()...)
	all = append(all, unshareCases()...)
	all = append(all, limitCases()...)
	all = append(all, meanings()...)
	return append(all, bugCases...)
}

const factsC = "kernel-facts C"

// badCgroup is what a request with CLONE_INTO_CGROUP and no descriptor of one brings about:
// descriptor 0 is a pipe.
var badCgroup = []decode.Condition{decode.CondCgroupBadFD}

// sizeCases are the sizes of clone_args around every boundary.
func sizeCases() (all []Case) {
	for _, size := range []uint64{0, 1, 56, 63, 64, 65, 72, 79, 80, 87, 88, 89, 95, 96, 4095, 4096, 4097, 65536, 65537, 1 << 40} {
		all = append(all, Case{Suite: "rules", Name: fmt.Sprintf("clone3-size-%d", size), Source: "selftests clone3/clone3.c",
			Request: with(clone3(0), func(r *decode.Request) { r.Size = size })})
	}
	for _, tail := range []decode.Tail{decode.TailZero, decode.TailNonzero} {
		all = append(all, Case{Suite: "rules", Name: fmt.Sprintf("clone3-size-96-tail-%d", tail), Source: "selftests clone3/clone3.c",
			Request: with(clone3(0), func(r *decode.Request) { r.Size, r.Tail = 96, tail })})
	}
	return all
}

// boundaryCases are the values of every other argument around its boundaries.
func boundaryCases() (all []Case) {
	add := func(name string, r decode.Request) {
		all = append(all, Case{Suite: "rules", Name: name, Request: r, Source: factsC})
	}
	for _, signal := range []uint64{1, 17, 63, 64, 65, 127, 128, 255, 256, 1 << 32, 1 << 63} {
		change := func(r *decode.Request) { r.ExitSignal = signal }
		add(fmt.Sprintf("clone3-exit-signal-%#x", signal), with(clone3(0), change))
		add(fmt.Sprintf("clone3-thread-exit-signal-%#x", signal), with(clone3(threadFlags), change))
		add(fmt.Sprintf("clone3-parent-exit-signal-%#x", signal), with(clone3(decode.CloneParent), change))
		if signal < 256 {
			add(fmt.Sprintf("clone-exit-signal-%#x", signal), with(clone(0), change))
			add(fmt.Sprintf("clone-thread-exit-signal-%#x", signal), with(clone(threadFlags), change))
		}
	}
	for _, s := range [][2]uint64{{0, 1}, {4096, 0}, {beyondUser, 4096}, {1 << 20, 1 << 16}, {4096, ^uint64(0)}} {
		add(fmt.Sprintf("clone3-stack-%#x-%#x", s[0], s[1]), with(clone3(0), func(r *decode.Request) { r.Stack, r.StackSize = s[0], s[1] }))
	}
	for _, tls := range []uint64{0, 4096, 1 << 40, 1<<47 - 4097, beyondUser, ^uint64(0)} {
		add(fmt.Sprintf("clone-settls-%#x", tls), with(clone(decode.CloneSetTLS), func(r *decode.Request) { r.TLS = tls }))
		add(fmt.Sprintf("clone3-settls-%#x", tls), with(clone3(decode.CloneSetTLS), func(r *decode.Request) { r.TLS = tls }))
	}
	for bit := range 64 {
		add(fmt.Sprintf("clone3-bit-%d", bit), clone3(1<<bit))
		if uint64(1)<<bit == decode.CloneIntoCgroup {
			all[len(all)-1].Given = badCgroup
		}
	}
	add("clone3-args-fault", with(clone3(0), func(r *decode.Request) { r.ArgsFault = decode.Yes }))
	add("clone3-args-fault-size-63", with(clone3(0), func(r *decode.Request) { r.ArgsFault, r.Size = decode.Yes, 63 }))
	add("clone3-pidfd-fault", with(clone3(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes }))
	add("clone-pidfd-fault", with(clone(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes }))
	add("clone3-pidfd-aliases-parent-tid", with(clone3(decode.ClonePidfd|decode.CloneParentSetTid), func(r *decode.Request) { r.ParentTid = r.Pidfd }))
	add("clone3-cgroup-0x7fffffff", with(clone3(decode.CloneIntoCgroup), func(r *decode.Request) { r.Cgroup = 1<<31 - 1 }))
	all[len(all)-1].Given = badCgroup
	for _, cgroup := range []uint64{1 << 31, 1<<32 + 1, 1 << 40, ^uint64(0)} {
		add(fmt.Sprintf("clone3-cgroup-%#x", cgroup), with(clone3(decode.CloneIntoCgroup), func(r *decode.Request) { r.Cgroup = cgroup }))
	}
	all = append(all, edgeCases()...)
	return append(all, tidCases()...)
}

// tid is a clone3 request for these ids.
func tid(flags uint64, tids ...int32) decode.Request {
	r := clone3(flags)
	r.SetTid, r.SetTidSize, r.Tids = placeTids, uint64(len(tids)), tids
	return r
}

// tidCases are about set_tid, with numbers that are refused whatever runs on the machine.
func tidCases() (all []Case) {
	add := func(name string, flags, size uint64, tids ...int32) {
		r := tid(flags, tids...)
		r.SetTidSize = size
		all = append(all, Case{Suite: "rules", Name: "set-tid-" + name, Request: r, Source: "selftests clone3/clone3_set_tid.c"})
	}
	add("size-33", 0, 33)
	add("size-32", 0, 32, 7, 7, 7, 7)
	add("no-size", 0, 0)
	add("zero", 0, 1, 0)
	add("negative", 0, 1, -1)
	add("pid-max-limit", 0, 1, 4<<20)
	add("init", 0, 1, 1)
	add("least", 0, 1, -1<<31)
	add("largest", 0, 1, 1<<31-1)
	add("new-namespace-2", decode.CloneNewPid, 1, 2)
	add("new-namespace-1", decode.CloneNewPid, 1, 1)
	add("new-namespace-1-busy", decode.CloneNewPid, 2, 1, 1)
	r := clone3(0)
	r.SetTidSize = 1
	all = append(all, Case{Suite: "rules", Name: "set-tid-null", Request: r, Source: factsC})
	r.SetTid, r.SetTidFault = placeTids, decode.Yes
	return append(all, Case{Suite: "rules", Name: "set-tid-fault", Request: r, Source: factsC})
}

// setupCases need a creator in a state of its own.
func setupCases() []Case {
	newIPC := decode.CloneNewIPC | decode.CloneSysvsem
	badTLS := func(r *decode.Request) { r.TLS = beyondUser }
	all := []Case{
		{Name: "user-newnet", Request: clone(decode.CloneNewNet), Setup: SetupUser, Rule: "ns-needs-admin"},
		{Name: "user-newns-fs", Request: clone(decode.CloneNewNS | decode.CloneFS), Setup: SetupUser, Rule: "newns-with-fs"},
		{Name: "user-newipc-sysvsem", Request: clone(newIPC), Setup: SetupUser, Rule: "ns-needs-admin"},
		{Name: "user-set-tid", Request: tid(0, 2), Setup: SetupUser, Rule: "settid-cap"},
		{Name: "user-autokill", Request: clone3(autokill), Setup: SetupUser, Rule: "autokill-needs-cap"},
		{Name: "user-autokill-newuser", Request: clone3(autokill | decode.CloneNewUser), Setup: SetupUser, Rule: "autokill-needs-cap"},
		{Name: "user-autokill-nnp", Request: clone3(autokill | decode.CloneNNP), Setup: SetupUser},
		{Name: "newipc-sysvsem-before-tls", Request: with(clone(newIPC|decode.CloneSetTLS), badTLS), Rule: "newipc-with-sysvsem"},
		{Name: "newuser-chrooted", Request: clone(decode.CloneNewUser), Setup: SetupChroot, Rule: "userns-chroot"},
		{Name: "newuser-unmapped", Request: clone(decode.CloneNewUser), Setup: SetupUserNS, Rule: "userns-unmapped"},
		{Name: "newuser-mapped", Request: clone(decode.CloneNewUser), Setup: SetupMapped},
		{Name: "chroot-before-nproc", Request: clone(decode.CloneNewUser), Setup: SetupChroot | SetupUser | SetupNproc0},
		{Name: "foreign-pidns-thread", Request: clone(threadFlags), Setup: SetupPid, Rule: "thread-foreign-pidns"},
		{Name: "foreign-pidns-newpid", Request: clone(decode.CloneNewPid), Setup: SetupPid, Rule: "newpid-foreign-pidns"},
		{Name: "foreign-pidns-process", Request: clone(0), Setup: SetupPid},
		{Name: "foreign-pidns-set-tid", Request: tid(0, 7), Setup: SetupPid, Rule: "settid-no-init"},
		{Name: "foreign-timens-vm", Request: clone(decode.CloneVM), Setup: SetupTime, Rule: "vm-foreign-timens"},
		{Name: "init-parent", Request: clone(decode.CloneParent), Setup: SetupInit, Rule: "parent-from-init"},
		{Name: "init-parent-thread", Request: clone(decode.CloneParent | threadFlags), Setup: SetupInit, Rule: "parent-from-init"},
		{Name: "init-set-tid-busy", Request: tid(0, 1), Setup: SetupInit, Rule: "settid-busy"},
		{Name: "autoreap-parent", Request: clone3(decode.CloneParent), Setup: SetupAutoreap, Rule: "parent-from-autoreap"},
		{Name: "autoreap-parent-thread", Request: clone3(decode.CloneParent | threadFlags), Setup: SetupAutoreap, Rule: "parent-from-autoreap"},
		{Name: "others-pidns", Request: clone(decode.CloneNewPid), Setup: SetupOthersPid, Rule: "newpid-userns-not-descendant"},
		{Name: "others-pidns-process", Request: clone(0), Setup: SetupOthersPid},
		{Name: "signalled", Request: clone(0), Setup: SetupSignalled, Rule: "signal-pending"},
		{Name: "signalled-clone3", Request: clone3(decode.ClonePidfd), Setup: SetupSignalled, Rule: "signal-pending"},
		{Name: "deadline", Request: clone(0), Setup: SetupDeadline, Rule: "sched-deadline"},
		{Name: "deadline-before-namespaces", Request: clone(newIPC), Setup: SetupDeadline, Rule: "sched-deadline"},
	}
	all = append(all, precedenceCases()...)
	all = append(all, usernsCases()...)
	for i := range all {
		all[i].Suite, all[i].Source = "rules", factsC
	}
	return all
}

// precedenceCases break two rules at once: the first one decides.
func precedenceCases() []Case {
	badTLS := func(r *decode.Request) { r.TLS = beyondUser }
	return []Case{
		{Name: "newns-fs-before-newuser-fs", Request: clone(decode.CloneNewNS | decode.CloneNewUser | decode.CloneFS), Rule: "newns-with-fs"},
		{Name: "tls-before-set-tid-busy", Request: with(tid(decode.CloneSetTLS, 1), badTLS), Setup: SetupInit},
		{Name: "set-tid-busy-before-no-fd", Request: tid(decode.ClonePidfd, 1), Setup: SetupInit | SetupNoFile, Rule: "settid-busy"},
		{Name: "no-fd-before-bad-cgroup", Request: clone3(decode.ClonePidfd | decode.CloneIntoCgroup), Setup: SetupNoFile, Given: badCgroup, Rule: "pidfd-no-fd"},
		{Name: "pidfd-fault-before-bad-cgroup", Request: with(clone3(decode.ClonePidfd|decode.CloneIntoCgroup), func(r *decode.Request) { r.PidfdFault = decode.Yes }), Given: badCgroup, Rule: "pidfd-put-fault"},
		{Name: "newipc-sysvsem-before-bad-cgroup", Request: clone3(decode.CloneNewIPC | decode.CloneSysvsem | decode.CloneIntoCgroup), Given: badCgroup, Rule: "newipc-with-sysvsem"},
		{Name: "deadline-before-needs-admin", Request: clone(decode.CloneNewNet), Setup: SetupDeadline | SetupUser, Rule: "sched-deadline"},
		{Name: "needs-admin-before-bad-cgroup", Request: clone3(decode.CloneNewNet | decode.CloneIntoCgroup), Setup: SetupUser, Given: badCgroup, Rule: "ns-needs-admin"},
		{Name: "set-tid-busy-inside-denied-outside", Request: tid(0, 1, 7), Setup: SetupMapped | SetupInit}, // turned round by 7.0
		{Name: "tail-fault-before-flags", Request: with(clone3(1<<40), func(r *decode.Request) { r.Size, r.Tail = 96, decode.TailFault }), Rule: "c3-tail-fault"},
		{Name: "flags-before-signal", Request: clone(decode.CloneThread), Setup: SetupSignalled, Rule: "thread-without-sighand"},
		{Name: "signal-before-nproc", Request: clone(0), Setup: SetupSignalled | SetupUser | SetupNproc0, Rule: "signal-pending"},
		{Name: "signal-before-pidfd", Request: with(clone(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes }), Setup: SetupSignalled, Rule: "signal-pending"},
		{Name: "parent-tid-fault", Request: with(clone3(decode.CloneParentSetTid), func(r *decode.Request) { r.ParentTid = badAddress })},
	}
}

// flagCases are each flag alone, and each pair, for both calls.
func flagCases() (all []Case) {
	for i := range decode.Flags {
		for j := range i + 1 {
			flags := decode.Flags[i].Value | decode.Flags[j].Value
			name := decode.Flags[i].Short
			if i != j {
				name += "|" + decode.Flags[j].Short
			}
			c := Case{Suite: "flags", Name: "clone3-" + name, Request: clone3(flags), Source: flagTable}
			if flags&decode.CloneIntoCgroup != 0 {
				c.Request, c.Cgroup = into(flags), CgroupPlain
			}
			all = append(all, c)
			if flags>>32 == 0 && flags&decode.CSignal == 0 {
				c.Name, c.Request = "clone-"+name, clone(flags)
				all = append(all, c)
			}
		}
	}
	return all
}

// bugCases are the reproducible ones of kernel-facts G. The rules asked, and what is to be
// seen, are those of a kernel without the bug: the case diverges where the bug is.
var bugCases = []Case{
	{Suite: "bugs", Name: "clone3-newtime-refused", Bug: "G4", Request: clone3(decode.CloneNewTime), Source: "kernel-facts G4"},
	{Suite: "bugs", Name: "vfork-after-unshare-time", Bug: "G5", Request: clone(decode.CloneVM | decode.CloneVfork), Setup: SetupTime, Source: "kernel-facts G5"},
	{Suite: "bugs", Name: "newtime-switched-on-shared-memory", Bug: "G6", Request: clone3(decode.CloneVM | decode.CloneNewTime), Source: "kernel-facts G6",
		Observe: "time-ns", Want: SeenNo, Promise: "a child that shares memory stays in its creator's time namespace"},
	{Suite: "bugs", Name: "pidns-spoilt-by-first-failure", Bug: "G7", Request: clone(0), Setup: SetupSpoilt, Source: "kernel-facts G7"},
	{Suite: "bugs", Name: "exit-signal-65", Bug: "G8", Request: with(clone(0), func(r *decode.Request) { r.ExitSignal = 65 }), Source: "kernel-facts G8"},
	{Suite: "bugs", Name: "killed-in-cgroup-killed-before", Bug: "G10", Request: into(0), Cgroup: CgroupKilled, Source: "kernel-facts G10; selftests cgroup/test_kill.c",
		Observe: "life", Want: SeenYes, Promise: "a child made in a cgroup lives although the cgroup was killed before"},
}
