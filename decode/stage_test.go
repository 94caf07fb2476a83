// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

// TestStageTable: every stage has a name of its own and says what it does, every rule of
// copy_process has its stage, and rules stand in the order of their stages, but for those
// that moved between kernels.
func TestStageTable(t *testing.T) {
	names := map[string]bool{}
	for s, info := range StageTable {
		if info.Name == "" || info.Does == "" || names[info.Name] {
			t.Errorf("stage %d: name %q, does %q", s, info.Name, info.Does)
		}
		names[info.Name] = true
		if Stage(s).String() != info.Name {
			t.Errorf("stage %d is called %q, not %q", s, Stage(s), info.Name)
		}
		if info.Label == "" && Stage(s) != StageFlags && Stage(s) != StageDone {
			t.Errorf("stage %s has no label", info.Name)
		}
	}
	if StageMax.String() != "" {
		t.Errorf("behind the last: %q", StageMax)
	}
	last := StageFlags
	for _, r := range Rules {
		if r.Layer != LayerCopyProcess {
			if r.Stage != 0 {
				t.Errorf("%s of layer %s has stage %s", r.ID, r.Layer, r.Stage)
			}
			continue
		}
		if r.Stage < last {
			t.Errorf("%s of stage %s comes behind %s", r.ID, r.Stage, last)
		}
		last = max(last, r.Stage)
	}
}

// failedIn is a failure of a request whose markers up to a stage were passed.
func failedIn(flags uint64, errno Errno, markers, unwinds, unwound []Stage, passed ...Stage) *Record {
	r := &Record{Entry: EntryClone, Flags: flags, ExitSignal: 17, Result: -int32(errno), Layer: LayerCopyProcess,
		Have: HaveFlags | HaveExitSignal | HaveStages}
	bits := func(list []Stage) (set uint32) {
		for _, s := range list {
			set |= 1 << s
		}
		return set
	}
	r.Progress = Progress{Markers: bits(markers), Unwinds: bits(unwinds), Unwound: bits(unwound)}
	for _, s := range passed {
		r.Progress.At[s] = 100 * uint32(s)
	}
	return r
}

func TestFailedStages(t *testing.T) {
	all := []Stage{StageTask, StageCreds, StageNproc, StagePolicy, StageSched, StageLSM, StageSemundo, StageFiles, StageFS, StageMM,
		StageNamespaces, StageThread, StagePid, StagePidfd, StageCgroup}
	undo := []Stage{StageSemundo, StageFS, StageSighand, StageNamespaces, StagePid}
	files := []Stage{StageSemundo, StageFiles, StageFS}
	late := failedIn(CloneFS, EAGAIN, all, files, files[:1], StageTask, StageSemundo)
	late.Progress.Late = 1 << StageFiles
	behind := failedIn(0, ENOMEM, all, undo, []Stage{StageSemundo, StageFS}, StageTask, StageFS)
	behind.Progress.Unwinds |= 1 << StageFiles
	behind.Progress.Late = 1 << StageFiles
	for name, c := range map[string]struct {
		r           *Record
		first, last Stage
	}{
		"no marker passed":           {failedIn(0, EINVAL, all, undo, nil), StageFlags, StageTask}, // which can fail before its marker
		"between two markers":        {failedIn(0, EAGAIN, all, nil, nil, StageTask, StageCreds, StageNproc), StageNproc, StagePolicy},
		"the stage of a marker":      {failedIn(0, EAGAIN, all, nil, nil, StageTask, StageThread, StagePid), StagePid, StagePidfd},
		"a marker that flags demand": {failedIn(ClonePidfd, EAGAIN, all, nil, nil, StageTask, StagePid), StagePid, StagePid},
		"the way out":                {failedIn(0, ENOMEM, all, undo, []Stage{StageSemundo, StageFS, StageSighand}, StageTask, StageFS), StageSignal, StageMM},
		"not so far on the way out":  {failedIn(0, ENOMEM, all, undo, []Stage{StageSemundo, StageFS}, StageTask, StageFS), StageSighand, StageSighand},
		"without hooks":              {failedIn(0, ENOMEM, nil, nil, nil), StageFlags, StageLink},
		"files undone":               {failedIn(CloneFS, EAGAIN, all, files, files[:2], StageTask, StageSemundo), StageFS, StageFS},
		"files not undone":           {failedIn(CloneFiles, ENOMEM, all, files, files[:1], StageTask, StageSemundo), StageFiles, StageFiles},
		"files undone in the end":    {late, StageFiles, StageFS},
		"behind such":                {behind, StageSighand, StageSighand},
		"files undone by others":     {failedIn(CloneFiles, ENOMEM, all, files, files[1:2], StageTask, StageLSM), StageLSM, StageLSM},
		"files undone, no proof":     {failedIn(CloneFiles, ENOMEM, all, files[1:], files[1:2], StageTask, StageLSM), StageLSM, StageLSM},
	} {
		t.Run(name, func(t *testing.T) {
			first, last, ok := c.r.FailedStages()
			if !ok || first != c.first || last != c.last {
				t.Errorf("%s to %s, %v; want %s to %s", first, last, ok, c.first, c.last)
			}
		})
	}
	within := failedIn(0, EAGAIN, all, nil, nil, StageTask, StageCreds, StageNproc)
	within.Progress.Over = OverNot
	if first, last, _ := within.FailedStages(); first != StageMaxThreads || last != StagePolicy {
		t.Errorf("within RLIMIT_NPROC: %s to %s", first, last)
	}
	success := failedIn(0, 0, all, nil, nil, StageTask, StagePid)
	if _, _, ok := success.FailedStages(); ok {
		t.Error("a success failed in a stage")
	}
}

