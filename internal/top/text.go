// SPDX-License-Identifier: Apache-2.0

package top

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/forktrace/forktrace/internal/activity"
	"github.com/forktrace/forktrace/internal/host"
)

const tableHead = " CREATE/S SHARE  FAIL/S WHY      LIVED  EXEC     PID USER     NAME"

// nameWidth is the room for names, and whether there is any for ancestors.
func nameWidth(width int) (n int, ancestors bool) {
	const before = len(tableHead) - len("NAME")
	if room := width - before; room >= 50 {
		return 24, true
	}
	return max(width-before, 8), false
}

// HeadLine is the head of the table.
func HeadLine(width int) string {
	n, ancestors := nameWidth(width)
	if !ancestors {
		return tableHead
	}
	return fmt.Sprintf("%s%-*s ANCESTORS", tableHead[:len(tableHead)-4], n, "NAME")
}

// RowLine is one row of the table.
func RowLine(e *activity.Entry, width int) string {
	n, ancestors := nameWidth(width)
	pid := ""
	if e.Pid != 0 && e.Processes == 1 {
		pid = fmt.Sprint(e.Pid)
	} else if e.Processes > 1 {
		pid = fmt.Sprintf("×%d", e.Processes)
	}
	lived, exec := "-", "-"
	if e.AtLeastNS > 0 {
		lived = ">" + shortDuration(time.Duration(e.AtLeastNS))
	}
	if e.MedianNS > 0 {
		lived = "<" + shortDuration(time.Duration(e.MedianNS))
	}
	if e.ExecPart != nil {
		exec = fmt.Sprintf("%.0f%%", 100**e.ExecPart)
	}
	s := fmt.Sprintf(" %8s %4.0f%% %7s %-8s %6s %4s %7s %s ", shortNumber(e.Rate), 100*e.Share, shortNumber(e.FailRate), why(e), lived, exec, pid, pad(safe(e.User), 8))
	if !ancestors {
		return s + safe(e.Name)
	}
	return s + pad(safe(e.Name), n) + " " + lineage(e)
}

// why is the limit or, where none is known, the errno that most failures are owed to.
func why(e *activity.Entry) string {
	switch {
	case e.Cause != nil:
		return e.Cause.Short
	case e.Reason != "":
		return e.Reason
	}
	return "-"
}

// amounts tells how much of a limit is used.
func amounts(l *host.Limit) string {
	if l.Unit == host.UnitBytes {
		return fmt.Sprintf("%d of %d MiB", *l.Used>>20, *l.Max>>20)
	}
	return fmt.Sprintf("%d of %d", *l.Used, *l.Max)
}

// lineage tells the ancestors, and first whose it all is.
func lineage(e *activity.Entry) string {
	var s strings.Builder
	if e.Owner != "" && e.Owner != e.Name {
		s.WriteString("[" + safe(e.Owner) + "] ")
	}
	for i, up := range e.Lineage {
		if i > 0 {
			s.WriteString(" < ")
		}
		s.WriteString(safe(up))
	}
	return s.String()
}

// detail is an opened row.
func detail(e *activity.Entry, rates []float64) []string {
	lines := []string{
		"  " + safe(e.Name) + "  " + lineTitle(e),
		fmt.Sprintf("  created %s/s %s (%s), %d since forktrace began, %d of them alive", shortNumber(e.Rate), Sparkline(rates), plain(e.Created), e.Total, e.Alive),
		fmt.Sprintf("  failed  %s/s (%s)", shortNumber(e.FailRate), plain(e.Failed)),
		fmt.Sprintf("  %.1f%% of all creations and failures of the machine, by %d process(es)", 100*e.Share, e.Processes),
		fmt.Sprintf("  children: %d ended, %d of them with another status than 0; %d executed a program", e.Exits, e.Nonzero, e.Execs),
	}
	if c := e.Cause; c != nil {
		lines = append(lines, fmt.Sprintf("  refused most likely by %s of %s: %s in use", c.Name, safe(c.Where), amounts(&c.Limit)))
	}
	if e.CopyMean > 0 {
		lines = append(lines, fmt.Sprintf("  the kernel took %s for each, at most %s", shortDuration(time.Duration(e.CopyMean)), shortDuration(time.Duration(e.CopyMost))))
	}
	if e.AtLeastNS > 0 {
		lines = append(lines, "  half of them had lived more than "+shortDuration(time.Duration(e.AtLeastNS)))
	}
	if e.MedianNS > 0 {
		lines = append(lines, "  half of them had lived less than "+shortDuration(time.Duration(e.MedianNS)))
	}
	if e.LastExec != "" {
		lines = append(lines, "  last executed by a child: "+safe(e.LastExec))
	}
	if e.File != "" {
		lines = append(lines, "  program: "+safe(e.File))
	}
	if e.Cgroup != "" {
		lines = append(lines, "  cgroup:  "+safe(e.Cgroup))
	}
	if e.Owner != "" {
		lines = append(lines, "  belongs to "+safe(e.Owner))
	}
	if e.Parent != "" {
		lines = append(lines, "  its creator has ended; it was given to "+safe(e.Parent))
	}
	lines = append(lines, "", "  created by:")
	for i := len(e.Lineage) - 1; i >= 0; i-- {
		lines = append(lines, "  "+strings.Repeat("  ", len(e.Lineage)-1-i)+"└ "+safe(e.Lineage[i]))
	}
	indent := "  " + strings.Repeat("  ", len(e.Lineage))
	lines = append(lines, indent+"└ "+safe(e.Name))
	for i := range e.Children {
		lines = append(lines, indent+"  └ "+childLine(&e.Children[i]))
	}
	return lines
}

