// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// observed are the requests of testdata/clone-outcomes.tsv, whose names say all of them.
// They were made by root of the machine unless they begin with unpriv.
var observed = []ruleCase{
	{name: "pid1:clone-PARENT", request: cloneCall(CloneParent), given: []Condition{CondPidInit}},
	{name: "pid1:clone3-PARENT", request: clone3Call(CloneParent), given: []Condition{CondPidInit}},
	{name: "clone-NEWNS|FS", request: cloneCall(CloneNewNS | CloneFS)},
	{name: "clone-THREAD-no-SIGHAND", request: cloneCall(CloneThread)},
	{name: "clone-PARENT-child-of-init", request: cloneCall(CloneParent)},
	{name: "clone-thread-exitsig", request: signalled(cloneCall(thread), 17)},
	{name: "clone-thread-NEWPID", request: cloneCall(thread | CloneNewPid)},
	{name: "clone-thread-NEWNS", request: cloneCall(thread | CloneNewNS)},
	{name: "clone-SIGHAND-VM-NEWPID", request: cloneCall(CloneSighand | CloneVM | CloneNewPid)},
	{name: "clone-DETACHED", request: cloneCall(CloneDetached)},
	{name: "clone-PIDFD", request: cloneCall(ClonePidfd)},
	{name: "clone-PIDFD|THREAD", request: cloneCall(ClonePidfd | thread)},
	{name: "clone-exitsig-65", request: signalled(cloneCall(0), 65)},
	{name: "clone-exitsig-255", request: cloneCall(255)},
	{name: "clone-thread-exitsig-255", request: cloneCall(thread | 255)},
	{name: "clone-high32-EMPTY_MNTNS", request: cloneCall(CloneEmptyMntNS)},
	{name: "unpriv-clone-NEWIPC|SYSVSEM", request: cloneCall(CloneNewIPC | CloneSysvsem)},
	{name: "root-clone-NEWNS", request: cloneCall(CloneNewNS)},
	{name: "root-clone-NEWUTS", request: cloneCall(CloneNewUTS)},
	{name: "root-clone-NEWIPC", request: cloneCall(CloneNewIPC)},
	{name: "root-clone-NEWPID", request: cloneCall(CloneNewPid)},
	{name: "root-clone-NEWNET", request: cloneCall(CloneNewNet)},
	{name: "root-clone-NEWCGROUP", request: cloneCall(CloneNewCgroup)},
	{name: "root-clone-NEWUSER", request: cloneCall(CloneNewUser)},
	{name: "root-clone-NEWUSER|PID|NS", request: cloneCall(CloneNewUser | CloneNewPid | CloneNewNS)},
	{name: "unpriv-NEWNS|FS(order)", request: cloneCall(CloneNewNS | CloneFS)},
	{name: "clone-UNTRACED|PTRACE", request: cloneCall(CloneUntraced | ClonePtrace)},
	{name: "clone-SETTLS-0x7fffffffe000", request: tls(0x7fffffffe000)},
	{name: "clone-PARENT_SETTID-badptr", request: but(cloneCall(CloneParentSetTid), func(r *Request) { r.ParentTid = 8 })},
	{name: "clone-PIDFD-badptr", request: badPidfd(cloneCall(ClonePidfd))},
	{name: "unshare(NEWPID)+clone-NEWPID", request: cloneCall(CloneNewPid), given: []Condition{CondForeignPidNS, CondPidNSEmpty}},
	{name: "unshare(NEWPID)+fork,init-dead,fork", request: Request{Entry: EntryFork}, given: []Condition{CondForeignPidNS, CondPidNSDead}},
	{name: "unshare(NEWTIME)+thread", request: cloneCall(thread), given: []Condition{CondForeignTimeNS}},
	{name: "unshare(NEWTIME)+VM|NEWUTS", request: cloneCall(CloneVM | CloneNewUTS), given: []Condition{CondForeignTimeNS}},
	{name: "NEWUSER-multithreaded-caller", request: cloneCall(CloneNewUser)},
	{name: "clone3-size64", request: sized(64, TailZero)},
	{name: "clone3-size80", request: sized(80, TailZero)},
	{name: "clone3-size96-zero", request: sized(96, TailZero)},
	{name: "clone3-size0", request: sized(0, TailZero)},
	{name: "clone3-NULL-size63", request: but(sized(63, TailZero), func(r *Request) { r.ArgsFault = Yes })},
	{name: "clone3-settid-null-size1", request: but(clone3Call(0), func(r *Request) { r.SetTidSize = 1 })},
	{name: "clone3-settid-badptr", request: but(tids(0, 5), func(r *Request) { r.SetTidFault = Yes })},
	{name: "clone3-exitsig-65", request: signalled(clone3Call(0), 65)},
	{name: "clone3-exitsig-1<<32", request: signalled(clone3Call(0), 1<<32)},
	{name: "clone3-bit35", request: clone3Call(1 << 35)},
	{name: "clone3-bit37", request: clone3Call(1 << 37)},
	{name: "clone3-bit39", request: clone3Call(1 << 39)},
	{name: "clone3-DETACHED", request: clone3Call(CloneDetached)},
	{name: "clone3-NEWTIME", request: clone3Call(CloneNewTime)},
	{name: "clone3-NEWTIME|VM|VFORK", request: clone3Call(CloneNewTime | vforkFlags)},
	{name: "clone3-CLEAR_SIGHAND", request: clone3Call(CloneClearSighand)},
	{name: "clone3-thread-exitsig", request: signalled(clone3Call(thread), 17)},
	{name: "clone3-PARENT", request: clone3Call(CloneParent)},
	{name: "clone3-stack-no-size", request: stacked(somewhere, 0)},
	{name: "clone3-stack-ok", request: stacked(somewhere, 4096)},
	{name: "clone3-PIDFD+PARENT_SETTID", request: clone3Call(ClonePidfd | CloneParentSetTid)},
	{name: "clone3-PIDFD|thread", request: clone3Call(ClonePidfd | thread)},
	{name: "settid-busy", request: tids(0, 2), state: busy(0)},
	{name: "settid-zero", request: tids(0, 0)},
	{name: "settid-30000", request: tids(0, 30000)},
	{name: "settid-unpriv-too-big", request: tids(0, 1<<30), user: true},
	{name: "settid-NEWPID-{1,busy}", request: tids(CloneNewPid, 1, 2), state: busy(1)},
	{name: "settid-NEWPID-{1,toobig}", request: tids(CloneNewPid, 1, 1<<30)},
	{name: "settid-unpriv-NEWUSER|NEWPID-{1}", request: tids(CloneNewUser|CloneNewPid, 1), user: true},
	{name: "c3-AUTOREAP|PARENT", request: clone3Call(CloneAutoreap | CloneParent)},
	{name: "c3-NNP|thread", request: clone3Call(CloneNNP | thread)},
	{name: "c3-AUTOKILL|PIDFD-no-AUTOREAP", request: clone3Call(ClonePidfdAutokill | ClonePidfd)},
	{name: "unpriv-c3-AUTOKILL|PIDFD|AUTOREAP", request: clone3Call(ClonePidfdAutokill | ClonePidfd | CloneAutoreap)},
	{name: "unpriv-c3-AUTOKILL|..|NEWUSER", request: clone3Call(ClonePidfdAutokill | ClonePidfd | CloneAutoreap | CloneNewUser)},
	{name: "unpriv-c3-EMPTY_MNTNS", request: clone3Call(CloneEmptyMntNS)},
	{name: "into-badfd(-1=>2^64-1)", request: into(0, 1<<64-1)},
	{name: "into-notcgroup", request: into(0, 3), given: []Condition{CondCgroupBadFD}},
	{name: "into-ok-O_PATH", request: into(0, 3)},
	{name: "into|thread", request: into(thread, 3), given: []Condition{CondCgroupOtherDomain}},
	{name: "into-cgroup>INT_MAX", request: into(0, 1<<31)},
	{name: "into-internal-node", request: into(0, 3)},
	{name: "into-domain-invalid", request: into(0, 3), given: []Condition{CondCgroupInvalid}},
	{name: "into-threaded-thread", request: into(thread, 3), given: []Condition{CondCgroupOtherDomain}},
	{name: "unpriv-into-badfd|NEWNET(order)", request: into(CloneNewNet, 99), given: []Condition{CondCgroupBadFD}},
	{name: "nproc-2", request: cloneCall(0), user: true},
	{name: "nproc-1-thread", request: cloneCall(thread), user: true, given: []Condition{CondNprocReached}},
	{name: "nproc-1-NEWUSER", request: cloneCall(CloneNewUser), user: true, given: []Condition{CondNprocReached}},
	{name: "sched-deadline", request: cloneCall(0), given: []Condition{CondDeadline}},
	{name: "threads-max=20", request: cloneCall(0), given: []Condition{CondMaxThreadsReached}},
	{name: "max_net_namespaces=0", request: cloneCall(CloneNewNet), given: []Condition{CondNetQuota}},
	{name: "deb-userns0-unpriv-NEWUSER|FS", request: cloneCall(CloneNewUser | CloneFS), user: true, given: []Condition{CondUsernsCloneOff}},
	{name: "deb-userns0-unpriv-NEWUSER|THREAD-noSIGHAND", request: cloneCall(CloneNewUser | CloneThread), user: true, given: []Condition{CondUsernsCloneOff}},
	{name: "first-fork-fails-in-new-pidns,fork", request: Request{Entry: EntryFork}, given: []Condition{CondForeignPidNS, CondPidNSEmpty, CondPidNSSpoilt}},
	{name: "order:deadline+unprivNEWNET", request: cloneCall(CloneNewNet), user: true, given: []Condition{CondDeadline}},
	{name: "order:settidbusy+pidfdbad", request: badPidfd(tids(ClonePidfd, 2)), state: busy(0)},
	{name: "order:unpriv-NEWIPC|SYSVSEM+badtls", request: but(tls(1<<63), func(r *Request) { r.Flags |= CloneNewIPC | CloneSysvsem }), user: true},
	{name: "thread|PARENT", request: cloneCall(thread | CloneParent)},
	{name: "pidns-init-CLONE_PARENT", request: cloneCall(CloneParent), given: []Condition{CondPidInit}},
	{name: "setns(pid)+thread", request: cloneCall(thread), given: []Condition{CondForeignPidNS}},
	{name: "into-internal-node(memory)", request: into(0, 3), given: []Condition{CondCgroupBusy}},
	{name: "into-v1-cgroup", request: into(0, 3), given: []Condition{CondCgroupBadFD}},
	{name: "into-ancestor-pids.max=0", request: into(0, 3), given: []Condition{CondPidsReached}},
	{name: "clone-PARENT|NEWPID(manpage-EINVAL)", request: cloneCall(CloneParent | CloneNewPid)},
	{name: "thread|NEWCGROUP", request: cloneCall(thread | CloneNewCgroup)},
	{name: "clone3-PIDFD+PARENT_SETTID-both-null", request: but(clone3Call(ClonePidfd|CloneParentSetTid), func(r *Request) { r.Pidfd, r.ParentTid = 0, 0 })},
	{name: "clone-SETTLS-1<<46", request: tls(1 << 46)},
	{name: "clone-SETTLS-1<<48", request: tls(1 << 48)},
	{name: "clone-SETTLS-1<<50", request: tls(1 << 50)},
	{name: "clone-SETTLS-1<<52", request: tls(1 << 52)},
	{name: "clone-SETTLS-1<<54", request: tls(1 << 54)},
	{name: "clone-SETTLS-1<<56", request: tls(1 << 56)},
}

