// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestEndBySignal: what was created before the signal is written, and the status is 0.
func TestEndBySignal(t *testing.T) {
	testkit.NeedRoot(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			p := testkit.Pause(t, testkit.Creations(t), "load", "2", "400")
			pid := p.Start(t)
			r := testkit.Start(t)
			load := testkit.LoadResult(t, p.Go(t))
			if err := r.Cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			r.WantStatus(t, exitOK)
			seen := testkit.Load{}
			tree := map[int64]bool{int64(pid): true}
			for _, e := range r.Events(t).Creations {
				switch {
				case !tree[e.Creator.Pid]:
				case e.Child == nil:
					seen.Failed++
				default:
					seen.Created++
					tree[e.Child.Pid] = true
				}
			}
			if seen != load {
				t.Errorf("seen %+v of %+v", seen, load)
			}
		})
	}
}

// TestTextEnd: a person who ends a trace gets the summary on standard error.
func TestTextEnd(t *testing.T) {
	testkit.NeedRoot(t)
	var out, diag bytes.Buffer
	cmd := exec.Command(testkit.Forktrace(t), append([]string{"trace", "-d", "0.2"}, testkit.PlanArgs()...)...)
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil {
		t.Fatal(err, &diag)
	}
	if !strings.HasPrefix(out.String(), "TIME ") {
		t.Errorf("no header in %q", &out)
	}
	wantSummaryOnly(t, diag.String(), 1)
}

// wantSummaryOnly requires that diagnostics are so many summaries, what there is to say
// about this kernel, and nothing else.
func wantSummaryOnly(t *testing.T, diag string, want int) {
	t.Helper()
	summaries := 0
	for line := range strings.Lines(diag) {
		switch {
		case strings.Contains(line, " created, ") && strings.Contains(line, " received"):
			summaries++
		case strings.Contains(line, "the kernel itself counted"): // a busy machine
		case strings.HasPrefix(line, "forktrace: not seen on this kernel: "):
		case strings.Contains(line, "the ids shown are the host's"):
		default:
			t.Errorf("noise on standard error: %q", line)
		}
	}
	if summaries != want {
		t.Errorf("%d summaries in %q", summaries, diag)
	}
}

// TestClosedStdout ends quietly when nobody reads any more, as under head(1).
func TestClosedStdout(t *testing.T) {
	testkit.NeedRoot(t)
	for format, summaries := range map[string]int{"text": 1, "json": 0} {
		t.Run(format, func(t *testing.T) {
			var diag bytes.Buffer
			cmd := exec.Command(testkit.Forktrace(t), append([]string{"trace", "-d", "1m", "--format", format}, testkit.PlanArgs()...)...)
			cmd.Stderr = &diag
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			readThenClose(t, out)
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			if status := testkit.ExitStatus(t, createUntil(t, done)); status != exitOK {
				t.Errorf("status %d\n%s", status, &diag)
			}
			wantSummaryOnly(t, diag.String(), summaries)
			if format == "text" {
				wantAccount(t, diag.String())
			}
		})
	}
}

var summaryForm = regexp.MustCompile(`(\d+) created, (\d+) failed(?:, (\d+) restarted by signals)? in .* s; (\d+) received(?: \((\d+) shown\))?, (\d+) lost`)

// wantAccount requires that a summary accounts for every attempt, written or not.
func wantAccount(t *testing.T, diag string) {
	t.Helper()
	found := summaryForm.FindStringSubmatch(diag)
	if found == nil {
		t.Fatalf("no summary in %q", diag)
	}
	n := make([]int, len(found))
	for i, digits := range found[1:] {
		n[i+1], _ = strconv.Atoi(digits) // "" is 0
	}
	if n[1]+n[2]+n[3] != n[4]+n[6] {
		t.Errorf("the attempts are not the records: %s", found[0])
	}
	if found[5] == "" || n[5] >= n[4] {
		t.Errorf("what nobody read is said to be shown: %s", found[0])
	}
}

// TestSignalWhileAttaching: a trace that is ended before it began ends as any other.
func TestSignalWhileAttaching(t *testing.T) {
	testkit.NeedRoot(t)
	r := testkit.New(t).Launch(t)
	testkit.Eventually(t, "the output", func() error { // which is opened long before all is attached
		_, err := os.Stat(r.File)
		return err
	})
	if err := r.Cmd.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	r.WantStatus(t, exitOK)
	r.Events(t) // fails without a summary
}

// TestFilesOfEarlierTraces: what an earlier trace has left behind is neither lost when the
// next cannot begin, nor taken for what the next one did.
func TestFilesOfEarlierTraces(t *testing.T) {
	testkit.NeedRoot(t)
	dir := t.TempDir()
	events, ready := dir+"/events", dir+"/ready"
	for _, file := range []string{events, ready} {
		if err := os.WriteFile(file, []byte("earlier\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	trace := func(args ...string) (string, int) {
		cmd := exec.Command(testkit.Forktrace(t), append([]string{"trace", "-d", "0.1", "-o", events, "--ready-file", ready}, args...)...)
		cmd.Env = append(os.Environ(), "FORKTRACE_PLAN=")
		out, err := cmd.CombinedOutput()
		return string(out), testkit.ExitStatus(t, err)
	}
	if out, status := trace("--ready-file", dir+"/none/ready"); status != exitError || !strings.Contains(out, "ready file") {
		t.Errorf("a ready file that cannot be: status %d, %s", status, out)
	}
	if b, _ := os.ReadFile(events); string(b) != "earlier\n" {
		t.Errorf("a trace that did not begin left %q in the output", b)
	}
	if out, status := trace(); status != exitOK {
		t.Fatalf("status %d: %s", status, out)
	}
	if b, _ := os.ReadFile(events); !strings.HasPrefix(string(b), "TIME") {
		t.Errorf("the output is %q", b)
	}
	if _, err := os.Stat(ready); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ready file is there after the end: %v", err)
	}
}

// readThenClose reads three lines, making creations so that there are some.
func readThenClose(t *testing.T, out io.ReadCloser) {
	t.Helper()
	lines := bufio.NewReader(out)
	done := make(chan error, 1)
	go func() {
		for range 3 {
			if _, err := lines.ReadString('\n'); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	if err := createUntil(t, done); err != nil {
		t.Fatal(err)
	}
	out.Close()
}

// createUntil creates processes until something has happened.
func createUntil(t *testing.T, happened <-chan error) error {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		select {
		case err := <-happened:
			return err
		default:
			testkit.Output(t, exec.Command(testkit.Creations(t), "exit", "0"))
		}
	}
	t.Fatal("nothing happened")
	return nil
}
