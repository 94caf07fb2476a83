// SPDX-License-Identifier: Apache-2.0

package top

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/output"
)

// Escape sequences; reverse and bold carry what colours would, for whom sees none.
const (
	bold    = "\x1b[1m"
	reverse = "\x1b[7m"
	red     = "\x1b[1;31m"
	reset   = "\x1b[0m"
)

func (m *Model) paint(style, s string) string {
	if style == red && !m.Color {
		style = bold
	}
	return style + s + reset
}

// View draws the screen.
func (m Model) View() tea.View {
	v := tea.NewView("")
	if m.quitting {
		return v
	}
	v.AltScreen = true
	v.WindowTitle = "forktrace top"
	v.SetContent(m.Screen(m.size()))
	return v
}

// size is that of the terminal, or until it is known a usual one.
func (m *Model) size() (width, height int) {
	if m.width == 0 {
		return 80, 24
	}
	return m.width, m.height
}

// head is what is above the table, or the open row.
func (m *Model) head(width int) []string {
	lines := Header(m.frame, m.rates, m.By, width)
	if len(m.Notes) > 0 {
		lines = append(lines, "not seen  "+safe(strings.Join(m.Notes, "; ")))
	}
	if m.paused {
		lines[0] += "  PAUSED"
	}
	return lines
}

// Screen is what is on a terminal of the given size.
func (m Model) Screen(width, height int) string {
	var lines []string
	switch {
	case m.help:
		lines = m.helpText()
	case m.frame == nil:
		lines = []string{"counting …"}
	default:
		lines = m.head(width)
		if m.opened {
			lines = append(append(lines, ""), m.visible(height-len(lines)-2)...)
		} else {
			lines = append(lines, m.table(width, height-len(lines)-1)...)
		}
	}
	for i, l := range lines {
		lines[i] = cut(l, width)
	}
	if keep := max(height-1, 1); len(lines) > keep {
		lines = lines[:keep]
	}
	for len(lines) < height-1 {
		lines = append(lines, "")
	}
	m.style(lines)
	return strings.Join(append(lines, cut(m.footer(), width)), "\n")
}

// style marks the header of the table and the row under the cursor.
func (m *Model) style(lines []string) {
	if m.help || m.frame == nil {
		return
	}
	for i, l := range lines {
		switch {
		case i == 0:
			lines[i] = m.paint(bold, l)
		case strings.HasPrefix(l, "failures") && len(m.frame.Failed) > 0:
			lines[i] = m.paint(red, l)
		case strings.HasPrefix(l, ">"):
			lines[i] = m.paint(reverse, l)
		case strings.HasPrefix(l, tableHead[:20]):
			lines[i] = m.paint(bold, l)
		}
	}
}

// visible are so many lines of the open row, and how many more there are.
func (m *Model) visible(room int) []string {
	lines := m.openLines()
	if room < 2 || len(lines) <= room {
		return lines
	}
	from := min(m.scroll, len(lines)-room+1)
	shown := slices.Clone(lines[from:min(from+room-1, len(lines))])
	if left := len(lines) - from - len(shown); left > 0 {
		return append(shown, fmt.Sprintf("  … %d more lines (down)", left))
	}
	return append(shown, "  (up)")
}

// table shows as many rows as there is room for, those around the cursor.
func (m *Model) table(width, room int) []string {
	rows := m.rows()
	lines := []string{"", HeadLine(width)}
	room = max(room-len(lines), 1)
	first := max(0, m.cursor-room+1)
	for i := first; i < min(len(rows), first+room); i++ {
		mark := " "
		if i == m.cursor {
			mark = ">"
		}
		lines = append(lines, mark+RowLine(&rows[i], width)[1:])
	}
	if len(rows) == 0 {
		lines = append(lines, " nothing was created")
	}
	return lines
}

func (m *Model) footer() string {
	switch {
	case m.typing:
		return "/" + safe(m.filter) + "▏"
	case m.status != "":
		return safe(m.status)
	case m.filter != "":
		return "only " + safe(m.filter) + " (Esc: all)   ? help  q quit"
	}
	return "Enter open  Tab by …  / filter  p pause  s save  ? help  q quit"
}

var helpLines = []string{
	"forktrace top: who creates processes and threads",
	"",
	"  Tab, 1-7   group by process, command, cgroup, unit, container, user, ancestor",
	"  up, down   choose a row, scroll Enter  open it      Esc  close it, or show all",
	"  /          only rows with a text in name, user, cgroup or lineage",
	"  p          pause                s  save what is shown as JSON     q  quit",
	"",
	"  CREATE/S   processes and threads that it created in the last second",
	"  SHARE      of all creations and failures of the machine",
	"  FAIL/S     creations that failed",
	"  WHY        the limit that most likely refused them, or the errno of most",
	"  LIVED      half of its children that ended had lived less than this",
	"  EXEC       of the processes it created, so many executed a program",
	"  ANCESTORS  who created it, and who created that; † has ended",
}

// helpText is the help, and what this kernel does not let be seen, in whole.
func (m *Model) helpText() []string {
	lines := slices.Clone(helpLines)
	for _, note := range m.Notes {
		lines = append(lines, "  not seen   "+safe(note))
	}
	return append(lines, "", "any key goes back")
}

// Header is what is known of the machine.
func Header(f *activity.Frame, rates []float64, by activity.By, width int) []string {
	spark := Sparkline(rates)
	if width < 100 {
		spark = Sparkline(rates[max(0, len(rates)-15):])
	}
	lines := []string{
		fmt.Sprintf("forktrace top  %s  by %s", f.Time.Format("15:04:05"), by),
		fmt.Sprintf("creations %s/s  %s  %s", perSecond(sum(f.Created), f.Seconds), spark, parts(f.Created, f.Seconds)),
		fmt.Sprintf("failures  %s/s  %s", perSecond(sum(f.Failed)-f.Failed["restarted"], f.Seconds), parts(f.Failed, f.Seconds)),
		fmt.Sprintf("exits     %s/s   execs %s/s", perSecond(f.Exits, f.Seconds), strings.TrimSpace(perSecond(f.Execs, f.Seconds))),
		machineLine(f),
	}
	for _, l := range f.Limits {
		lines = append(lines, fmt.Sprintf("near      %s of %s: %s (%.0f%%)", l.Name, safe(l.Where), amounts(&l), 100*activity.Fill(l)))
	}
	return lines
}

func machineLine(f *activity.Frame) string {
	m := &f.Machine
	s := fmt.Sprintf("tasks     %d", m.Tasks)
	if m.ThreadsMax > 0 {
		s += fmt.Sprintf(" of threads-max %d (%.0f%%)", m.ThreadsMax, 100*float64(m.Tasks)/float64(m.ThreadsMax))
	}
	if m.PidMax > 0 {
		s += fmt.Sprintf(", pid_max %d (%.0f%%)", m.PidMax, 100*float64(m.Tasks)/float64(m.PidMax))
	}
	if f.WrapIn > 0 {
		s += ", pids wrap in " + Span(f.WrapIn)
	}
	return s
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// parts tells counts by their names, largest first.
func parts(counts map[string]uint64, seconds float64) string {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if counts[a] != counts[b] {
			return int(int64(counts[b]) - int64(counts[a]))
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = name + " " + strings.TrimSpace(perSecond(counts[name], seconds))
	}
	return strings.Join(names, "  ")
}

// safe makes text that others chose harmless.
func safe(s string) string { return string(output.AppendSafe(nil, []byte(s))) }
