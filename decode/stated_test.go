// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"
	"strings"
	"testing"
)

// stated are answers that kernel-facts states as executed (L), and requests like those of
// testdata/clone-outcomes.tsv that are not in it. want is the answer of all kernels there,
// or "EINVAL, 7.1 OK" for one that changed.
type stated struct {
	ruleCase
	want string
}

func on(name, want string, r Request, given ...Condition) stated {
	return stated{ruleCase{name: name, request: r, given: given}, want}
}

// ofUser is the case of an ordinary user.
func ofUser(s stated) stated { s.user = true; return s }

// with changes the state of a case.
func with(s stated, change func(*State)) stated { s.state = change; return s }

const recent = ClonePidfdAutokill | ClonePidfd | CloneAutoreap

// statedFlags are about flags alone, of clone and clone3.
var statedFlags = []stated{
	on("clone-0x1200011, fork of glibc", "OK", cloneCall(0x1200011)),
	on("clone-0x3d0f00, pthread_create", "OK", cloneCall(0x3d0f00)),
	on("clone-SIGHAND-no-VM", "EINVAL", cloneCall(CloneSighand)),
	on("clone-THREAD|VM-no-SIGHAND", "EINVAL", cloneCall(CloneThread|CloneVM)),
	on("clone-NEWUSER|FS", "EINVAL", cloneCall(CloneNewUser|CloneFS)),
	on("clone-NEWUSER|FS|NEWNS", "EINVAL", cloneCall(CloneNewUser|CloneFS|CloneNewNS)),
	on("clone-thread-NEWUSER", "EINVAL", cloneCall(thread|CloneNewUser)),
	on("clone-thread-NEWNET", "OK", cloneCall(thread|CloneNewNet)),
	on("clone-thread-NEWUTS", "OK", cloneCall(thread|CloneNewUTS)),
	on("clone-thread-NEWIPC", "OK", cloneCall(thread|CloneNewIPC)),
	on("clone-thread-NEWIPC|SYSVSEM", "EINVAL", cloneCall(thread|CloneNewIPC|CloneSysvsem)),
	on("clone-thread-NEWNS|FS", "EINVAL", cloneCall(thread|CloneNewNS|CloneFS)),
	on("clone3-thread-NEWTIME", "OK", clone3Call(thread|CloneNewTime)),
	on("clone3-VM|NEWTIME (G6)", "OK", clone3Call(CloneVM|CloneNewTime)),
	on("clone-PARENT-exitsig", "OK", signalled(cloneCall(CloneParent), 10)),
	on("clone-PARENT-exitsig-65", "OK, 7.1 EINVAL", signalled(cloneCall(CloneParent), 65)),
	on("clone-exitsig-64", "OK", signalled(cloneCall(0), 64)),
	on("clone-exitsig-128", "OK, 7.1 EINVAL", signalled(cloneCall(0), 128)),
	on("clone-PIDFD|PARENT_SETTID", "EINVAL", cloneCall(ClonePidfd|CloneParentSetTid)),
	on("clone-PIDFD|DETACHED", "EINVAL", cloneCall(ClonePidfd|CloneDetached)),
	on("clone-DETACHED|thread", "OK", cloneCall(CloneDetached|thread)),
	on("clone-CHILD_SETTID|CHILD_CLEARTID", "OK", cloneCall(CloneChildSetTid|CloneChildClearTid)),
	on("clone-IO", "OK", cloneCall(CloneIO)),
	on("clone-PARENT|NEWUSER", "OK", cloneCall(CloneParent|CloneNewUser)),
	on("clone-VM|NEWUSER", "OK", cloneCall(CloneVM|CloneNewUser)),
	on("clone-PARENT|NEWPID|NEWUSER", "OK", cloneCall(CloneParent|CloneNewPid|CloneNewUser)),
	on("clone3-PARENT|NEWPID", "OK", clone3Call(CloneParent|CloneNewPid)),
	on("clone3-PARENT-exitsig", "EINVAL", signalled(clone3Call(CloneParent), 17)),
	on("clone3-exitsig-64", "OK", signalled(clone3Call(0), 64)),
	on("clone3-exitsig-256", "EINVAL", signalled(clone3Call(0), 256)),
	on("clone3-SIGCHLD-in-flags", "EINVAL", clone3Call(17)),
	on("clone3-bit0", "EINVAL", clone3Call(1)),
	on("clone3-bit6", "EINVAL", clone3Call(1<<6)),
	on("clone3-bit34", "EINVAL, 7.1 OK", clone3Call(1<<34)),
	on("clone3-bit36", "EINVAL", clone3Call(1<<36)), // AUTOKILL without PIDFD from 7.1 on
	on("clone3-bit38", "EINVAL", clone3Call(1<<38)),
	on("clone3-bit63", "EINVAL", clone3Call(1<<63)),
	on("clone3-CLEAR_SIGHAND|SIGHAND", "EINVAL", clone3Call(CloneClearSighand|CloneSighand|CloneVM)),
	on("clone3-CLEAR_SIGHAND|VM|VFORK", "OK", clone3Call(CloneClearSighand|vforkFlags)),
	on("clone3-PIDFD+PARENT_SETTID-same", "EINVAL", but(clone3Call(ClonePidfd|CloneParentSetTid), func(r *Request) { r.ParentTid = r.Pidfd })),
	on("clone3-PIDFD|NEWPID", "OK", clone3Call(ClonePidfd|CloneNewPid)),
	on("clone3-NEWIPC|SYSVSEM", "EINVAL", clone3Call(CloneNewIPC|CloneSysvsem)),
}

