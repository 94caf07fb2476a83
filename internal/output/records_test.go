// SPDX-License-Identifier: Apache-2.0

package output

import (
	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/history"
)

// paths are the cgroups of the synthetic records.
func paths(id uint64) (string, bool) {
	path, ok := map[uint64]string{1: "/", 42: "/user.slice/run-\x1b[31m\u202e.scope"}[id]
	return path, ok
}

// A record of each shape, as tests of all formats use them.
var (
	threadRecord = named(decode.Record{
		Time: 5_000_001_234, Seq: 7, Have: knownOfSuccess, Entry: decode.EntryClone3, Layer: decode.LayerNone,
		Flags: 0x3d0f00, Stack: 0x7f00_0000_1000, StackSize: 0x800000, TLS: 0x7f00_0080_06c0,
		ParentTidptr: 0x7f00_0080_0990, ChildTidptr: 0x7f00_0080_0990,
		Pid: 1234, Tid: 1235, PPid: 1, UID: 1000, GID: 1000, StartTime: 4_000_000_000, CgroupID: 1, ChildCgroupID: 1,
		Result: 1300, ChildPid: 1234, ChildPPid: 1, ChildPTid: 1, ChildExitSignal: -1, ChildStartTime: 5_000_001_234,
		NSPids: [decode.NSPidsMax]uint32{1300}, Facts: 1<<decode.FactMM | 1<<decode.FactFiles,
		FactsKnown: 1<<decode.FactMM | 1<<decode.FactFiles | 1<<decode.FactUserNS,
	}, "worker")
	forkRecord = named(decode.Record{
		Time: 5_000_101_234, CPU: 1, Have: decode.HaveFlags | decode.HaveExitSignal | decode.HaveChild | decode.HaveStartTime | decode.HaveChildDetails,
		Entry: decode.EntryFork, Layer: decode.LayerNone, ExitSignal: 17, Pid: 99, Tid: 99, PPid: 98, Result: 100,
		ChildPid: 100, ChildPPid: 99, ChildPTid: 99, ChildExitSignal: 17, StartTime: 1, ChildStartTime: 5_000_101_234,
		NSPids: [decode.NSPidsMax]uint32{100}, FactsKnown: 1 << decode.FactMM,
	}, "bash")
	failedRecord = named(decode.Record{
		Time: 6_000_000_000, Have: decode.HaveFlags | decode.HaveExitSignal | decode.HaveCgroup | decode.HaveStartTime,
		Entry: decode.EntryClone, Flags: decode.CloneNewUser | 1<<45, ExitSignal: 10, Pid: 4194304, Tid: 4194304, PPid: 1,
		UID: 4294967295, CgroupID: 42, Result: -1,
	}, "évil\x1b[2J\\\u202e")
	restartRecord = named(decode.Record{
		Time: 6_000_000_001, Have: decode.HaveFlags | decode.HaveExitSignal, Entry: decode.EntryClone, ExitSignal: 17,
		Pid: 5, Tid: 6, PPid: 1, Result: -513,
	}, "profiled")
	bareRecord = named(decode.Record{ // clone3 with arguments that nobody could read
		Time: 6_500_000_000, Entry: decode.EntryClone3, Pid: 5, Tid: 5, PPid: 1, Result: -14,
	}, "")
	stagedRecord = func() decode.Record { // failed behind alloc_pid, before the cgroup was asked
		r := decode.Record{
			Time: 8_000_000_000, Have: decode.HaveFlags | decode.HaveExitSignal | decode.HaveDuration | decode.HaveStages,
			Entry: decode.EntryFork, ExitSignal: 17, Pid: 5, Tid: 5, PPid: 1, Result: -11, Duration: 2500, Layer: decode.LayerCopyProcess,
		}
		r.Progress.Markers = 1<<decode.StageThread | 1<<decode.StagePid | 1<<decode.StageCgroup
		r.Progress.At[decode.StageThread], r.Progress.At[decode.StagePid] = 1000, 1500
		return named(r, "staged")
	}()
	nestedRecord = func() decode.Record { // all there is, and more levels than there is room for
		r := threadRecord
		r.Have, r.FactsKnown, r.Facts = 1<<23-1, 1<<len(decode.Facts)-1, 1<<decode.FactNSInit
		r.Flags, r.ExitSignal, r.ChildExitSignal = decode.KnownFlags, 64, 0
		r.SetTidSize, r.SetTid = 20, [decode.SetTidMax]int32{1, 2, 3, 4, 5, 6, 7, -8}
		r.CgroupFD, r.CgroupID, r.ChildCgroupID, r.Fn, r.Pidfd, r.Duration = 3, 42, 7, 1<<63, 8, 123
		r.ChildLevel, r.NSPids = 11, [decode.NSPidsMax]uint32{1300, 7, 6, 5, 4, 3, 2, 1}
		r.PidNS, r.UserNS, r.MntNS, r.ChildPidNS = 4026531836, 4026531837, 4026531838, 4026531839
		r.CapEffective, r.LeaderSignal, r.CreatorLevel = 1<<21, 17, 10
		r.ChildSetChildTid, r.ChildClearChildTid, r.ChildTLS = 1, 2, 3
		r.Duration = 90_000
		for s := range decode.StageMax {
			r.Progress.At[s] = 2_500 * uint32(s)
		}
		return r
	}()
)

// aLivelock is one that another process makes, and that has ended.
func aLivelock() *history.Livelock {
	last := restartRecord
	last.Evidence.Known = decode.KnownSender | decode.KnownSignals
	last.Evidence.SenderSignal, last.Evidence.SenderCode, last.Evidence.SenderPid, last.Evidence.SenderUID = 10, 0, 77, 1000
	return &history.Livelock{Last: last, First: last.Time - 1_500_000_000, Count: 37, Signals: 1<<9 | 1<<13, Ended: true, Result: 99}
}

const knownOfSuccess = decode.HaveFlags | decode.HaveExitSignal | decode.HaveStack | decode.HaveStackSize |
	decode.HaveParentTidptr | decode.HaveChildTidptr | decode.HaveTLS | decode.HaveChild | decode.HaveCgroup |
	decode.HaveChildCgroup | decode.HaveStartTime | decode.HaveChildDetails

// allRecords are the records in an order of time.
func allRecords() []decode.Record {
	return []decode.Record{threadRecord, forkRecord, failedRecord, restartRecord, bareRecord, nestedRecord, stagedRecord}
}

func named(r decode.Record, comm string) decode.Record {
	copy(r.Comm[:], comm)
	return r
}