// observedUnshare are the calls of unshare; mt is a process with two threads.
var observedUnshare = []ruleCase{
	{name: "unshare-VM", request: cloneCall(CloneVM)},
	{name: "unshare-FILES", request: cloneCall(CloneFiles)},
	{name: "unshare-THREAD", request: cloneCall(CloneThread)},
	{name: "unpriv-unshare-SYSVSEM", request: cloneCall(CloneSysvsem)},
	{name: "unpriv-unshare-NEWNS", request: cloneCall(CloneNewNS)},
	{name: "unpriv-unshare-NEWTIME", request: cloneCall(CloneNewTime)},
	{name: "unpriv-unshare-NEWPID", request: cloneCall(CloneNewPid)},
	{name: "unpriv-unshare-NEWUSER", request: cloneCall(CloneNewUser)},
	{name: "unshare-PIDFD", request: cloneCall(ClonePidfd)},
	{name: "unshare-PARENT", request: cloneCall(CloneParent)},
	{name: "unshare-PARENT_SETTID/EMPTY_MNTNS", request: cloneCall(CloneParentSetTid)},
	{name: "unshare-DETACHED", request: cloneCall(CloneDetached)},
	{name: "unshare-CHILD_SETTID", request: cloneCall(CloneChildSetTid)},
	{name: "unshare-VFORK", request: cloneCall(CloneVfork)},
	{name: "mt-unshare-SIGHAND", request: cloneCall(CloneSighand)},
	{name: "mt-unshare-NEWUSER", request: cloneCall(CloneNewUser)},
	{name: "mt-unshare-FS", request: cloneCall(CloneFS)},
	{name: "mt-unshare-SYSVSEM", request: cloneCall(CloneSysvsem)},
	{name: "mt-unshare-NEWTIME", request: cloneCall(CloneNewTime)},
	{name: "unshare-raw-bit33", request: cloneCall(1 << 33)},
	{name: "unshare-raw-bit37", request: cloneCall(1 << 37)},
	{name: "unshare-raw-CSIGNAL", request: cloneCall(17)},
	{name: "unshare-raw-0x100000", request: cloneCall(0x100000)},
}