// statedRecent are about the flags of 7.1.
var statedRecent = []stated{
	on("c3-AUTOREAP", "EINVAL, 7.1 OK", clone3Call(CloneAutoreap)),
	on("c3-AUTOREAP+exitsig", "EINVAL", signalled(clone3Call(CloneAutoreap), 17)),
	on("c3-AUTOREAP|thread", "EINVAL", clone3Call(CloneAutoreap|thread)),
	on("c3-AUTOREAP|NEWPID", "EINVAL, 7.1 OK", clone3Call(CloneAutoreap|CloneNewPid)),
	on("c3-NNP", "EINVAL, 7.1 OK", clone3Call(CloneNNP)),
	on("c3-NNP+exitsig", "EINVAL, 7.1 OK", signalled(clone3Call(CloneNNP), 17)),
	on("c3-AUTOKILL|AUTOREAP-no-PIDFD", "EINVAL", clone3Call(ClonePidfdAutokill|CloneAutoreap)),
	on("c3-AUTOKILL|PIDFD|AUTOREAP", "EINVAL, 7.1 OK", clone3Call(recent)),
	on("c3-AUTOKILL|PIDFD|AUTOREAP+exitsig", "EINVAL", signalled(clone3Call(recent), 17)),
	on("c3-AUTOKILL|PIDFD|AUTOREAP|thread", "EINVAL", clone3Call(recent|thread)),
	ofUser(on("unpriv-c3-AUTOKILL|PIDFD|AUTOREAP|NNP", "EINVAL, 7.1 OK", clone3Call(recent|CloneNNP))),
	ofUser(on("unpriv-c3-AUTOKILL|AUTOREAP-no-PIDFD", "EINVAL", clone3Call(ClonePidfdAutokill|CloneAutoreap))),
	ofUser(on("unpriv-c3-NNP", "EINVAL, 7.1 OK", clone3Call(CloneNNP))),
	ofUser(on("unpriv-c3-AUTOREAP", "EINVAL, 7.1 OK", clone3Call(CloneAutoreap))),
	on("c3-EMPTY_MNTNS", "EINVAL, 7.1 OK", clone3Call(CloneEmptyMntNS)),
	on("c3-EMPTY_MNTNS|NEWNS", "EINVAL, 7.1 OK", clone3Call(CloneEmptyMntNS|CloneNewNS)),
	on("c3-EMPTY_MNTNS|FS", "EINVAL", clone3Call(CloneEmptyMntNS|CloneFS)),
	ofUser(on("unpriv-c3-EMPTY_MNTNS|NEWUSER", "EINVAL, 7.1 OK", clone3Call(CloneEmptyMntNS|CloneNewUser))),
	on("autoreap-child-PARENT", "OK, 7.1 EINVAL", clone3Call(CloneParent), CondAutoreap),
	on("autoreap-child-thread", "OK", clone3Call(thread), CondAutoreap),
	on("autoreap-child-fork", "OK", cloneCall(0), CondAutoreap),
	on("pid1:clone-thread|PARENT", "EINVAL", cloneCall(thread|CloneParent), CondPidInit),
	on("pid1:clone-thread", "OK", cloneCall(thread), CondPidInit),
}