// childLine is a line of the tree below an opened row.
func childLine(c *activity.Child) string {
	s := fmt.Sprintf("%s(%d)", safe(c.Name), c.Pid)
	if n := c.Alive + c.Ended; n > 1 {
		s = fmt.Sprintf("%s ×%d, %d alive", safe(c.Name), n, c.Alive)
	}
	if c.Rate > 0 || c.Failing > 0 {
		s += fmt.Sprintf(": creates %s/s, fails %s/s", shortNumber(c.Rate), shortNumber(c.Failing))
	}
	return s
}

func lineTitle(e *activity.Entry) string {
	if e.Pid == 0 {
		return ""
	}
	s := fmt.Sprintf("pid %d, user %s", e.Pid, safe(e.User))
	if e.Processes > 1 {
		s = fmt.Sprintf("largest of %d: %s", e.Processes, s)
	}
	if e.Ended {
		s += ", has ended"
	}
	return s
}

// plain tells counts by their names.
func plain(counts map[string]uint64) string {
	if len(counts) == 0 {
		return "none"
	}
	return parts(counts, 1)
}

// WriteText prints a frame where there is no terminal.
func WriteText(w io.Writer, f *activity.Frame, rates []float64, by activity.By, width, rows int) error {
	lines := append(Header(f, rates, by, width), "", HeadLine(width))
	for i := range f.Groups[by] {
		if i == rows {
			break
		}
		lines = append(lines, RowLine(&f.Groups[by][i], width))
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(w, strings.TrimRight(l, " ")); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// Sparkline draws numbers as bars, the largest as the highest.
func Sparkline(n []float64) string {
	const bars = "▁▂▃▄▅▆▇█"
	var most float64
	for _, x := range n {
		most = max(most, x)
	}
	var s strings.Builder
	for _, x := range n {
		i := 0
		if most > 0 {
			i = int(x / most * 7.99)
		}
		s.WriteRune([]rune(bars)[i])
	}
	return s.String()
}

func perSecond(n uint64, seconds float64) string {
	if seconds <= 0 {
		return "0"
	}
	return shortNumber(float64(n) / seconds)
}

func shortNumber(x float64) string {
	switch {
	case x >= 1e6:
		return fmt.Sprintf("%.1fM", x/1e6)
	case x >= 1e5:
		return fmt.Sprintf("%.0fk", x/1e3)
	case x >= 10 || x == 0:
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

func shortDuration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%dµs", d/time.Microsecond)
	case d < time.Second:
		return fmt.Sprintf("%dms", (d+time.Millisecond/2)/time.Millisecond)
	}
	return fmt.Sprintf("%.0fs", d.Seconds())
}

// Span tells a number of seconds for people.
func Span(seconds float64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 7200:
		return fmt.Sprintf("%.0f min", seconds/60)
	case seconds < 2*86400:
		return fmt.Sprintf("%.0f h", seconds/3600)
	}
	return fmt.Sprintf("%.0f days", seconds/86400)
}

// cut shortens a line to the columns of the terminal.
func cut(s string, width int) string { return ansi.Truncate(s, max(width, 0), "…") }

// pad cuts or fills to a number of columns.
func pad(s string, width int) string {
	s = cut(s, width)
	return s + strings.Repeat(" ", max(width-ansi.StringWidth(s), 0))
}