// TestReasonOfDippedCount: a limit whose count may have been at it is not passed by.
func TestReasonOfDippedCount(t *testing.T) {
	sys := aSystem(t)
	sys.Threads = sys.MaxThreads
	r := failedIn(0, EAGAIN, []Stage{StageTask, StageCreds, StageNproc, StagePolicy}, nil, nil, StageTask, StageCreds, StageNproc)
	r.UID, r.Evidence = 1000, Evidence{Known: KnownNproc | KnownNprocAll | KnownCreator, NprocCount: 7, NprocLimit: 8}
	if reason := ReasonOf(r, &sys); reason.Certainty != Unknown || reason.Count != 2 {
		t.Errorf("%s %s, %d candidates", reason.ID(), reason.Certainty, reason.Count)
	}
}

// TestReasonByStage: what errno and evidence leave open, the stage tells; what it leaves
// open stays so.
func TestReasonByStage(t *testing.T) {
	sys := aSystem(t)
	markers := []Stage{StageTask, StageCreds, StageNproc, StagePolicy, StagePid, StageCgroup, StageSchedClass}
	for _, c := range []struct {
		passed    []Stage
		errno     Errno
		id        string
		certainty Certainty
	}{
		{[]Stage{StageTask, StageCreds, StageNproc, StagePolicy, StagePid, StageCgroup}, EAGAIN, "pids-limit", Certain},
		{[]Stage{StageTask, StageCreds, StageNproc, StagePolicy, StagePid}, EAGAIN, "pid-exhausted", Certain},
		// a scheduler may answer anything in the next stage, which has no marker of its own behind it
		{[]Stage{StageTask, StageCreds, StageNproc, StagePolicy, StagePid, StageCgroup, StageSchedClass}, EAGAIN, "scx-init-task", Deduced},
		{[]Stage{StageTask, StageCreds, StageNproc}, EAGAIN, "nproc-limit", Certain}, // there is room for threads
	} {
		r := failedIn(0, c.errno, markers, nil, nil, c.passed...)
		r.UID, r.Evidence = 1000, Evidence{Known: KnownNproc | KnownNprocAll | KnownPids | KnownParentChain | KnownCreator, NprocCount: 5, NprocLimit: 5, PidsLimit: 10}
		reason := ReasonOf(r, &sys)
		if reason.ID() != c.id || reason.Certainty != c.certainty {
			t.Errorf("passed %v: %s %s %d candidates; want %s %s", c.passed, reason.ID(), reason.Certainty, reason.Count, c.id, c.certainty)
		}
	}
}

// TestReasonDeniedByEvidence: what the evidence speaks against is at most deduced, though no
// other rule of the stage gives the error.
func TestReasonDeniedByEvidence(t *testing.T) {
	sys := aSystem(t)
	sys.Threads = 1
	r := failedIn(0, EAGAIN, []Stage{StageTask, StageCreds, StageNproc, StagePolicy}, nil, nil, StageTask, StageCreds, StageNproc)
	r.Progress.Over = OverLimit // and yet it has the capability
	r.UID, r.Evidence = 1000, Evidence{Known: KnownNproc | KnownNprocAll | KnownCreator, NprocCount: 8, NprocLimit: 8, CapEffective: 1 << 24}
	if reason := ReasonOf(r, &sys); reason.Certainty == Certain || reason.ID() == "max-threads" {
		t.Errorf("%s %s, %d candidates", reason.ID(), reason.Certainty, reason.Count)
	}
}

