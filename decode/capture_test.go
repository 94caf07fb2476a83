// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/binary"
	"os"
	"testing"
)

// captured reads the records that tracer's TestCapture wrote with -update, and the traits
// of the kernel that they are of.
func captured(t *testing.T) (records []Record, traits Traits) {
	t.Helper()
	b, err := os.ReadFile("testdata/capture.bin")
	if err != nil {
		t.Fatal(err)
	}
	next := func() []byte {
		n := int(binary.LittleEndian.Uint16(b))
		block := b[2 : 2+n]
		b = b[2+n:]
		return block
	}
	if traits, err = TraitsOf(string(next()), "amd64"); err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		var r Record
		if err := r.Parse(next()); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records, traits
}

// inversions are the observations of flags, with the check that must tell when one is the
// other way round. Those of none are of no flag.
var inversions = []struct {
	flag  uint64
	fact  Fact
	check string
}{
	{CloneVM, FactMM, "mm"}, {CloneFS, FactFS, "fs"}, {CloneFiles, FactFiles, "files"}, {CloneSighand, FactSighand, "sighand"},
	{CloneThread, FactSignal, "signal"}, {CloneThread, FactThreadGroup, "thread-group"}, {CloneSysvsem, FactUndoList, "undo-list"},
	{CloneParent, FactChildOfCreator, "child-of-creator"}, {CloneNewNS, FactMntNS, "mnt-ns"}, {CloneNewUTS, FactUTSNS, "uts-ns"},
	{CloneNewIPC, FactIPCNS, "ipc-ns"}, {CloneNewNet, FactNetNS, "net-ns"}, {CloneNewCgroup, FactCgroupNS, "cgroup-ns"},
	{CloneNewPid, FactPidNS, "pid-ns"}, {CloneNewPid, FactPidNSForChildren, "pid-ns-for-children"}, {CloneNewPid, FactNSInit, "ns-init"},
	{CloneNewUser, FactUserNS, "user-ns"}, {CloneNewTime, FactTimeNSForChildren, "time-ns-for-children"},
	{CloneClearSighand, FactHandlersCleared, "handlers-cleared"}, {CloneIntoCgroup, FactInTargetCgroup, "into-cgroup"},
}

// uncaptured are flags that no record of the capture has, and why.
var uncaptured = map[uint64]string{
	CloneIntoCgroup: "it takes a cgroup of its own",
}

// TestCaptureInverted inverts the observation of one flag at a time in real records: each
// was kept, and the inverted one is told by its own check and no other.
func TestCaptureInverted(t *testing.T) {
	records, traits := captured(t)
	sys := &System{Traits: traits}
	told := map[uint64]bool{}
	for i := range records {
		r := &records[i]
		if v := CheckRecord(r, sys); v != nil {
			t.Errorf("%s %s: %+v", r.Entry, AppendFlags(nil, r.Flags, StyleShort), v)
		}
		for _, c := range inversions {
			if !r.FactsKnown.Has(c.fact) || c.fact == FactNSInit && r.Flags&CloneThread != 0 {
				continue
			}
			lie := *r
			lie.Facts ^= 1 << c.fact
			v := CheckRecord(&lie, sys)
			if len(v) != 1 || v[0].ID != c.check {
				t.Errorf("%s of %s %s inverted: %+v", Facts[c.fact].Name, r.Entry, AppendFlags(nil, r.Flags, StyleShort), v)
			}
			if r.Flags&c.flag != 0 {
				told[c.flag] = true
			}
		}
	}
	for _, c := range inversions {
		if told[c.flag] == (uncaptured[c.flag] != "") {
			t.Errorf("%s: captured: %t, listed as not captured: %q", AppendFlags(nil, c.flag, StyleFull), told[c.flag], uncaptured[c.flag])
		}
	}
}
