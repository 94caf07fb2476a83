// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"testing"
)

// Event is a creation as JSON tells it. What may be absent is a pointer, a slice or a map.
type Event struct {
	Time       string            `json:"time"`
	BootNS     uint64            `json:"boot_ns"`
	Seq        uint64            `json:"seq"`
	CPU        uint32            `json:"cpu"`
	Entry      string            `json:"entry"`
	Kind       string            `json:"kind"`
	Call       string            `json:"call"`
	Flags      *string           `json:"flags"`
	FlagNames  []string          `json:"flag_names"`
	ExitSignal any               `json:"exit_signal"`
	Request    map[string]any    `json:"request"`
	TookNS     *uint64           `json:"took_ns"`
	Creator    Creator           `json:"creator"`
	Child      *Child            `json:"child"`
	Result     int64             `json:"result"`
	Errno      *string           `json:"errno"`
	Meaning    *string           `json:"meaning"`
	Layer      *string           `json:"layer"`
	Stage      *Stage            `json:"stage"`
	StageNS    map[string]uint64 `json:"stage_ns"`
	Fallback   *Fallback         `json:"fallback_from"`
	Shares     map[string]bool   `json:"shares"`
	Reason     *Reason           `json:"reason"`
	Evidence   map[string]any    `json:"evidence"`
	Check      []Violation       `json:"check"`
}

// Reason is why an attempt failed.
type Reason struct {
	ID         string   `json:"id"`
	Certainty  string   `json:"certainty"`
	Text       string   `json:"text"`
	Fix        string   `json:"fix"`
	Candidates []string `json:"candidates"`
}

// Stage is where in copy_process an attempt failed.
type Stage struct {
	First string `json:"first"`
	Last  string `json:"last"`
	Label string `json:"label"`
}

// Fallback is the refused call that an attempt was made in the place of.
type Fallback struct {
	Entry string `json:"entry"`
	Errno string `json:"errno"`
}

// Livelock is an attempt that signals interrupt again and again.
type Livelock struct {
	Entry   string `json:"entry"`
	Creator struct {
		Pid int64 `json:"pid"`
		Tid int64 `json:"tid"`
	} `json:"creator"`
	Restarts uint64   `json:"restarts"`
	ForNS    uint64   `json:"for_ns"`
	Signals  []string `json:"signals"`
	Sender   *struct {
		Signal string `json:"signal"`
		Code   int    `json:"code"`
		Pid    *int64 `json:"pid"`
	} `json:"sender"`
	Ended  *bool  `json:"ended"`
	Result *int64 `json:"result"`
}

// StageTime is a row of the histogram of stages.
type StageTime struct {
	Stage string `json:"stage"`
	Count uint64 `json:"count"`
	P50NS uint64 `json:"p50_ns"`
	MaxNS uint64 `json:"max_ns"`
	SumNS uint64 `json:"sum_ns"`
}

// Violation is a promise that was broken.
type Violation struct {
	ID       string `json:"id"`
	Promised string `json:"promised"`
	Seen     string `json:"seen"`
	Source   string `json:"source"`
	Rule     string `json:"rule"`
}

// Creator is the task that asked.
type Creator struct {
	Pid       int64   `json:"pid"`
	Tid       int64   `json:"tid"`
	PPid      int64   `json:"ppid"`
	Comm      string  `json:"comm"`
	UID       uint32  `json:"uid"`
	GID       uint32  `json:"gid"`
	StartTime *uint64 `json:"start_time"`
	CgroupID  *uint64 `json:"cgroup_id"`
	Cgroup    *string `json:"cgroup"`
}

// Child is the task that was made.
type Child struct {
	Pid            int64   `json:"pid"`
	Tid            int64   `json:"tid"`
	PPid           int64   `json:"ppid"`
	NSPids         []int64 `json:"ns_pids"`
	NSLevel        int     `json:"ns_level"`
	StartTime      *uint64 `json:"start_time"`
	ExitSignal     any     `json:"exit_signal"`
	Cgroup         *string `json:"cgroup"`
	InTargetCgroup *bool   `json:"in_target_cgroup"`
}

