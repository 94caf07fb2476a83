// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"fmt"

	"github.com/forktrace/forktrace/decode"
)

// Case is one request, of which the rules say what must become.
type Case struct {
	Suite   string
	Name    string
	Request decode.Request
	Setup   Setup
	Given   []decode.Condition // what the setup brings about
	Lacks   []decode.Condition // what it takes away
	Source  string             // where the case is from
	Bug     string             // the known bug that a divergence would be
}

// Suites are the names of the suites, in the order in which they run.
var Suites = []string{"rules", "flags", "bugs"}

// Combinations that many cases need.
const (
	threadFlags = decode.CloneVM | decode.CloneSighand | decode.CloneThread
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
	all = append(all, setupCases()...)
	all = append(all, flagCases()...)
	return append(all, bugCases...)
}

const factsC = "kernel-facts C"

// sizeCases are the sizes of clone_args around every boundary.
func sizeCases() (all []Case) {
	for _, size := range []uint64{0, 1, 56, 63, 64, 65, 72, 79, 80, 87, 88, 4097, 65537, 1 << 40} {
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
		if uint64(1)<<bit == decode.CloneIntoCgroup { // descriptor 0 is a pipe
			all[len(all)-1].Given = []decode.Condition{decode.CondCgroupBadFD}
		}
	}
	add("clone3-args-fault", with(clone3(0), func(r *decode.Request) { r.ArgsFault = decode.Yes }))
	add("clone3-args-fault-size-63", with(clone3(0), func(r *decode.Request) { r.ArgsFault, r.Size = decode.Yes, 63 }))
	add("clone3-pidfd-fault", with(clone3(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes }))
	add("clone-pidfd-fault", with(clone(decode.ClonePidfd), func(r *decode.Request) { r.PidfdFault = decode.Yes }))
	add("clone3-pidfd-aliases-parent-tid", with(clone3(decode.ClonePidfd|decode.CloneParentSetTid), func(r *decode.Request) { r.ParentTid = r.Pidfd }))
	for _, cgroup := range []uint64{1 << 31, 1 << 40, ^uint64(0)} {
		add(fmt.Sprintf("clone3-cgroup-%#x", cgroup), with(clone3(decode.CloneIntoCgroup), func(r *decode.Request) { r.Cgroup = cgroup }))
	}
	all = append(all, tidCases()...)
	return all
}

// tidCases are about set_tid, with numbers that are refused whatever runs on the machine.
func tidCases() (all []Case) {
	add := func(name string, flags, size uint64, tids ...int32) {
		r := clone3(flags)
		r.SetTid, r.SetTidSize, r.Tids = placeTids, size, tids
		all = append(all, Case{Suite: "rules", Name: "set-tid-" + name, Request: r, Source: "selftests clone3/clone3_set_tid.c"})
	}
	add("size-33", 0, 33)
	add("no-size", 0, 0)
	add("zero", 0, 1, 0)
	add("negative", 0, 1, -1)
	add("pid-max-limit", 0, 1, 4<<20)
	add("init", 0, 1, 1)
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
	user := []decode.Condition{decode.CondCapAdmin, decode.CondCapAdminInit, decode.CondCapResourceInit, decode.CondRootUser}
	newIPC := decode.CloneNewIPC | decode.CloneSysvsem
	badTLS := func(r *decode.Request) { r.TLS = beyondUser }
	return []Case{
		{Suite: "rules", Name: "user-newnet", Request: clone(decode.CloneNewNet), Setup: SetupUser, Lacks: user, Source: factsC},
		{Suite: "rules", Name: "user-newns-fs", Request: clone(decode.CloneNewNS | decode.CloneFS), Setup: SetupUser, Lacks: user, Source: factsC},
		{Suite: "rules", Name: "user-newipc-sysvsem", Request: clone(newIPC), Setup: SetupUser, Lacks: user, Source: factsC},
		{Suite: "rules", Name: "newipc-sysvsem-before-tls", Request: with(clone(newIPC|decode.CloneSetTLS), badTLS), Source: factsC},
		{Suite: "rules", Name: "newuser-chrooted", Request: clone(decode.CloneNewUser), Setup: SetupChroot, Given: []decode.Condition{decode.CondChrooted}, Source: factsC},
		{Suite: "rules", Name: "nproc", Request: clone(0), Setup: SetupUser | SetupNproc, Given: []decode.Condition{decode.CondNprocReached}, Lacks: user, Source: factsC},
		{Suite: "rules", Name: "nproc-before-namespaces", Request: clone(decode.CloneNewNet), Setup: SetupUser | SetupNproc, Given: []decode.Condition{decode.CondNprocReached}, Lacks: user, Source: factsC},
		{Suite: "rules", Name: "chroot-before-nproc", Request: clone(decode.CloneNewUser), Setup: SetupChroot | SetupUser | SetupNproc, Given: []decode.Condition{decode.CondNprocReached, decode.CondChrooted}, Lacks: user, Source: factsC},
		{Suite: "rules", Name: "foreign-pidns-thread", Request: clone(threadFlags), Setup: SetupPid, Given: []decode.Condition{decode.CondForeignPidNS, decode.CondPidNSEmpty}, Source: factsC},
		{Suite: "rules", Name: "foreign-pidns-newpid", Request: clone(decode.CloneNewPid), Setup: SetupPid, Given: []decode.Condition{decode.CondForeignPidNS, decode.CondPidNSEmpty}, Source: factsC},
		{Suite: "rules", Name: "foreign-pidns-process", Request: clone(0), Setup: SetupPid, Given: []decode.Condition{decode.CondForeignPidNS, decode.CondPidNSEmpty}, Source: factsC},
		{Suite: "rules", Name: "foreign-timens-vm", Request: clone(decode.CloneVM), Setup: SetupTime, Given: []decode.Condition{decode.CondForeignTimeNS}, Source: factsC},
	}
}

// flagCases are each flag alone, and each pair, for both calls.
func flagCases() (all []Case) {
	const source = "decode.Flags"
	skipped := decode.CloneIntoCgroup // takes a descriptor
	for i := range decode.Flags {
		for j := range i + 1 {
			flags := decode.Flags[i].Value | decode.Flags[j].Value
			name := decode.Flags[i].Short
			if i != j {
				name += "|" + decode.Flags[j].Short
			}
			if flags&skipped == 0 {
				all = append(all, Case{Suite: "flags", Name: "clone3-" + name, Request: clone3(flags), Source: source})
			}
			if flags>>32 == 0 && flags&decode.CSignal == 0 {
				all = append(all, Case{Suite: "flags", Name: "clone-" + name, Request: clone(flags), Source: source})
			}
		}
	}
	return all
}

// bugCases are those of kernel-facts G that requests alone can show. Their conditions are
// those of a kernel without the bug: the case diverges where the bug is.
var bugCases = []Case{
	{Suite: "bugs", Name: "clone3-newtime-refused", Bug: "G4", Request: clone3(decode.CloneNewTime), Source: "kernel-facts G4"},
	{Suite: "bugs", Name: "vfork-after-unshare-time", Bug: "G5", Request: clone(decode.CloneVM | decode.CloneVfork), Setup: SetupTime,
		Given: []decode.Condition{decode.CondForeignTimeNS}, Source: "kernel-facts G5"},
	{Suite: "bugs", Name: "exit-signal-65", Bug: "G8", Request: with(clone(0), func(r *decode.Request) { r.ExitSignal = 65 }), Source: "kernel-facts G8"},
}
