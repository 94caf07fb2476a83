// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// eventRules is what must be true of every event, whatever was created.
var eventRules = []struct {
	says  string
	holds func(*testkit.Event) bool
}{
	{"a failure has an errno and a meaning, and no child, shares or call that succeeded", func(e *testkit.Event) bool {
		return e.Result >= 0 || e.Errno != nil && e.Meaning != nil && *e.Meaning != "" && e.Child == nil && e.Shares == nil
	}},
	{"a success has a child and what it shares, and no errno, meaning or layer", func(e *testkit.Event) bool {
		return e.Result < 0 || e.Child != nil && e.Shares != nil && e.Errno == nil && e.Meaning == nil && e.Layer == nil
	}},
	{"the result of a success is the child's tid, outermost in ns_pids", func(e *testkit.Event) bool {
		c := e.Child
		return c == nil || c.Tid == e.Result && len(c.NSPids) == c.NSLevel+1 && c.NSPids[0] == c.Tid
	}},
	{"the first process of a new pid namespace is number 1 in it", func(e *testkit.Event) bool {
		c := e.Child
		return c == nil || !hasFlag(e, "CLONE_NEWPID") || len(c.NSPids) > 1 && c.NSPids[len(c.NSPids)-1] == 1
	}},
	{"a child begins after its creator", func(e *testkit.Event) bool {
		return e.Creator.StartTime != nil && *e.Creator.StartTime > 0 &&
			(e.Child == nil || e.Child.StartTime != nil && *e.Child.StartTime >= *e.Creator.StartTime)
	}},
	{"a thread has its creator's pid and no exit signal, a process its own pid", func(e *testkit.Event) bool {
		switch {
		case e.Child == nil:
			return true
		case hasFlag(e, "CLONE_THREAD"):
			return e.Child.Pid == e.Creator.Pid && e.Child.ExitSignal == nil
		default:
			return e.Child.Pid == e.Child.Tid && e.Child.ExitSignal != nil
		}
	}},
	{"fork and vfork ask for nothing beyond their flags", func(e *testkit.Event) bool {
		return e.Entry != "fork" && e.Entry != "vfork" || e.Request == nil
	}},
	{"clone has no arguments that only clone3 has", func(e *testkit.Event) bool {
		return e.Entry != "clone" || !asksFor(e, "stack_size") && !asksFor(e, "set_tid") && !asksFor(e, "cgroup_fd") && !asksFor(e, "reread")
	}},
	{"pidfd is there if and only if CLONE_PIDFD asks for it", onlyWith("pidfd", decode.ClonePidfd)},
	{"tls is there if and only if CLONE_SETTLS asks for it", onlyWith("tls", decode.CloneSetTLS)},
	{"parent_tid is there if and only if CLONE_PARENT_SETTID asks for it", onlyWith("parent_tid", decode.CloneParentSetTid)},
	{"child_tid is there if and only if a flag asks for it", onlyWith("child_tid", decode.CloneChildSetTid|decode.CloneChildClearTid)},
	{"cgroup_fd is there if and only if CLONE_INTO_CGROUP asks for it", onlyWith("cgroup_fd", decode.CloneIntoCgroup)},
	{"a duration is not zero", func(e *testkit.Event) bool { return e.TookNS == nil || *e.TookNS > 0 }},
	{"a stage is not zero", func(e *testkit.Event) bool { return e.Stage == nil || e.Stage.First != "" }},
	{"flags and their names come together", func(e *testkit.Event) bool { return (e.Flags == nil) == (e.FlagNames == nil) }},
}

// onlyWith is the rule that an argument is there when, and only when, a flag asks for it:
// otherwise its register holds leftovers. It speaks of clone and clone3.
func onlyWith(argument string, flags uint64) func(*testkit.Event) bool {
	return func(e *testkit.Event) bool {
		if e.Flags == nil || e.Entry != "clone" && e.Entry != "clone3" {
			return !asksFor(e, argument)
		}
		bits, _, err := decode.ParseFlags(*e.Flags)
		// bits of the exit signal in clone3's flags are flags, or refused
		return err == nil && asksFor(e, argument) == (bits&flags != 0)
	}
}

func asksFor(e *testkit.Event, argument string) bool {
	_, there := e.Request[argument]
	return there
}

func hasFlag(e *testkit.Event, name string) bool { return slices.Contains(e.FlagNames, name) }
