// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// optionalFields are what a record of a success need not have, and the bit that says it has.
var optionalFields = []struct {
	name  string
	have  decode.Have
	value func(*decode.Record) uint64
}{
	{"duration", decode.HaveDuration, func(r *decode.Record) uint64 { return r.Duration }},
	{"stack", decode.HaveStack, func(r *decode.Record) uint64 { return r.Stack }},
	{"exit_signal", decode.HaveExitSignal, func(r *decode.Record) uint64 { return uint64(r.ExitSignal) }},
	{"cgroup_fd", decode.HaveCgroupFD, func(r *decode.Record) uint64 { return uint64(r.CgroupFD) }},
	{"stack_size", decode.HaveStackSize, func(r *decode.Record) uint64 { return r.StackSize }},
	{"parent_tidptr", decode.HaveParentTidptr, func(r *decode.Record) uint64 { return r.ParentTidptr }},
	{"child_tidptr", decode.HaveChildTidptr, func(r *decode.Record) uint64 { return r.ChildTidptr }},
	{"tls", decode.HaveTLS, func(r *decode.Record) uint64 { return r.TLS }},
	{"pidfd", decode.HavePidfd, func(r *decode.Record) uint64 { return r.Pidfd }},
	{"fn", decode.HaveFn, func(r *decode.Record) uint64 { return r.Fn }},
	{"set_tid_size", decode.HaveSetTid, func(r *decode.Record) uint64 { return uint64(r.SetTidSize) }},
	{"set_tid[7]", decode.HaveSetTid, func(r *decode.Record) uint64 { return uint64(r.SetTid[decode.SetTidMax-1]) }},
	{"leader_signal", decode.HaveLeader, func(r *decode.Record) uint64 { return uint64(r.LeaderSignal) }},
	{"cgroup_id", decode.HaveCgroup, func(r *decode.Record) uint64 { return r.CgroupID }},
	{"child_cgroup_id", decode.HaveChildCgroup, func(r *decode.Record) uint64 { return r.ChildCgroupID }},
	{"pid_ns", decode.HaveNamespaces, func(r *decode.Record) uint64 { return uint64(r.PidNS) }},
	{"mnt_ns", decode.HaveNamespaces, func(r *decode.Record) uint64 { return uint64(r.MntNS) }},
	{"child_pid_ns", decode.HaveChildDetails, func(r *decode.Record) uint64 { return uint64(r.ChildPidNS) }},
	{"child_ptrace", decode.HaveChildDetails, func(r *decode.Record) uint64 { return uint64(r.ChildPtrace) }},
	{"ns_pids[7]", 0, func(r *decode.Record) uint64 { return uint64(r.NSPids[decode.NSPidsMax-1]) }},
	{"facts", 0, func(r *decode.Record) uint64 { return uint64(r.Facts &^ r.FactsKnown) }},
}

// written are fields that every success has, by what they must be for a load whose processes
// are all in one pid namespace and traced by nobody; some only where there are details.
var written = []struct {
	name    string
	details bool
	ok      func(*decode.Record) bool
}{
	{"facts", false, func(r *decode.Record) bool { return r.FactsKnown != 0 && r.FactsKnown>>len(decode.Facts) == 0 }},
	{"child_level", false, func(r *decode.Record) bool { return r.ChildLevel == 0 }},
	{"child_exit_signal", false, func(r *decode.Record) bool { return r.ChildExitSignal >= -1 && r.ChildExitSignal <= 64 }},
	{"uid", false, func(r *decode.Record) bool { return r.UID == 0 && r.GID == 0 }},
	{"start_time", false, func(r *decode.Record) bool { return r.StartTime < r.ChildStartTime && r.Time == r.ChildStartTime }},
	{"ns_pids", true, func(r *decode.Record) bool { return r.NSPids == [decode.NSPidsMax]uint32{uint32(r.Result)} }},
	{"child_ptrace", true, func(r *decode.Record) bool { return r.ChildPtrace == 0 }},
	{"child_ppid", true, func(r *decode.Record) bool { return r.ChildPPid == r.Pid || r.ChildPPid == r.PPid }},
	{"child_ptid", true, func(r *decode.Record) bool { return r.ChildPTid != 0 && r.ChildPTid < 1<<22 }},
	{"cap_effective", true, func(r *decode.Record) bool { return r.CapEffective == 0 }},
	{"creator_level", true, func(r *decode.Record) bool { return r.CreatorLevel == 0 }},
	{"cgroup_id", true, func(r *decode.Record) bool { return r.CgroupID == r.ChildCgroupID }},
	{"pid_ns", true, func(r *decode.Record) bool { return r.PidNS != 0 && r.PidNS == r.ChildPidNS }},
	{"user_ns", true, func(r *decode.Record) bool { return r.UserNS>>28 >= 0xe && r.MntNS>>28 >= 0xe }}, // include/linux/proc_ns.h
	{"child_tls", true, func(r *decode.Record) bool { return r.ChildTLS < 1<<57 }},
	{"child_tid pointers", true, func(r *decode.Record) bool { return r.ChildSetChildTid < 1<<57 && r.ChildClearChildTid < 1<<57 }},
}

// load is the name of the tasks that written is about.
const load = "ft-written"

// clearChecker finds what is not there and not 0 either, and what is not as it must be.
type clearChecker struct {
	details             bool
	successes, failures int
	ours                int // successes of the load
	dirty               []string
}

func (h *clearChecker) Creation(r *decode.Record) error {
	if r.Failed() {
		h.failures++
		return nil
	}
	h.successes++
	for i := range optionalFields {
		f := &optionalFields[i]
		if v := f.value(r); v != 0 && (f.have == 0 || r.Have&f.have == 0) && !slices.Contains(h.dirty, f.name) {
			h.dirty = append(h.dirty, f.name)
		}
	}
	if string(r.CommBytes()) != load {
		return nil
	}
	h.ours++
	for i := range written {
		f := &written[i]
		if (h.details || !f.details) && !f.ok(r) && !slices.Contains(h.dirty, f.name) {
			h.dirty = append(h.dirty, f.name)
		}
	}
	return nil
}

func (h *clearChecker) Resumed(*decode.Resumed) error { return nil }
func (h *clearChecker) Lost(uint32, uint64) error     { return nil }
func (h *clearChecker) Idle() (bool, error)           { return true, nil }

// TestAbsentIsZero: what a success has not is 0 in its record, and what it has is its own, whatever
// was in the ring before: failures, with their evidence, are written over.
func TestAbsentIsZero(t *testing.T) {
	testkit.NeedRoot(t)
	for _, details := range []bool{false, true} {
		t.Run(fmt.Sprintf("details=%v", details), func(t *testing.T) {
			tr, err := New(Options{Plan: Plan(os.Getenv("FORKTRACE_PLAN")), Details: details, BufferSize: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := tr.Close(); err != nil {
					t.Error(err)
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			h := clearChecker{details: details}
			ended := make(chan error, 1)
			go func() { ended <- tr.Read(ctx, &h) }()
			testkit.Output(t, exec.Command(testkit.Named(t, load), "load", "2", "2000"))
			testkit.Output(t, exec.Command(testkit.Creations(t), "cases", "calls", "raw"))
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if h.ours < 1000 || h.failures < 250 {
				t.Errorf("only %d successes of the load, %d in all, and %d failures were read", h.ours, h.successes, h.failures)
			}
			if h.dirty != nil {
				t.Errorf("leftovers in %v", h.dirty)
			}
		})
	}
}
