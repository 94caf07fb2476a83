// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/forktrace/forktrace/decode"
)

// haveNames are the groups of fields by their names in bpf/event.h.
var haveNames = map[string]decode.Have{
	"flags": decode.HaveFlags, "exit_signal": decode.HaveExitSignal, "stack": decode.HaveStack,
	"stack_size": decode.HaveStackSize, "parent_tidptr": decode.HaveParentTidptr,
	"child_tidptr": decode.HaveChildTidptr, "tls": decode.HaveTLS, "pidfd": decode.HavePidfd,
	"set_tid": decode.HaveSetTid, "cgroup_fd": decode.HaveCgroupFD, "fn": decode.HaveFn,
	"duration": decode.HaveDuration, "child": decode.HaveChild, "child_tls": decode.HaveChildTLS,
	"cgroup": decode.HaveCgroup, "child_cgroup": decode.HaveChildCgroup,
	"start_time": decode.HaveStartTime, "namespaces": decode.HaveNamespaces, "reread": decode.HaveReread,
	"child_details": decode.HaveChildDetails, "stages": decode.HaveStages,
	"creator_details": decode.HaveCreatorDetails, "leader": decode.HaveLeader,
}

// knownNames are the parts of the evidence by their names in bpf/event.h.
var knownNames = map[string]uint64{
	"creator": uint64(decode.KnownCreator), "signals": uint64(decode.KnownSignals), "nproc": uint64(decode.KnownNproc),
	"pids": uint64(decode.KnownPids), "pidns": uint64(decode.KnownPidns), "chroot": uint64(decode.KnownChroot),
	"unmapped": uint64(decode.KnownUnmapped), "memory": uint64(decode.KnownMemory), "args": uint64(decode.KnownArgs),
	"target": uint64(decode.KnownTarget), "parent_chain": uint64(decode.KnownParentChain),
	"files": uint64(decode.KnownFiles), "set_tid": uint64(decode.KnownSetTid), "sender": uint64(decode.KnownSender), "pgtables": uint64(decode.KnownPgtables),
	"reset": uint64(decode.KnownReset), "target_access": uint64(decode.KnownTargetAccess), "pidns_last": uint64(decode.KnownPidnsLast), "mm": uint64(decode.KnownMM), "perf": uint64(decode.KnownPerf), "threads": uint64(decode.KnownThreads), "fullest": uint64(decode.KnownFullest), "committed": uint64(decode.KnownCommitted), "commit_limit": uint64(decode.KnownCommitLimit), "nr_open": uint64(decode.KnownNrOpen), "nproc_level": uint64(decode.KnownNprocLevel), "nproc_all": uint64(decode.KnownNprocAll),
}

// enums are the tables of Go that mirror an enum of C.
var enums = []struct {
	c, prefix string
	max       bool // it ends with MAX, the number of the others
	values    func() map[string]uint64
}{
	{"entry", "ENTRY_", false, func() map[string]uint64 { return named(decode.Entry.String) }},
	{"layer", "LAYER_", false, func() map[string]uint64 { return named(decode.Layer.String) }},
	{"have", "HAVE_", false, haveValues},
	{"evidence_known", "KNOWN_", false, func() map[string]uint64 { return knownNames }},
	{"tail", "TAIL_", false, func() map[string]uint64 {
		return map[string]uint64{"zero": uint64(decode.TailZero), "nonzero": uint64(decode.TailNonzero), "fault": uint64(decode.TailFault), "open": 3}
	}},
	{"over", "OVER_", false, func() map[string]uint64 {
		return map[string]uint64{"unknown": uint64(decode.OverUnknown), "not": uint64(decode.OverNot), "limit": uint64(decode.OverLimit)}
	}},
	{"fact", "FACT_", true, factValues},
	{"class", "CLASS_", true, func() map[string]uint64 {
		return map[string]uint64{"created": classCreated, "failed": classFailed, "restarted": classRestarted}
	}},
}

// named lists the names of 0, 1, … until one is that of 0 again: then the table has ended.
func named[E ~uint8](name func(E) string) map[string]uint64 {
	values := map[string]uint64{name(0): 0}
	for e := E(1); name(e) != name(0); e++ {
		values[name(e)] = uint64(e)
	}
	return values
}

func haveValues() map[string]uint64 {
	values := map[string]uint64{}
	for name, bit := range haveNames {
		values[name] = uint64(bit)
	}
	return values
}

func factValues() map[string]uint64 {
	values := map[string]uint64{}
	for i, f := range decode.Facts {
		name := f.Name
		if f.Group == decode.FactOfCreator {
			name = "creator_" + name
		}
		values[name] = uint64(i)
	}
	return values
}

// TestEnums compares names and numbers of every enum with its table in Go, both ways.
func TestEnums(t *testing.T) {
	forEachObject(t, func(t *testing.T, types *btf.Spec) {
		for _, e := range enums {
			var enum *btf.Enum
			if err := types.TypeByName(e.c, &enum); err != nil {
				t.Errorf("enum %s: %v", e.c, err)
				continue
			}
			want := maps.Clone(e.values())
			if e.max {
				want["max"] = uint64(len(want))
			}
			got := map[string]uint64{}
			for _, v := range enum.Values {
				got[strings.ToLower(strings.TrimPrefix(v.Name, e.prefix))] = v.Value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("enum %s (-Go +C):\n%s", e.c, diff)
			}
		}
	})
}

// TestFactTableOrder checks what FactSet.Has relies on: the index in the table is the bit.
func TestFactTableOrder(t *testing.T) {
	names := map[string]decode.Fact{}
	for i, f := range decode.Facts {
		if int(f.Fact) != i {
			t.Errorf("row %d of decode.Facts is %s, whose bit is %d", i, f.Name, f.Fact)
		}
		key := fmt.Sprint(f.Group, f.Name)
		if other, ok := names[key]; ok {
			t.Errorf("facts %d and %d would have one JSON key %q", other, f.Fact, f.Name)
		}
		names[key] = f.Fact
	}
}
