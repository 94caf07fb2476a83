// SPDX-License-Identifier: Apache-2.0

package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/host"
)

func frame(names ...string) *activity.Frame {
	f := &activity.Frame{
		Time: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Seconds: 1, Created: map[string]uint64{"process": 100, "thread": 5},
		Failed: map[string]uint64{"EAGAIN": 7}, Machine: host.Machine{Tasks: 10, ThreadsMax: 100, PidMax: 1000, LastPid: 1},
		WrapIn: 99, Groups: map[activity.By][]activity.Entry{},
	}
	for i, name := range names {
		f.Groups[activity.ByProcess] = append(f.Groups[activity.ByProcess], activity.Entry{
			Key: name, Name: name, Pid: uint32(100 + i), Processes: 1, User: "root", Rate: float64(100 - i), Share: 0.5,
			FailRate: 7, Reason: "EAGAIN", MedianNS: 4e6, Lineage: []string{"sh(9)", "init(1)"},
		})
	}
	return f
}

func press(t *testing.T, m Model, keys ...string) Model {
	t.Helper()
	special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "up": tea.KeyUp, "down": tea.KeyDown, "backspace": tea.KeyBackspace}
	for _, k := range keys {
		msg := tea.KeyPressMsg{Text: k, Code: []rune(k)[0]}
		if code, ok := special[k]; ok {
			msg = tea.KeyPressMsg{Code: code}
		}
		next, _ := m.Update(msg)
		m = next.(Model)
	}
	return m
}

func start(t *testing.T, f *activity.Frame) Model {
	t.Helper()
	next, _ := Model{By: activity.ByProcess}.Update(tea.WindowSizeMsg{Width: 120, Height: 24})
	next, _ = next.(Model).Update(FrameMsg{f})
	return next.(Model)
}

func TestCursorFollowsItsRow(t *testing.T) {
	m := press(t, start(t, frame("a", "b", "c")), "down")
	next, _ := m.Update(FrameMsg{frame("c", "a", "b")})
	m = next.(Model)
	if m.rows()[m.cursor].Name != "b" {
		t.Errorf("the cursor is on %s", m.rows()[m.cursor].Name)
	}
	if m = press(t, m, "esc"); m.moved {
		t.Error("Esc does not let the cursor go")
	}
}

func TestKeys(t *testing.T) {
	m := start(t, frame("alpha", "beta"))
	if s := press(t, m, "enter").Screen(120, 24); !strings.Contains(s, "created by:") || !strings.Contains(s, "└ init(1)") {
		t.Errorf("an opened row shows no ancestors:\n%s", s)
	}
	f := press(t, m, "/", "b", "e", "t", "x", "backspace", "enter")
	if rows := f.rows(); len(rows) != 1 || rows[0].Name != "beta" {
		t.Errorf("the filter leaves %v", rows)
	}
	p := press(t, m, "p")
	next, _ := p.Update(FrameMsg{frame("gamma")})
	if p = next.(Model); p.rows()[0].Name != "alpha" || !strings.Contains(p.Screen(120, 24), "PAUSED") {
		t.Error("pause does not hold the picture")
	}
	if m := press(t, m, "tab"); m.By != activity.ByCommand {
		t.Errorf("Tab switches to %s", m.By)
	}
	if m := press(t, m, "7"); m.By != activity.ByAncestor {
		t.Errorf("7 switches to %s", m.By)
	}
	if s := press(t, m, "?").Screen(80, 24); !strings.Contains(s, "any key goes back") {
		t.Error("no help")
	}
	if _, cmd := m.Update(tea.KeyPressMsg{Text: "q", Code: 'q'}); cmd == nil {
		t.Error("q does not quit")
	}
}

// TestScreenFits: no line is wider than the terminal, none too many, at any size.
func TestScreenFits(t *testing.T) {
	hostile := "\x1b[31mevil\n\u202e" + strings.Repeat("x", 300)
	m := start(t, frame(hostile, "b", strings.Repeat("进程", 40)))
	m.Notes = []string{"durations", "failures of 世界 " + strings.Repeat("y", 300)}
	for _, keys := range [][]string{nil, {"enter"}, {"?"}, {"/", "z"}} {
		for _, width := range []int{10, 40, 80, 120, 250} {
			for _, height := range []int{3, 10, 24, 60} {
				v := press(t, m, keys...)
				s := v.Screen(width, height)
				if strings.Contains(s, "\x1b[31m") || strings.Contains(s, "\u202e") {
					t.Fatalf("a name reaches the terminal: %q", s)
				}
				for _, code := range []string{bold, reverse, red, reset} {
					s = strings.ReplaceAll(s, code, "")
				}
				lines := strings.Split(s, "\n")
				if len(lines) > height {
					t.Errorf("%dx%d %v: %d lines", width, height, keys, len(lines))
				}
				for _, l := range lines {
					if n := ansi.StringWidth(l); n > width {
						t.Errorf("%dx%d %v: %d columns: %s", width, height, keys, n, l)
					}
				}
			}
		}
	}
}

