// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"fmt"
	"io"
	"strings"

	"github.com/forktrace/forktrace/internal/host"
	"github.com/forktrace/forktrace/internal/output"
)

// safe makes text that others chose harmless.
func safe(s string) string { return string(output.AppendSafe(nil, []byte(s))) }

// WriteText prints the page.
func (d *Diagnosis) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-9s %s, for %.1f s: %.0f creations/s, %.0f refused/s, %.0f restarted/s", d.Event, d.Since, d.Seconds, d.Rate, d.Refused, d.Restarted)
	if d.Usual != nil {
		fmt.Fprintf(&b, "; usual is %.0f/s", *d.Usual)
	}
	b.WriteByte('\n')
	switch {
	case d.Because != "":
		fmt.Fprintf(&b, "because   %s\n", d.Because)
	case !d.Storm:
		b.WriteString("because   no threshold is exceeded: this is no storm\n")
	}
	fmt.Fprintf(&b, "shape     %s: %s\n", d.Shape, d.Facts.Numbers())
	for _, p := range []struct {
		title string
		*Part
	}{{"process", d.Process}, {"owner", d.Owner}, {"ancestor", d.Ancestor}} {
		if p.Part != nil {
			fmt.Fprintf(&b, "%-9s %s\n", p.title, p.line())
		}
	}
	if d.Unknown >= 0.01 {
		fmt.Fprintf(&b, "unknown   %.0f%% of all attempts had no room to be counted by process (--rows): by cgroup only\n", 100*d.Unknown)
	}
	for i := range d.Headroom {
		fmt.Fprintf(&b, "limit     %s\n", d.Headroom[i].line())
	}
	for i := range d.Culprits {
		fmt.Fprintf(&b, "culprit   %s\n", d.Culprits[i].line())
	}
	for i := range d.Victims {
		fmt.Fprintf(&b, "victim    %s\n", d.Victims[i].line())
	}
	if d.Next != "" {
		fmt.Fprintf(&b, "contain   %s\n", safe(d.Next))
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func (h *Headroom) line() string {
	amount := func(n float64) string { return fmt.Sprintf("%.0f", n) }
	if h.Unit == host.UnitBytes {
		amount = func(n float64) string { return fmt.Sprintf("%.0f MiB", n/(1<<20)) }
	}
	s := fmt.Sprintf("%s of %s: %s of %s (%.0f%%)", h.Name, safe(h.Where), amount(float64(*h.Used)), amount(float64(*h.Max)), 100*float64(*h.Used)/float64(*h.Max))
	if h.Peak > *h.Used {
		s += ", at most " + amount(float64(h.Peak))
	}
	switch {
	case h.Reached:
		s += ": REACHED"
	case h.Growth != nil && !h.soon() && (*h.Growth >= h.least() || *h.Growth <= -h.least()):
		s += fmt.Sprintf(", %+.0f/s", *h.Growth/h.scale())
	case h.soon():
		s += fmt.Sprintf(", at +%s/s reached in %.0f s", amount(*h.Growth), h.In)
	}
	return s
}

// scale is what amounts are divided by to be told.
func (h *Headroom) scale() float64 {
	if h.Unit == host.UnitBytes {
		return 1 << 20
	}
	return 1
}

func (p *Part) line() string {
	name := safe(p.Name)
	switch {
	case p.Creators > 1 && p.Pid != 0:
		name += fmt.Sprintf("(%d and %d more)", p.Pid, p.Creators-1)
	case p.Pid != 0:
		name += fmt.Sprintf("(%d)", p.Pid)
	}
	var parts []string
	if p.Tasks > 0 {
		parts = append(parts, fmt.Sprintf("has %d of the tasks that count against %s", p.Tasks, safe(p.Of)))
	}
	if p.Created+p.Failures > 0 || p.Share > 0 {
		parts = append(parts, fmt.Sprintf("%.0f%% of all attempts, %d created, %d failed", 100*p.Share, p.Created, p.Failures))
	}
	if p.Culprit {
		parts = append(parts, "a culprit itself")
	}
	return name + ": " + strings.Join(parts, "; ")
}
