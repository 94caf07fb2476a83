// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/internal/testkit"
)

// reasonCase is a line of "creations reasons".
type reasonCase struct {
	Reason   string `json:"reason"`
	Prepared bool   `json:"prepared"`
	Result   int64  `json:"result"`
	Want     int64  `json:"want"`
	Needs    string `json:"needs"` // what a kernel may lack
	Comm     string `json:"comm"`  // of the creator
	// CommitLimit is CommitLimit of /proc/meminfo at the attempt, 0 where it is of no account.
	CommitLimit uint64 `json:"commit_limit_kb"`
	// Above is how many user namespaces above the creator's has the limit that is reached.
	Above int `json:"above"`
}

// stableReasons are decided by what nobody else can change: they must be certain where the
// kernel's own copy of the request was seen.
var stableReasons = []string{
	"newns-with-fs", "newuser-with-fs", "thread-without-sighand", "sighand-without-vm", "thread-with-newuser-newpid",
	"pidfd-with-detached", "thread-foreign-pidns",
}

// ambiguousReasons share their error with another that nothing read at the failure tells
// from them.
var ambiguousReasons = []string{"into-cgroup-gone", "into-cgroup-invalid-domain", "into-cgroup-cross-domain", "mm-nomem", "pidns-dying"}

// TestReasons makes causes of refusals and requires that each is named.
func TestReasons(t *testing.T) {
	testkit.NeedRoot(t)
	checkReasons(t, "reasons")
}

// TestMachineReasons makes causes that take limits of the whole machine.
func TestMachineReasons(t *testing.T) {
	testkit.NeedRoot(t)
	testkit.NeedGuest(t)
	checkReasons(t, "machine-reasons")
}

// needOwnPidMax skips where a test would change the pid_max of the machine.
func needOwnPidMax(t *testing.T) {
	t.Helper()
	var d report
	if err := json.Unmarshal(testkit.Output(t, exec.Command(testkit.Forktrace(t), "doctor", "--format", "json")), &d); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(d.Traits, func(r reportTrait) bool { return r.Name == "pid_namespace.pid_max" && r.Present }) {
		t.Skip("needs: a pid_max of each pid namespace: this kernel has one for the machine")
	}
}

// TestPidExhausted makes one in a pid namespace of its own.
func TestPidExhausted(t *testing.T) {
	testkit.NeedRoot(t)
	needOwnPidMax(t)
	checkReasons(t, "pid-exhausted")
}

// checkReasons runs one of the load program's sets of causes: each is named, and none is a
// violation of the rules.
func checkReasons(t *testing.T, set string) {
	r := testkit.New(t, "--check", "--", testkit.Creations(t), set)
	if status := r.Launch(t).Wait(t); status != 0 && status != exitDiverges {
		t.Fatalf("status %d\n%s", status, &r.Stderr)
	}
	s := r.Events(t)
	for i := range s.Creations {
		if e := &s.Creations[i]; e.Check != nil {
			t.Errorf("%s: %+v", describe(e), e.Check)
		}
	}
	for line := range bytes.Lines(r.Stdout.Bytes()) {
		var c reasonCase
		if err := json.Unmarshal(line, &c); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		t.Run(c.Reason, func(t *testing.T) { checkReason(t, &c, s.Creations) })
	}
	for i := range s.Creations {
		e := &s.Creations[i]
		switch {
		case e.Reason == nil:
		case e.Reason.ID == "pid-exhausted":
			checkExhausted(t, e.Reason.Text)
		case e.Reason.ID == "max-threads":
			checkThreads(t, e.Evidence)
		case e.Reason.ID == "files-nr-open":
			checkNrOpen(t, e.Evidence)
		case e.Reason.ID == "mm-nomem" && e.Result == -int64(decode.ENOMEM):
			checkPromised(t, e)
		}
	}
}

// checkThreads: the machine's tasks and their limit are read at the failure, or else later.
func checkThreads(t *testing.T, evidence map[string]any) {
	t.Helper()
	threads, atFailure := evidence["threads"].(float64)
	if !atFailure {
		evidence, _ = evidence["read_later"].(map[string]any)
		threads, _ = evidence["threads"].(float64)
	}
	// a moment after the failure one may have ended
	if limit, _ := evidence["threads_max"].(float64); limit == 0 || threads < limit-1 {
		t.Errorf("%v threads of %v, at the failure: %t", threads, limit, atFailure)
	}
}