// statedSizes are about the structure, its size, its stack and tls.
var statedSizes = []stated{
	on("clone3-size63", "EINVAL", sized(63, TailZero)),
	on("clone3-size65", "OK", sized(65, TailZero)),
	on("clone3-size88", "OK", sized(88, TailZero)),
	on("clone3-size89", "OK", sized(89, TailZero)),
	on("clone3-size4096", "OK", sized(4096, TailZero)),
	on("clone3-size4097", "E2BIG", sized(4097, TailZero)),
	on("clone3-size96-nonzero", "E2BIG", sized(96, TailNonzero)),
	on("clone3-size96-tail-unmapped", "EFAULT", sized(96, TailFault)),
	on("clone3-NULL-size64", "EFAULT", but(sized(64, TailZero), func(r *Request) { r.ArgsFault = Yes })),
	on("clone3-NULL-size4097", "E2BIG", but(sized(4097, TailZero), func(r *Request) { r.ArgsFault = Yes })),
	on("clone3-stack-null-size", "EINVAL", stacked(0, 4096)),
	on("clone3-stack-kernel", "EINVAL", stacked(0xffff888000000000, 4096)),
	on("clone3-stack-wraps", "EINVAL", stacked(1<<63, 1<<63)),
	on("clone3-stack-odd", "OK", stacked(somewhere+1, 4095)),
	on("clone3-stack-size-1", "OK", stacked(somewhere, 1)),
	on("clone3-SETTLS-1<<63", "EPERM", but(clone3Call(CloneSetTLS), func(r *Request) { r.TLS = 1 << 63 })),
	on("clone-SETTLS-0", "OK", tls(0)),
	on("clone-tls-without-SETTLS", "OK", but(tls(1<<63), func(r *Request) { r.Flags = 0 })),
	on("into-size80", "EINVAL", but(into(0, 3), func(r *Request) { r.Size = 80 })),
	on("into-badfd-999", "EBADF", into(0, 999), CondCgroupBadFD),
	on("into-INT_MAX", "EBADF", into(0, 1<<31-1), CondCgroupBadFD),
	on("into-removed", "ENOENT", into(0, 3), CondCgroupGone),
	on("into-thread-same-domain", "OK", into(thread, 3)),
	ofUser(on("unpriv-into", "EACCES", into(0, 3), CondCgroupDenied)),
	on("into-badfd+pidfd-badptr", "EFAULT", badPidfd(into(ClonePidfd, 99)), CondCgroupBadFD),
}