// Lost is a loss in its place.
type Lost struct {
	CPU  *uint32 `json:"cpu"`
	Lost uint64  `json:"lost"`
}

// Resumed is the end of a suspension by vfork.
type Resumed struct {
	BootNS  uint64 `json:"boot_ns"`
	Creator struct {
		Pid uint64 `json:"pid"`
		Tid uint64 `json:"tid"`
	} `json:"creator"`
	Child struct {
		Tid int64 `json:"tid"`
	} `json:"child"`
	SuspendedNS uint64 `json:"suspended_ns"`
}

// Summary is the last object of a stream.
type Summary struct {
	Created     uint64  `json:"created"`
	Failed      uint64  `json:"failed"`
	Restarted   uint64  `json:"restarted"`
	Received    uint64  `json:"received"`
	Shown       uint64  `json:"shown"`
	Lost        uint64  `json:"lost"`
	Missed      uint64  `json:"missed"`
	TreeFull    uint64  `json:"tree_full"`
	SeenCreated uint64  `json:"seen_created"`
	KernelForks *uint64 `json:"kernel_forks"`
	AtLeast     *uint64 `json:"kernel_forks_at_least"`
	AtMost      *uint64 `json:"kernel_forks_at_most"`
	Violations  *uint64 `json:"violations"`
	ElapsedNS   int64   `json:"elapsed_ns"`

	Stages []StageTime `json:"stages"`
}

// Matched is how many attempts passed the filters.
func (s *Summary) Matched() uint64 { return s.Created + s.Failed + s.Restarted }

// Stream is all that forktrace wrote as JSON.
type Stream[E any] struct {
	Creations []E
	Resumed   []Resumed
	Livelocks []Livelock
	Lost      []Lost
	Summary   Summary
}

// LostSum is what the in-band objects tell of loss.
func (s *Stream[E]) LostSum() (n uint64) {
	for _, l := range s.Lost {
		n += l.Lost
	}
	return n
}

// ReadStream reads a file of JSON Lines. The summary must be there, once, at the end.
func ReadStream[E any](t testing.TB, file string) *Stream[E] {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return ParseStream[E](t, f)
}

// ParseStream reads JSON Lines up to the summary, as ReadStream does.
func ParseStream[E any](t testing.TB, r io.Reader) *Stream[E] {
	t.Helper()
	s := &Stream[E]{}
	ended := false
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if ended {
			t.Fatalf("a line after the summary: %s", lines.Bytes())
		}
		ended = s.add(t, lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if !ended {
		t.Fatalf("%d creations and no summary", len(s.Creations))
	}
	return s
}

func (s *Stream[E]) add(t testing.TB, line []byte) (last bool) {
	t.Helper()
	var to any
	switch {
	case bytes.HasPrefix(line, []byte(`{"type":"creation",`)):
		var e E
		s.Creations = append(s.Creations, e)
		to = &s.Creations[len(s.Creations)-1]
	case bytes.HasPrefix(line, []byte(`{"type":"resumed",`)):
		s.Resumed = append(s.Resumed, Resumed{})
		to = &s.Resumed[len(s.Resumed)-1]
	case bytes.HasPrefix(line, []byte(`{"type":"livelock",`)):
		s.Livelocks = append(s.Livelocks, Livelock{})
		to = &s.Livelocks[len(s.Livelocks)-1]
	case bytes.HasPrefix(line, []byte(`{"type":"lost",`)):
		s.Lost = append(s.Lost, Lost{})
		to = &s.Lost[len(s.Lost)-1]
	case bytes.HasPrefix(line, []byte(`{"type":"summary",`)):
		to, last = &s.Summary, true
	default:
		t.Fatalf("a line of unknown type: %s", line)
	}
	if err := read(line, to); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	return last
}

func read(line []byte, to any) error {
	if b, ok := to.(*Brief); ok {
		return b.scan(line)
	}
	return json.Unmarshal(line, to)
}