// checkPromised: where the machine may promise no more memory, that is named, and by figures
// of the failure, or else of later.
func checkPromised(t *testing.T, e *testkit.Event) {
	t.Helper()
	evidence := e.Evidence
	if _, atFailure := evidence["committed_pages"]; !atFailure {
		evidence, _ = evidence["read_later"].(map[string]any)
	}
	mode, known := evidence["overcommit_memory"].(float64)
	if named := strings.Contains(e.Reason.Text, "vm.overcommit_memory is 2 and "); !known || named != (mode == 2) {
		t.Errorf("vm.overcommit_memory is %v (%t): %q", mode, known, e.Reason.Text)
	}
}

// checkCommitLimit: what may be promised is what the kernel itself says, where the failure
// shows it: that is where the kernel tells addresses of variables.
func checkCommitLimit(t *testing.T, evidence map[string]any, kb uint64) {
	t.Helper()
	_, told := evidence["threads"]
	pages, atFailure := evidence["commit_limit_pages"].(float64)
	if atFailure != told || atFailure && uint64(pages)*uint64(os.Getpagesize())/1024 != kb {
		t.Errorf("%v pages may be promised, at the failure: %t of %t; the kernel says %d kB", pages, atFailure, told, kb)
	}
}

// checkNrOpen: fs.nr_open is read at the failure, or else later. The case has lowered it to 1024.
func checkNrOpen(t *testing.T, evidence map[string]any) {
	t.Helper()
	_, told := evidence["threads"]
	n, atFailure := evidence["nr_open"].(float64)
	if !atFailure {
		later, _ := evidence["read_later"].(map[string]any)
		n, _ = later["nr_open"].(float64)
	}
	if atFailure != told || n != 1024 {
		t.Errorf("nr_open is %v, at the failure: %t of %t", n, atFailure, told)
	}
}

var numbersInUse = regexp.MustCompile(`^pid namespace \d+ has (\d+) numbers in use, and pid_max is (\d+)`)

// checkExhausted: the namespace that is named is one that has none left, though it may be
// above the creator's own. After a wrap numbers below 300 are not given out again.
func checkExhausted(t *testing.T, text string) {
	t.Helper()
	m := numbersInUse.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q names no pid namespace", text)
	}
	used, _ := strconv.Atoi(m[1])
	limit, _ := strconv.Atoi(m[2])
	if used == 0 || used+300 < limit {
		t.Errorf("%q names one that has numbers left", text)
	}
}

func checkReason(t *testing.T, c *reasonCase, events []testkit.Event) {
	if !c.Prepared {
		t.Skipf("needs: %s: the cause of %s cannot be made here", c.Needs, c.Reason)
	}
	if c.Result != c.Want {
		t.Skipf("needs: %s: this kernel answers %d, not %d", c.Needs, c.Result, c.Want)
	}
	for i := range events {
		e := &events[i]
		if e.Creator.Comm != c.Comm || e.Result != c.Want {
			continue
		}
		if c.CommitLimit != 0 {
			checkCommitLimit(t, e.Evidence, c.CommitLimit)
		}
		if c.Above != 0 && (e.Evidence["nproc_up"] != float64(c.Above) || e.Evidence["nproc_limit"] != 1.0 || e.Evidence["nproc_user_ns"] == nil) {
			t.Errorf("the limit is of %d user namespaces above: evidence %v", c.Above, e.Evidence)
		}
		switch {
		case e.Reason == nil:
			t.Error("no reason")
		case e.Reason.Certainty == "unknown" && slices.Contains(e.Reason.Candidates, c.Reason):
			// a filter's EPERM is told from a module's by the layer, where that is seen
			if slices.Contains(ambiguousReasons, c.Reason) || c.Reason == "seccomp-denied" && c.Want == -int64(decode.EPERM) && e.Layer == nil {
				return
			}
			t.Errorf("not told from others: %v", e.Reason.Candidates)
		case e.Reason.ID != c.Reason:
			t.Errorf("reason %+v", *e.Reason)
		case e.Reason.Text == "" || e.Reason.Fix == "":
			t.Errorf("without a sentence or without advice: %+v", *e.Reason)
		case slices.Contains(stableReasons, c.Reason) && e.Reason.Certainty != "certain":
			t.Errorf("%s, not certain", e.Reason.Certainty)
		}
		return
	}
	t.Errorf("the attempt was not seen: %+v", c)
}