// statedTids are about set_tid.
var statedTids = []stated{
	on("settid-1", "EEXIST", tids(0, 1)),
	on("settid-negative", "EINVAL", tids(0, -1)),
	on("settid-pid_max", "EINVAL", tids(0, 4<<20)),
	on("settid-size33", "EINVAL", but(tids(0, 7), func(r *Request) { r.SetTidSize = 33 })),
	on("settid-ptr-size0", "EINVAL", but(tids(0, 7), func(r *Request) { r.SetTidSize = 0 })),
	on("settid-two-levels", "EINVAL", tids(0, 7, 7)),
	on("settid-size32-bad-levels", "EINVAL", but(tids(0, 7), func(r *Request) { r.SetTidSize = 32 })),
	ofUser(on("settid-unpriv", "EPERM", tids(0, 30000))),
	ofUser(with(on("settid-unpriv-busy", "EPERM", tids(0, 2)), busy(0))),
	on("settid-NEWPID-{1}", "OK", tids(CloneNewPid, 1)),
	on("settid-NEWPID-{2}", "EINVAL", tids(CloneNewPid, 2)),
	on("settid-NEWPID-{0}", "EINVAL", tids(CloneNewPid, 0)),
	on("settid-NEWPID-{1,30001}", "OK", tids(CloneNewPid, 1, 30001)),
	on("settid-NEWPID-{1,1}", "EEXIST", tids(CloneNewPid, 1, 1)),
	on("settid-NEWPID-{1,2,3}", "EINVAL", tids(CloneNewPid, 1, 2, 3)),
	ofUser(on("settid-unpriv-NEWUSER|NEWPID-{1,30001}", "EPERM", tids(CloneNewUser|CloneNewPid, 1, 30001))),
	ofUser(on("settid-unpriv-NEWUSER|NEWPID-{2}", "EINVAL", tids(CloneNewUser|CloneNewPid, 2))),
	ofUser(on("settid-unpriv-NEWUSER|NEWPID-{2,30001}", "EINVAL, 7.0 EPERM", tids(CloneNewUser|CloneNewPid, 2, 30001))),
	with(on("settid-nested-{busy,denied}", "EEXIST, 7.0 EPERM", tids(0, 500, 500)), both(levels(Yes, No), busy(0))),
	with(on("settid-nested-{busy,toobig}", "EEXIST, 7.0 EINVAL", tids(0, 500, 1<<30)), both(levels(Yes, Yes), busy(0))),
	with(on("settid-nested-{denied,busy}", "EPERM", tids(0, 500, 500)), both(levels(No, Yes), busy(1))),
	with(on("settid-nested-{7,busy}", "EEXIST", tids(0, 7, 500)), both(levels(Yes, Yes), busy(1))),
	on("unshare(NEWPID)+settid-{1}", "OK", tids(0, 1), CondForeignPidNS, CondPidNSEmpty),
	on("unshare(NEWPID)+settid-{2}", "EINVAL", tids(0, 2), CondForeignPidNS, CondPidNSEmpty),
	on("settid+thread", "OK", tids(thread, 30000)),
	on("order:settid-too-big+badtls", "EPERM", but(tids(CloneSetTLS, 1<<30), func(r *Request) { r.TLS = 1 << 63 })),
}

