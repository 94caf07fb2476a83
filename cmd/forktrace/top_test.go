// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/testkit"
)

// TestTopJSON validates what top writes on a machine where something happens.
func TestTopJSON(t *testing.T) {
	testkit.NeedRoot(t)
	program := testkit.Forktrace(t) // built before the storm begins
	dir, path := testkit.PidsCgroup(t, 60)
	g := &generator{storm: "tree", attempts: 20_000, seconds: 6}
	p := g.start(t, dir, stormName)
	defer p.Cmd.Process.Kill()
	args := append([]string{"top", "-b", "3", "-i", "500ms", "--format", "json"}, testkit.PlanArgs()...)
	out := testkit.Output(t, exec.Command(program, args...))
	schema := testkit.ActivitySchema(t)
	n := 0
	for line := range bytes.Lines(out) {
		testkit.ValidateLine(t, schema, line)
		n++
	}
	cause := []byte(`"main_cause":{"name":"pids.max","where":"` + path + `"`)
	if n != 3 || !bytes.Contains(out, []byte(path)) || !bytes.Contains(out, []byte(`"main_errno":"EAGAIN"`)) || !bytes.Contains(out, cause) {
		t.Errorf("%d lines: %s", n, out)
	}
}

// startJSON starts forktrace, and reads what it prints; it is killed with the test's end.
func startJSON(t *testing.T, args ...string) (*exec.Cmd, *json.Decoder) {
	t.Helper()
	cmd := exec.Command(testkit.Forktrace(t), append(args, testkit.PlanArgs()...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, json.NewDecoder(out)
}

// TestTopOrphan: whose creator has ended is told, and to whom the kernel gave it.
func TestTopOrphan(t *testing.T) {
	testkit.NeedRoot(t)
	_, frames := startJSON(t, "top", "-b", "20", "-i", "500ms", "--format", "json")
	for n := 0; ; n++ {
		var f activity.Frame
		if err := frames.Decode(&f); err != nil {
			t.Fatalf("no orphan in %d frames: %v", n, err)
		}
		if n == 0 { // now that its creation will be seen
			testkit.Output(t, exec.Command("sh", "-c", "(for i in $(seq 150); do sleep 0.05; done) >/dev/null 2>&1 &"))
		}
		for _, e := range f.Groups[activity.ByProcess] {
			if e.Name == "sh" && e.Parent != "" && len(e.Lineage) > 0 && strings.HasPrefix(e.Lineage[0], "sh(") && strings.HasSuffix(e.Lineage[0], "†") {
				return
			}
		}
	}
}

// terminal is forktrace top in a terminal of its own.
type terminal struct {
	t      *testing.T
	socket string
}

// openTop starts it. Whatever is left of it ends with the test.
func openTop(t *testing.T, width, height int) *terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs: tmux: top is driven in its terminals")
	}
	term := &terminal{t, t.TempDir() + "/tmux"}
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	command := strings.Join(append([]string{testkit.Forktrace(t), "top", "--color", "never"}, testkit.PlanArgs()...), " ")
	term.tmux("-f", "/dev/null", "new-session", "-d", "-x", itoa(width), "-y", itoa(height), command)
	return term
}

func (x *terminal) tmux(args ...string) string {
	x.t.Helper()
	return string(testkit.Output(x.t, exec.Command("tmux", append([]string{"-S", x.socket}, args...)...)))
}

func (x *terminal) press(keys ...string) {
	x.t.Helper()
	x.tmux(append([]string{"send-keys"}, keys...)...)
}

// await waits until each pattern matches a line of the screen, which it returns.
func (x *terminal) await(patterns ...string) (screen string) {
	x.t.Helper()
	testkit.Eventually(x.t, fmt.Sprintf("a screen with %q", patterns), func() error {
		screen = x.tmux("capture-pane", "-p")
		for _, p := range patterns {
			if !regexp.MustCompile("(?m)" + p).MatchString(screen) {
				return errors.New(screen)
			}
		}
		return nil
	})
	return screen
}

// TestTopScreen drives the live screen.
func TestTopScreen(t *testing.T) {
	testkit.NeedRoot(t)
	x := openTop(t, 140, 30)
	dir, path := testkit.PidsCgroup(t, 60)
	g := &generator{storm: "respawn", attempts: 1_000_000, seconds: 60}
	p := g.start(t, dir, stormName)
	defer p.Cmd.Process.Kill()

	table := `^ CREATE/S SHARE  FAIL/S WHY      LIVED  EXEC     PID USER     NAME +ANCESTORS$`
	row := `^>? +[0-9.k]+ +[0-9]+% .* ` + stormName + ` .*` + stormName + `\([0-9]+\) < `
	screen := x.await(`^forktrace top  [0-9:]{8}  by process$`, `^creations [0-9.k]+/s +[▁▂▃▄▅▆▇█]+ +process [0-9.k]+`, `^failures  `,
		`^exits     .* execs `, `^tasks     [0-9]+ of threads-max [0-9]+ `, `^near      pids.max of `+path+`: `, table, row, `^Enter open  Tab by`)
	if n := strings.Count(screen, "\n"); n != 30 {
		t.Errorf("%d lines:\n%s", n, screen)
	}
	x.press("/")
	x.press("-l", stormName)
	x.await(`^/` + stormName + `▏$`)
	x.press("Enter")
	x.await(`^only ` + stormName)
	x.press("Enter")
	x.await(`^  created [0-9.k]+/s [▁▂▃▄▅▆▇█]+ \(process `, `^  children: [0-9]+ ended, [1-9]`, `^  cgroup:  `+path, `^  created by:$`, `^ +└ `+stormName)
	x.press("Escape")
	x.await(`^only `+stormName, table)
	x.press("Escape")
	x.await(table, `^Enter open  Tab by`)
	x.press("3")
	x.await(`by cgroup$`, ` `+path)
	x.press("?")
	x.await(`^any key goes back`)
	x.press("q")
	x.await(`by cgroup`)
	x.press("p")
	x.await(`PAUSED`)
	x.press("p")
	x.tmux("resize-window", "-x", "50", "-y", "12")
	testkit.Eventually(t, "a narrow screen", func() error {
		screen := x.tmux("capture-pane", "-p")
		for line := range strings.Lines(screen) {
			if strings.HasPrefix(line, "Enter open") && strings.Contains(line, "…") && ansi.StringWidth(strings.TrimSpace(line)) <= 50 {
				return nil
			}
		}
		return errors.New(screen)
	})
	x.press("q")
	testkit.Eventually(t, "its end", func() error {
		if out, err := exec.Command("tmux", "-S", x.socket, "list-sessions").CombinedOutput(); err == nil {
			return fmt.Errorf("still there: %s", out)
		}
		return nil
	})
}