// notUsed are the rows whose names do not say the whole request, with the reason.
var notUsed = map[string]string{
	"pidns-depth-fails-after":      "counts how often a request succeeds: see the cases newpid-32-deep and newpid-33-deep",
	"autoreap-child-PARENT|thread": "up to 7.0 there is no such child, and EPERM is the answer of something else; from 7.1 on see the case parent-from-autoreap",
}

// readObserved reads the table of outcomes: the releases, and for each name the answers.
func readObserved(t *testing.T) (releases []string, answers map[string][]string) {
	t.Helper()
	text, err := os.ReadFile("testdata/clone-outcomes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	answers = map[string][]string{}
	for _, line := range lines[1:] {
		fields := strings.Split(line, "\t")
		answers[fields[0]] = fields[1:]
	}
	return strings.Split(lines[0], "\t")[1:], answers
}

func TestPredictObserved(t *testing.T) {
	releases, answers := readObserved(t)
	if len(releases) != 11 || len(answers) != 131 {
		t.Fatalf("%d releases, %d rows", len(releases), len(answers))
	}
	used := map[string]bool{}
	for _, c := range slices.Concat(observed, observedUnshare) {
		if used[c.name] || answers[c.name] == nil {
			t.Errorf("%s: twice, or not in the table", c.name)
			continue
		}
		used[c.name] = true
		for i, answer := range answers[c.name] {
			c.release = releases[i]
			checkObserved(t, &c, answer)
		}
	}
	for name := range answers {
		if reason := notUsed[name]; used[name] == (reason != "") {
			t.Errorf("%s: used %v, reason not to use it %q", name, used[name], reason)
		}
	}
}

func checkObserved(t *testing.T, c *ruleCase, answer string) {
	t.Helper()
	c.user = c.user || strings.HasPrefix(c.name, "unpriv")
	if strings.HasPrefix(c.name, "mt-") {
		c.given = []Condition{CondMultithreaded}
	}
	s := c.conditions()
	// The machine had five levels of page tables, for which 5.10 was not built.
	if !strings.HasPrefix(c.release, "5.10.") {
		la57(&s)
	}
	c.checkAnswer(t, &s, answer)
}