// statedStates are about the creator's state and limits.
var statedStates = []stated{
	on("unshare(NEWPID)+fork", "OK", cloneCall(0), CondForeignPidNS, CondPidNSEmpty),
	on("unshare(NEWPID)+thread", "EINVAL", cloneCall(thread), CondForeignPidNS, CondPidNSEmpty),
	on("unshare(NEWPID)+vfork", "OK", Request{Entry: EntryVfork}, CondForeignPidNS, CondPidNSEmpty),
	on("unshare(NEWPID)+init-dead+thread", "EINVAL", cloneCall(thread), CondForeignPidNS, CondPidNSDead),
	on("unshare(NEWTIME)+fork", "OK", Request{Entry: EntryFork}, CondForeignTimeNS),
	on("unshare(NEWTIME)+vfork", "EINVAL, 6.12 OK", Request{Entry: EntryVfork}, CondForeignTimeNS),
	on("unshare(NEWTIME)+clone3-NEWTIME", "OK", clone3Call(CloneNewTime), CondForeignTimeNS),
	ofUser(on("nproc-1", "EAGAIN", cloneCall(0), CondNprocReached)),
	on("root-nproc-1", "OK", cloneCall(0), CondNprocReached),
	ofUser(on("nproc-1-NEWNET(order)", "EAGAIN", cloneCall(CloneNewNet), CondNprocReached)),
	ofUser(on("chroot+NEWUSER", "EPERM", cloneCall(CloneNewUser), CondChrooted)),
	ofUser(on("chroot+NEWUSER+nproc-1", "EAGAIN, 6.1 EPERM", cloneCall(CloneNewUser), CondChrooted, CondNprocReached)),
	ofUser(on("chroot+fork", "OK", cloneCall(0), CondChrooted)),
	ofUser(on("unmapped-NEWUSER", "EPERM", cloneCall(CloneNewUser), CondIDsUnmapped)),
	on("threads-max+NEWIPC|SYSVSEM(order)", "EAGAIN", cloneCall(CloneNewIPC|CloneSysvsem), CondMaxThreadsReached),
	on("max_user_namespaces=0", "ENOSPC", cloneCall(CloneNewUser), CondUserQuota),
	on("max_pid_namespaces=0", "ENOSPC", cloneCall(CloneNewPid), CondPidQuota),
	on("max_time_namespaces=0", "ENOSPC", clone3Call(CloneNewTime), CondTimeQuota),
	on("pids.max", "EAGAIN", cloneCall(0), CondPidsReached),
	on("pids.max+pidfd-badptr", "EFAULT", badPidfd(cloneCall(ClonePidfd)), CondPidsReached),
	on("nofile-0-PIDFD", "EMFILE", cloneCall(ClonePidfd), CondNoFD),
	on("nofile-0", "OK", cloneCall(0), CondNoFD),
	ofUser(on("unpriv-NEWUSER|NEWNET", "OK", cloneCall(CloneNewUser|CloneNewNet))),
	ofUser(on("unpriv-NEWCGROUP", "EPERM", cloneCall(CloneNewCgroup))),
	ofUser(on("unpriv-clone3-NEWTIME", "EPERM", clone3Call(CloneNewTime))),
	ofUser(on("deb-userns0-unpriv-NEWUSER", "EPERM", cloneCall(CloneNewUser), CondUsernsCloneOff)),
	on("deb-userns0-root-NEWUSER", "OK", cloneCall(CloneNewUser), CondUsernsCloneOff),
}

// nested are the depths at which a namespace can still be made, or not.
func nested() (all []stated) {
	for depth := 1; depth <= 34; depth++ {
		user, pid := "OK", "OK"
		if depth > 33 {
			user = "ENOSPC"
		}
		if depth > 32 {
			pid = "ENOSPC"
		}
		all = append(all, with(on(fmt.Sprintf("userns-in-%d", depth), user, cloneCall(CloneNewUser)), func(s *State) { s.UserLevels = uint8(depth) }))
		if depth <= 33 {
			all = append(all, with(on(fmt.Sprintf("pidns-in-%d", depth), pid, cloneCall(CloneNewPid)), func(s *State) { s.PidLevels = uint8(depth) }))
		}
	}
	for bit := 38; bit < 64; bit++ {
		all = append(all, on(fmt.Sprintf("clone3-bit%d", bit), "EINVAL", clone3Call(1<<bit)))
		all = append(all, on(fmt.Sprintf("clone-high-bit%d", bit), "OK", cloneCall(1<<bit)))
	}
	return all
}

