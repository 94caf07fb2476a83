// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forktrace/forktrace/decode"
)

func TestSummaryText(t *testing.T) {
	for name, c := range map[string]struct {
		summary Summary
		want    string
	}{
		"quiet": {Summary{Created: 3, Failed: 1, Received: 4, Shown: 4, SeenCreated: 3, KernelForks: [2]uint64{3, 3}, Elapsed: 1500 * time.Millisecond},
			"forktrace: 3 created, 1 failed in 1.5 s; 4 received, 0 lost\n"},
		"restarts": {Summary{Created: 3, Restarted: 2, Received: 5, Shown: 5, SeenCreated: 3, KernelForks: [2]uint64{3, 3}},
			"forktrace: 3 created, 0 failed, 2 restarted by signals in 0.0 s; 5 received, 0 lost\n"},
		"filtered": {Summary{Created: 3, Received: 3, Shown: 1, SeenCreated: 9, KernelForks: [2]uint64{9, 9}, Filtered: true},
			"forktrace: 3 created, 0 failed in 0.0 s; 3 received (1 shown), 0 lost; the whole machine created 9\n"},
		"kernel counted more": {Summary{SeenCreated: 8, KernelForks: [2]uint64{9, 9}},
			"forktrace: 0 created, 0 failed in 0.0 s; 0 received, 0 lost\n" +
				"forktrace: the kernel itself counted 9 creations, +1: calls that were in flight when tracing began or ended explain a few\n"},
		"kernel counted less": {Summary{SeenCreated: 9, KernelForks: [2]uint64{8, 8}},
			"forktrace: 0 created, 0 failed in 0.0 s; 0 received, 0 lost\n" +
				"forktrace: the kernel itself counted 8 creations, -1: calls that were in flight when tracing began or ended explain a few\n"},
		"never quiet": {Summary{SeenCreated: 9, KernelForks: [2]uint64{8, 11}},
			"forktrace: 0 created, 0 failed in 0.0 s; 0 received, 0 lost\n" +
				"forktrace: the kernel itself counted 8 to 11 creations, and forktrace 9: they never paused, so the count cannot be told exactly\n"},
		"no count, full tree": {Summary{Lost: 5, TreeFull: 2, ForksErr: errors.New("reading /proc/stat: permission denied")},
			"forktrace: 0 created, 0 failed in 0.0 s; 0 received, 5 lost\n" +
				"forktrace: whether creations were missed is not known: reading /proc/stat: permission denied\n" +
				"forktrace: 2 processes were not followed: the tree of followed processes was full\n"},
	} {
		var out bytes.Buffer
		if err := c.summary.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// tallyText counts records and returns the tables.
func tallyText(t *testing.T, records ...decode.Record) string {
	t.Helper()
	tally := NewTally()
	for _, r := range records {
		tally.Add(&r)
	}
	var out bytes.Buffer
	if err := tally.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTally(t *testing.T) {
	got := tallyText(t, threadRecord, forkRecord, failedRecord, bareRecord, threadRecord, threadRecord)
	golden(t, "tally", got)
	if strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("a name came out raw: %q", got)
	}
}

// TestTallyErrnoWithoutName: what has no name still tells failure from success.
func TestTallyErrnoWithoutName(t *testing.T) {
	r := failedRecord
	r.Result = -3000
	if got := tallyText(t, r); !strings.Contains(got, "3000") {
		t.Errorf("errno 3000 became\n%s", got)
	}
}

// TestTallyRestart: what a signal interrupted and was made again has not failed.
func TestTallyRestart(t *testing.T) {
	tally := NewTally()
	r := restartRecord
	tally.Add(&r)
	for c, o := range tally.creators {
		if o.failed != 0 || o.created != 0 {
			t.Errorf("%q: a restart counts as %+v", c.comm, *o)
		}
	}
}

// TestTallyBounds: names are chosen by those who are watched, and cannot fill the memory.
func TestTallyBounds(t *testing.T) {
	tally := NewTally()
	const creators = 3 * tallyCreators
	for i := range uint32(creators) {
		r := named(decode.Record{Pid: i, Entry: decode.EntryFork, Result: 1}, fmt.Sprint("name", i))
		tally.Add(&r)
	}
	if len(tally.creators) > tallyCreators || len(tally.shapes) != 1 {
		t.Errorf("%d creators and %d shapes are kept", len(tally.creators), len(tally.shapes))
	}
	var out bytes.Buffer
	if err := tally.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n > tallyTop+10 {
		t.Errorf("%d lines", n)
	}
	if want := fmt.Sprintf("%d", creators-tallyTop); !strings.Contains(out.String(), want) || !strings.Contains(out.String(), "all others") {
		t.Errorf("the others are not told:\n%s", &out)
	}
}