// TestReasonByAnswer: where RLIMIT_NPROC and threads-max are reached, and the next stage was
// not, the kernel's own answer decides; nobody whom the limit does not bind met it.
func TestReasonByAnswer(t *testing.T) {
	const root = 1 << 24 // CAP_SYS_RESOURCE
	for _, c := range []struct {
		over      Over
		caps      uint64
		id        string
		certainty Certainty
	}{
		{OverUnknown, 0, "", Unknown},
		{OverLimit, 0, "nproc-limit", Certain},
		{OverNot, 0, "max-threads", Certain},
		{OverLimit, root, "max-threads", Certain},
	} {
		sys := aSystem(t)
		sys.Threads = sys.MaxThreads
		r := failedIn(0, EAGAIN, []Stage{StageTask, StageCreds, StageNproc, StagePolicy}, nil, nil, StageTask, StageCreds, StageNproc)
		r.Progress.Over = c.over
		r.UID, r.Evidence = 1000, Evidence{Known: KnownNproc | KnownNprocAll | KnownCreator, NprocCount: 8, NprocLimit: 8, CapEffective: c.caps}
		if reason := ReasonOf(r, &sys); reason.ID() != c.id || reason.Certainty != c.certainty {
			t.Errorf("%d, capabilities %#x: %s %s, %d candidates; want %s %s", c.over, c.caps, reason.ID(), reason.Certainty, reason.Count, c.id, c.certainty)
		}
	}
}

// TestLeftBy: stages that jump to one label have it together; where kernels differ the
// traits of this one tell, or the order in which it was undone; where these do not, none is told.
func TestLeftBy(t *testing.T) {
	older, newer := &System{Traits: TraitNprocLate}, &System{Traits: TraitWorkerPrivate | TraitSchedCancelFork}
	undo := []Stage{StageSemundo, StageFiles, StageFS, StageSighand}
	inOrder := failedIn(CloneFS, EAGAIN, nil, undo, []Stage{StageSemundo, StageFiles})
	late := failedIn(CloneFS, EAGAIN, nil, undo, []Stage{StageSemundo})
	late.Progress.Late = 1 << StageFiles
	unseen := failedIn(CloneFS, EAGAIN, nil, undo[:1], undo[:1])
	noSysV := failedIn(CloneFS, EAGAIN, nil, undo[1:], undo[1:2])
	for _, c := range []struct {
		r           *Record
		sys         *System
		first, last Stage
		label       string
	}{
		{unseen, nil, StagePid, StagePid, "bad_fork_cleanup_thread"},
		{failedIn(ClonePidfd, EMFILE, nil, nil, nil), nil, StagePidfd, StagePidfd, "bad_fork_free_pid"},
		{failedIn(ClonePidfd, EFAULT, nil, nil, nil), nil, StagePidfd, StagePidfd, "bad_fork_put_pidfd"},
		{unseen, older, StageNproc, StageMaxThreads, "bad_fork_cleanup_count"},
		{unseen, older, StageNproc, StagePolicy, ""},
		{unseen, older, StagePolicy, StagePolicy, "bad_fork_cleanup_threadgroup_lock"},
		{unseen, newer, StagePolicy, StagePolicy, "bad_fork_cleanup_delayacct"},
		{unseen, older, StagePerf, StagePerf, "bad_fork_cleanup_policy"},
		{unseen, older, StageSched, StagePerf, "bad_fork_cleanup_policy"},
		{unseen, newer, StagePerf, StagePerf, "bad_fork_sched_cancel_fork"},
		{unseen, newer, StageSched, StagePerf, ""},
		{unseen, older, StageFutex, StageLink, "bad_fork_cancel_cgroup"},
		{unseen, newer, StageLink, StageLink, "bad_fork_core_free"},
		{unseen, nil, StageLink, StageLink, ""},
		{unseen, &System{}, StagePerf, StagePerf, ""},
		{unseen, newer, StageFS, StageFS, ""},
		{noSysV, newer, StageFS, StageFS, ""},
		{inOrder, newer, StageFS, StageFS, "bad_fork_cleanup_files"},
		{late, newer, StageFS, StageFS, "bad_fork_cleanup_semundo"},
		{late, newer, StageFiles, StageFS, "bad_fork_cleanup_semundo"},
		{inOrder, newer, StageFiles, StageFS, ""},
		{unseen, newer, StageFlags, StageFlags, ""},
	} {
		if label := c.r.LeftBy(c.first, c.last, c.sys); label != c.label {
			t.Errorf("%s to %s: %q, want %q", c.first, c.last, label, c.label)
		}
	}
}