// statedUnshare are calls of unshare.
func statedUnshare() []stated {
	all := []stated{
		on("unshare-FS", "OK", cloneCall(CloneFS)),
		on("unshare-SIGHAND", "OK", cloneCall(CloneSighand)),
		on("unshare-0", "OK", cloneCall(0)),
		on("unshare-NEWPID-twice", "EINVAL", cloneCall(CloneNewPid), CondForeignPidNS),
		on("unshare-NEWTIME-twice", "OK", cloneCall(CloneNewTime), CondForeignTimeNS),
		on("mt-unshare-VM", "EINVAL", cloneCall(CloneVM), CondMultithreaded),
		on("mt-unshare-THREAD", "EINVAL", cloneCall(CloneThread), CondMultithreaded),
		on("mt-unshare-NEWPID", "OK", cloneCall(CloneNewPid), CondMultithreaded),
		on("mt-unshare-NEWNS", "OK", cloneCall(CloneNewNS), CondMultithreaded),
		on("mt-unshare-NEWNET", "OK", cloneCall(CloneNewNet), CondMultithreaded),
		on("mt-unshare-FILES", "OK", cloneCall(CloneFiles), CondMultithreaded),
		on("vm-shared-unshare-VM", "EINVAL", cloneCall(CloneVM), CondMMShared),
		on("vm-shared-unshare-SIGHAND", "OK", cloneCall(CloneSighand), CondMMShared),
		on("sighand-shared-unshare-SIGHAND", "EINVAL", cloneCall(CloneSighand), CondSighandShared, CondMMShared),
		on("unshare-NEWNS|FS", "OK", cloneCall(CloneNewNS|CloneFS)),
		on("unshare-NEWUSER|FS", "OK", cloneCall(CloneNewUser|CloneFS)),
		on("unshare-NEWIPC|SYSVSEM", "OK", cloneCall(CloneNewIPC|CloneSysvsem)),
		on("unshare-NEWUSER-chroot", "EPERM", cloneCall(CloneNewUser), CondChrooted),
		on("unshare-NEWUSER-nproc-1", "OK", cloneCall(CloneNewUser), CondNprocReached),
		ofUser(on("unpriv-unshare-NEWUSER|NEWNS", "OK", cloneCall(CloneNewUser|CloneNewNS))),
		ofUser(on("unpriv-unshare-NEWNS|PIDFD", "EINVAL", cloneCall(CloneNewNS|ClonePidfd))),
		ofUser(on("unpriv-unshare-EMPTY_MNTNS", "EINVAL, 7.1 EPERM", cloneCall(CloneParentSetTid))),
		ofUser(on("deb-userns0-unpriv-unshare-NEWUSER", "EPERM", cloneCall(CloneNewUser), CondUsernsCloneOff)),
	}
	for f := range FlagsIn(CloneVfork | ClonePtrace | CloneUntraced | CloneSetTLS | CloneIO | CloneChildClearTid | CloneClearSighand | CloneIntoCgroup) {
		all = append(all, on("unshare-"+f.Short, "EINVAL", cloneCall(f.Value)))
	}
	for bit := 32; bit < 64; bit++ {
		all = append(all, on(fmt.Sprintf("unshare-bit%d", bit), "EINVAL", cloneCall(1<<bit)))
	}
	return all
}

func TestPredictStated(t *testing.T) {
	releases, _ := readObserved(t)
	releases = append(releases, "7.0.4+deb13-cloud-amd64", "7.1.3+deb13-cloud-amd64", "7.1.8+deb13-cloud-amd64")
	for _, list := range [][]stated{statedFlags, statedRecent, statedSizes, statedTids, statedStates, nested(), statedUnshare()} {
		for _, c := range list {
			for _, release := range releases {
				checkStated(t, c, release)
			}
		}
	}
}

func checkStated(t *testing.T, c stated, release string) {
	t.Helper()
	want, change, _ := strings.Cut(c.want, ", ")
	if since, later, changed := strings.Cut(change, " "); changed {
		v, _, err := ParseRelease(release)
		first, _, err2 := ParseRelease(since + ".0")
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if !v.Before(first) {
			want = later
		}
	}
	c.release = release
	s := c.conditions()
	c.checkAnswer(t, &s, want)
}

// checkAnswer asks the rules of the case's release, and wants OK or an error's name.
func (c *ruleCase) checkAnswer(t *testing.T, s *State, want string) {
	t.Helper()
	traits, err := c.traits()
	if err != nil {
		t.Fatal(err)
	}
	p := Predict(&c.request, s, traits)
	if strings.Contains(c.name, "unshare-") {
		p = PredictUnshare(c.request.Flags, s, traits)
	}
	got := "OK"
	if p.Outcome == OutcomeRefused {
		got = p.Rule.Errno.Name()
	}
	if p.Outcome == OutcomeOpen || got != want {
		t.Errorf("%s on %s: %v %v, want %s (open: %v)", c.name, c.release, p.Outcome, got, want, p.Open.List())
	}
}