func TestSparkline(t *testing.T) {
	if s := Sparkline([]float64{0, 1, 2, 4}); s != "▁▂▄█" {
		t.Error(s)
	}
	if s := Sparkline([]float64{0, 0}); s != "▁▁" {
		t.Error(s)
	}
}

// TestOpenRowStays: an open row is shown for as long as it is open, active or not.
func TestOpenRowStays(t *testing.T) {
	m := press(t, start(t, frame("alpha", "beta")), "down", "enter")
	next, _ := m.Update(FrameMsg{frame("alpha", "gamma")})
	m = next.(Model)
	if s := m.Screen(120, 40); !strings.Contains(s, "└ beta") || !strings.Contains(s, "nothing has happened") {
		t.Errorf("the open row is not the one that was opened:\n%s", s)
	}
	next, _ = m.Update(FrameMsg{frame("beta", "alpha")})
	m = next.(Model)
	if s := m.Screen(120, 40); !strings.Contains(s, "└ beta") || strings.Contains(s, "nothing has happened") || len(m.rowRates) != 3 {
		t.Errorf("the open row did not come back:\n%s", s)
	}
}

func TestOpenRowShowsTree(t *testing.T) {
	f := frame("alpha")
	e := &f.Groups[activity.ByProcess][0]
	e.Children = []activity.Child{{Name: "cc", Pid: 7, Alive: 3, Ended: 2, Rate: 40}, {Name: "one", Pid: 8, Alive: 1}}
	e.CopyMean, e.CopyMost, e.Failed = 150e3, 2e6, map[string]uint64{"EAGAIN": 7}
	s := press(t, start(t, f), "enter").Screen(120, 60)
	for _, want := range []string{"    └ sh(9)", "      └ alpha", "        └ cc ×5, 3 alive: creates 40/s, fails 0/s", "        └ one(8)", "took 150µs for each, at most 2ms", "failed  7.0/s (EAGAIN 7.0)"} {
		if !strings.Contains(s, want) {
			t.Errorf("no %q in\n%s", want, s)
		}
	}
}

// TestOpenRowScrolls: on a low terminal the rest of an open row is a key away.
func TestOpenRowScrolls(t *testing.T) {
	f := frame("alpha")
	e := &f.Groups[activity.ByProcess][0]
	for i := range 12 {
		e.Children = append(e.Children, activity.Child{Name: fmt.Sprintf("child%02d", i), Pid: uint32(100 + i), Alive: 1})
	}
	const height = 16
	next, _ := start(t, f).Update(tea.WindowSizeMsg{Width: 120, Height: height})
	m := press(t, next.(Model), "enter")
	if s := m.Screen(120, height); strings.Contains(s, "child11") || !strings.Contains(s, " more lines (down)") {
		t.Errorf("nothing says that there is more:\n%s", s)
	}
	for range 60 {
		m = press(t, m, "down")
	}
	if s := m.Screen(120, height); !strings.Contains(s, "child11") || strings.Contains(s, " more lines (down)") || strings.Count(s, "\n") != height-1 {
		t.Errorf("the end is not shown:\n%s", s)
	}
	end := m.Screen(120, height)
	m = press(t, m, "up")
	if s := m.Screen(120, height); s == end {
		t.Errorf("up changes nothing at the end:\n%s", s)
	}
	for range 60 {
		m = press(t, m, "up")
	}
	if s := m.Screen(120, height); strings.Contains(s, "child11") {
		t.Errorf("the beginning is not shown:\n%s", s)
	}
}

// TestNotes: what the kernel does not let us see is on the screen, and whole in the help.
func TestNotes(t *testing.T) {
	m := start(t, frame("a"))
	m.Notes = []string{"durations"}
	if s := m.Screen(80, 24); !strings.Contains(s, "not seen  durations") {
		t.Errorf("the screen hides what it cannot see:\n%s", s)
	}
	if s := press(t, m, "?").Screen(80, 30); !strings.Contains(s, "not seen   durations") {
		t.Errorf("the help does:\n%s", s)
	}
}

// TestPad fills columns, not characters.
func TestPad(t *testing.T) {
	for s, want := range map[string]string{"ab": "ab   ", "进程": "进程 ", "进程进程": "进程…", "abcdef": "abcd…"} {
		if got := pad(s, 5); got != want {
			t.Errorf("%s becomes %q, not %q", s, got, want)
		}
	}
}
