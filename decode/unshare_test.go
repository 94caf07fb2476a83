// SPDX-License-Identifier: Apache-2.0

package decode

import "testing"

var unshareCases = []ruleCase{
	{name: "nothing", request: cloneCall(0)},
	{name: "NEWIPC|SYSVSEM", request: cloneCall(CloneNewIPC | CloneSysvsem)},
	{name: "NEWUSER|FS", request: cloneCall(CloneNewUser | CloneFS), user: true},
	{name: "NEWUSER lends CAP_SYS_ADMIN", request: cloneCall(CloneNewUser | CloneNewNet), user: true},
	{name: "filter", request: cloneCall(0), given: []Condition{CondSeccompDenied}, want: anyErrno, rule: "seccomp-denied"},
	{name: "Debian", request: cloneCall(CloneNewUser), user: true, given: []Condition{CondUsernsCloneOff}, want: EPERM, rule: "deb-userns-disabled"},
	{name: "not Debian", request: cloneCall(CloneNewUser), user: true, given: []Condition{CondUsernsCloneOff}, release: "6.12"},
	{name: "signal", request: cloneCall(17), want: EINVAL, rule: "unshare-unknown-flag"},
	{name: "0x100000, 7.0", request: cloneCall(1 << 20), release: "7.0.13", want: EINVAL, rule: "unshare-unknown-flag"},
	{name: "0x100000 by a user", request: cloneCall(1 << 20), user: true, want: EPERM, rule: "ns-needs-admin"},
	{name: "VM of several threads", request: cloneCall(CloneVM), given: []Condition{CondMultithreaded}, want: EINVAL, rule: "unshare-multithreaded"},
	{name: "FS of several threads", request: cloneCall(CloneFS), given: []Condition{CondMultithreaded}},
	{name: "handlers", request: cloneCall(CloneSighand), given: []Condition{CondSighandShared}, want: EINVAL, rule: "unshare-sighand-shared"},
	{name: "VM implies handlers", request: cloneCall(CloneVM), given: []Condition{CondSighandShared}, want: EINVAL, rule: "unshare-sighand-shared"},
	{name: "memory", request: cloneCall(CloneVM), given: []Condition{CondMMShared}, want: EINVAL, rule: "unshare-mm-shared"},
	{name: "shared memory is no matter", request: cloneCall(CloneSighand), given: []Condition{CondMMShared}},
	{name: "NEWNS implies FS", request: cloneCall(CloneNewNS), given: []Condition{CondFSNoMem}, want: ENOMEM, rule: "fs-nomem"},
	{name: "files", request: cloneCall(CloneFiles), given: []Condition{CondFilesNoMem}, want: ENOMEM, rule: "files-nomem"},
	{name: "nr_open", request: cloneCall(CloneFiles), given: []Condition{CondFDAboveNrOpen}, want: EMFILE, rule: "files-nr-open"},
	{name: "chroot", request: cloneCall(CloneNewUser), given: []Condition{CondChrooted}, want: EPERM, rule: "userns-chroot"},
	{name: "quota", request: cloneCall(CloneNewNet), given: []Condition{CondNetQuota}, want: ENOSPC, rule: "newnet-quota"},
	{name: "NEWPID twice", request: cloneCall(CloneNewPid), given: []Condition{CondForeignPidNS}, want: EINVAL, rule: "newpid-foreign-pidns"},
	{name: "no limit of children counts", request: cloneCall(CloneNewNS), given: []Condition{CondPidsReached, CondMaxThreadsReached, CondPidNSDead}},
	{name: "NEWUSER alone", request: cloneCall(CloneNewUser), user: true},
	{name: "root, Debian", request: cloneCall(CloneNewUser), given: []Condition{CondUsernsCloneOff}},
	{name: "no user namespace, Debian", request: cloneCall(CloneFS), user: true, given: []Condition{CondUsernsCloneOff}},
	{name: "no files, no fs", request: cloneCall(CloneSysvsem), given: []Condition{CondFilesNoMem, CondFSNoMem, CondFDAboveNrOpen, CondSighandShared}},
	{name: "all", request: cloneCall(CloneVM | CloneFiles | CloneSysvsem | adminFlags | 1<<20)},
	{name: "VM, 6.12", request: cloneCall(CloneVM), release: "6.12"},
}

func init() {
	for _, flag := range []uint64{
		ClonePidfd, ClonePtrace, CloneVfork, CloneParent, CloneSetTLS, CloneChildClearTid, CloneDetached, CloneUntraced,
		CloneChildSetTid, CloneIO, CloneClearSighand, CloneIntoCgroup, CloneAutoreap, CloneNNP, ClonePidfdAutokill,
		CloneEmptyMntNS, 1 << 63, 1,
	} {
		unshareCases = append(unshareCases, ruleCase{name: "one flag", request: cloneCall(flag), want: EINVAL, rule: "unshare-unknown-flag"})
	}
}

func (c *ruleCase) checkUnshare(t *testing.T, rules []Rule) bool {
	t.Helper()
	s := c.conditions()
	traits, err := c.traits()
	if err != nil {
		t.Fatal(err)
	}
	v := unshareView(c.request.Flags, &s, traits)
	return c.fits(newRuleBook(rules).predict(&v, traits))
}

func TestPredictUnshare(t *testing.T) {
	for _, c := range unshareCases {
		if !c.checkUnshare(t, UnshareRules) {
			t.Errorf("%s: not as wanted", c.name)
		}
		s := c.conditions()
		traits, _ := c.traits()
		p := PredictUnshare(c.request.Flags, &s, traits)
		if list := CandidatesUnshare(c.request.Flags, &s, traits); (len(list) == 1) != (p.Rule != nil) || p.Rule != nil && list[0] != p.Rule {
			t.Errorf("%s: candidates %v", c.name, list)
		}
	}
}
