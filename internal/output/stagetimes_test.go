// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// staged is a success that spent so many ns in the stages task and pid.
func staged(task, pid uint32) *decode.Record {
	r := &decode.Record{Have: decode.HaveStages | decode.HaveDuration, Result: 7, Duration: uint64(100 + task + pid)}
	r.Progress.At[decode.StageTask], r.Progress.At[decode.StagePid] = 100, 100+task
	return r
}

func TestStageTimes(t *testing.T) {
	s := NewStageTimes()
	for i := range uint32(100) {
		s.Add(staged(1000*(i+1), 500))
	}
	s.Add(&stagedRecord) // a failure: not counted
	s.Add(&threadRecord) // not followed
	s.HookRuns, s.HookTime, s.Creations = 1000, 200*time.Microsecond, 100
	var text bytes.Buffer
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("%d lines:\n%s", len(lines), &text)
	}
	task := strings.Fields(lines[1])
	if task[0] != "task" || task[1] != "100" || !strings.HasPrefix(task[2], "50.") || !strings.HasPrefix(task[5], "100.") || task[6] != "99.0%" {
		t.Errorf("row %q", lines[1])
	}
	if want := "the hooks of the stages cost the machine 2.0 us for each creation: 1000 runs of 200 ns, some of them for other callers"; lines[3] != want {
		t.Errorf("cost %q, want %q", lines[3], want)
	}
	var json bytes.Buffer
	if err := (&Summary{Stages: s}).WriteJSON(&json); err != nil {
		t.Fatal(err)
	}
	testkit.ValidateLine(t, testkit.Schema(t), bytes.TrimSpace(json.Bytes()))
	if !strings.Contains(json.String(), `"stages":[{"stage":"task","count":100,`) {
		t.Errorf("json %s", &json)
	}
}

func TestNoStageTimes(t *testing.T) {
	var text bytes.Buffer
	if err := NewStageTimes().WriteText(&text); err != nil || text.Len() > 0 {
		t.Errorf("%q, %v", &text, err)
	}
}
