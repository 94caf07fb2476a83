// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// refusedRecord failed at pids.max of a cgroup above its own, and in a user namespace.
func refusedRecord() decode.Record {
	r := named(decode.Record{
		Have: decode.HaveFlags | decode.HaveExitSignal, Entry: decode.EntryClone, Flags: decode.CloneSysvsem, ExitSignal: 17,
		Pid: 5, Tid: 5, PPid: 1, Result: -int32(decode.EAGAIN), Layer: decode.LayerCopyProcess,
	}, "job")
	e := &r.Evidence
	e.Known = decode.KnownCreator | decode.KnownPids | decode.KnownParentChain | decode.KnownNproc | decode.KnownPidns | decode.KnownPidnsLast | decode.KnownFullest | decode.KnownNprocLevel | decode.KnownNprocAll
	e.NprocNS, e.NprocUID = 10, 1000
	e.PidsCgroup, e.PidsCount, e.PidsLimit, e.PidsUp, e.PidsLevels = 2, 20, 20, 1, 2
	e.Pids = [decode.CgroupDepth]decode.PidsLevel{{Cgroup: 3, Count: 5, Limit: noPids}, {Cgroup: 2, Count: 20, Limit: 20}}
	e.NprocCount, e.NprocLimit, e.NprocUp, e.NprocLevels = 7, 4096, 1, 2
	e.Nproc = [decode.UsernsDepth]decode.NprocLevel{{Count: 1, Limit: 1<<64 - 1, NS: 11, UID: 100000}, {Count: 7, Limit: 4096, NS: 10, UID: 1000}}
	e.PidnsAllocated, e.PidnsInit, e.PidnsLast, e.PidnsMax = 1<<31|200, true, 4711, 32768
	e.FullestPidns, e.FullestUsed, e.FullestMax = 12, 300, 32768
	return r
}

func refusedSystem(*decode.Record) *decode.System {
	return &decode.System{Threads: 300, MaxThreads: 30000, PidMax: 32768, Known: decode.ConditionsOf(decode.CondLSMTask, decode.CondSchedExtFails)}
}

var pidsPaths = Cgroups{Pids: func(id uint64) (string, bool) {
	path, ok := map[uint64]string{2: "/ci", 3: "/ci/job-7"}[id]
	return path, ok
}}

// refusedText is the record as -v shows it.
func refusedText(t *testing.T, r *decode.Record, verbose bool) string {
	t.Helper()
	var out bytes.Buffer
	text := NewText(&out, &out, TextOptions{Times: TimeNone, Verbose: verbose, Cgroups: pidsPaths, System: refusedSystem})
	if err := text.Creation(r); err != nil {
		t.Fatal(err)
	}
	if err := text.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestReasonText(t *testing.T) {
	with := func(change func(*decode.Record)) decode.Record {
		r := refusedRecord()
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		record  decode.Record
		verbose bool
		want    []string
	}{
		"who refused whom": {refusedRecord(), false, []string{"pids.max of /ci reached: 20 of 20 (creator in /ci/job-7) (deduced)"}},
		"a target's": {with(func(r *decode.Record) { r.Entry, r.Flags = decode.EntryClone3, decode.CloneIntoCgroup }), false,
			[]string{"reached: 20 of 20 (child in /ci/job-7)"}},
		"all limits": {refusedRecord(), true, []string{
			" nproc=user_ns:11:1/max,user_ns:10:7/4096 pids=/ci/job-7:5/max,/ci:20/20; read later: threads=300 threads_max=30000",
			" pid_ns_max=32768 pid_ns_last=4711",
		}},
		"which user namespace": {with(func(r *decode.Record) { r.UID, r.Evidence.NprocCount, r.Evidence.PidsCount = 1000, 4096, 1 }), false,
			[]string{"user 1000 has 4096 processes and threads, and RLIMIT_NPROC is 4096 in user namespace 10, counted 1 user namespace above its own"}},
		"two, each with its sentence": {with(func(r *decode.Record) { r.Evidence.NprocCount, r.UID = 4096, 1000 }), false, []string{
			"not known which: nproc-limit (The user has as many", "), pids-limit (The cgroup of the child, or one above it, has",
		}},
		"the flag that it is about": {with(func(r *decode.Record) {
			r.Flags, r.Result = decode.CloneNewIPC|decode.CloneSysvsem, -int32(decode.EINVAL)
		}), false, []string{"SYSVSEM|NEWIPC", "CLONE_SYSVSEM shares semaphore operations"}},
		"a number of a filter's": {with(func(r *decode.Record) { r.Layer, r.Result = decode.LayerSeccomp, -513 }), false,
			[]string{"✗ ERESTARTNOINTR", "filter"}},
		"a count that is below its limit by now": {with(func(r *decode.Record) { r.Evidence.PidsCount = 19 }), false,
			[]string{"pids.max of /ci probably reached: a moment later 19 of 20 (creator in /ci/job-7)"}},
		"who the creator is, and who sent it a signal": {with(func(r *decode.Record) {
			e := &r.Evidence
			e.Known |= decode.KnownSender
			e.SenderSignal, e.SenderPid, e.SenderUID = 10, 77, 1000
			r.FactsKnown = 1<<decode.FactCreatorNSInit | 1<<decode.FactCreatorForeignPidNS
			r.Facts = 1 << decode.FactCreatorNSInit
		}), true, []string{" ns_init; SIGUSR1 from process 77 of uid 1000 nproc="}},
		"a number that is none": {decode.Record{Result: -300, Have: decode.HaveFlags}, false, []string{"✗ errno 300"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := refusedText(t, &c.record, c.verbose)
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in:\n%s", want, got)
				}
			}
		})
	}
}

// TestReasonJSON: the object is as the schema has it, and its meaning says what its reason says.
func TestReasonJSON(t *testing.T) {
	var out bytes.Buffer
	j := NewJSON(&out, pidsPaths, refusedSystem)
	r := refusedRecord()
	if err := j.Creation(&r); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(); err != nil {
		t.Fatal(err)
	}
	testkit.ValidateLine(t, testkit.Schema(t), out.Bytes())
	var got struct {
		Meaning string
		Reason  struct{ ID, Text string }
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Reason.ID != "pids-limit" || got.Meaning != got.Reason.Text {
		t.Errorf("%+v", got)
	}
	const want = `"nproc":[{"user_ns":11,"uid":100000,"count":1},{"user_ns":10,"uid":1000,"count":7,"limit":4096}],` +
		`"pids":[{"cgroup_id":3,"cgroup":"/ci/job-7","count":5},{"cgroup_id":2,"cgroup":"/ci","count":20,"limit":20}],` +
		`"read_later":{"threads":300,"threads_max":30000}`
	if !strings.Contains(out.String(), want) {
		t.Errorf("no %s in\n%s", want, &out)
	}
}