// newCgroup makes a cgroup with a controller, in whichever hierarchy that is possible; it is
// removed after the test. It returns the directory and the path in the hierarchy.
func newCgroup(t *testing.T, controller string) (dir, path string) {
	t.Helper()
	h, err := host.OpenController(controller)
	if err != nil {
		t.Skipf("needs: the %s controller: %v", controller, err)
	}
	defer h.Close()
	path = fmt.Sprintf("/forktrace-%s-%d", controller, os.Getpid())
	dir = filepath.Join(h.Root(), path)
	// version 2 hands controllers down level by level; version 1 has no such file
	_ = os.WriteFile(filepath.Join(h.Root(), "cgroup.subtree_control"), []byte("+"+controller), 0)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("needs: the %s controller: %v", controller, err)
	}
	t.Cleanup(func() {
		testkit.Eventually(t, "an empty cgroup", func() error { return os.Remove(dir) })
	})
	return dir, path
}

// memoryFiles are the files of a memory cgroup for its use and its limit, by version.
var memoryFiles = [][2]string{{"memory.current", "memory.max"}, {"memory.usage_in_bytes", "memory.limit_in_bytes"}}

// TestMemoryLimit: a fork for which its memory cgroup has no room names that cgroup, beside
// the candidates that error and request leave.
func TestMemoryLimit(t *testing.T) {
	testkit.NeedRoot(t)
	dir, path := newCgroup(t, "memory")
	var files [2]string
	for _, f := range memoryFiles {
		if _, err := os.Stat(filepath.Join(dir, f[1])); err == nil {
			files = f
		}
	}
	if files[0] == "" {
		t.Skip("needs: the memory controller: it has no limit here")
	}
	e := refusedIn(t, dir, fmt.Sprintf("exec %s memory-limit %s %s", testkit.Creations(t), filepath.Join(dir, files[0]), filepath.Join(dir, files[1])))[0]
	if *e.Errno != "ENOMEM" || e.Reason == nil {
		t.Fatalf("%s, reason %+v", describe(&e), e.Reason)
	}
	if e.Reason.ID != "mm-nomem" && !slices.Contains(e.Reason.Candidates, "mm-nomem") {
		t.Errorf("reason %+v", e.Reason)
	}
	if !strings.Contains(e.Reason.Text, "memory.max of "+path+" is reached") &&
		!strings.Contains(e.Reason.Text, "memory.max of "+path+" is nearly reached") {
		t.Errorf("text %q, evidence %v", e.Reason.Text, e.Evidence)
	}
	// version 2 does not count it on all kernels
	if n, _ := e.Evidence["memory_failcnt"].(float64); n == 0 && files[0] != memoryFiles[0][0] {
		t.Errorf("the limit was never met: %v", e.Evidence)
	}
}

// TestCrowdedUser: where others of the user end while an attempt fails, its limit is named,
// or remains among the candidates, whatever the count is by then.
func TestCrowdedUser(t *testing.T) {
	testkit.NeedRoot(t)
	_, s := testkit.TraceCreations(t, []string{"-x"}, "crowd")
	refused := 0
	for i := range s.Creations {
		e := &s.Creations[i]
		if e.Errno == nil || *e.Errno != "EAGAIN" {
			continue
		}
		refused++
		if e.Reason.ID != "nproc-limit" && !slices.Contains(e.Reason.Candidates, "nproc-limit") {
			t.Errorf("reason %+v, evidence %v", e.Reason, e.Evidence)
		}
	}
	if refused == 0 {
		t.Skip("needs: several processors: no attempt met another's end")
	}
}
