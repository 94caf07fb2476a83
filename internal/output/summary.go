// SPDX-License-Identifier: Apache-2.0

package output

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Summary is what a trace comes to. Created, Failed and Restarted are counted in the
// kernel and lose nothing.
type Summary struct {
	Created     uint64 // successes that matched the filters
	Failed      uint64 // failures that matched the filters
	Restarted   uint64 // interrupted by a signal, and made again
	Received    uint64 // records that were read
	Shown       uint64 // those of them that --kind and --errno let through, until nobody read the output any more
	Lost        uint64 // records for which the buffer had no room
	Missed      uint64 // times that a kprobe could not run
	ResumedLost uint64 // ends of suspensions by vfork for which it had no room
	TreeFull    uint64 // processes that should have been followed and were not
	Violations  uint64 // broken promises, valid if Checked
	Checked     bool   // creations were compared with their promises
	SeenCreated uint64 // successes of the whole machine, matched or not
	// KernelForks is the growth of `processes` in /proc/stat, which SeenCreated should
	// equal, at least and at most: it cannot be read at one moment with our own count.
	// Valid if ForksErr is nil.
	KernelForks [2]uint64
	ForksErr    error // why it is not known
	Filtered    bool  // not everything was asked for
	Elapsed     time.Duration
	Stages      *StageTimes // where creations were followed through copy_process, else nil
}

// WriteText writes the summary for a person.
func (s *Summary) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "forktrace: %d created, %d failed", s.Created, s.Failed)
	if s.Restarted > 0 {
		fmt.Fprintf(&b, ", %d restarted by signals", s.Restarted)
	}
	fmt.Fprintf(&b, " in %.1f s; %d received", s.Elapsed.Seconds(), s.Received)
	if s.Shown != s.Received {
		fmt.Fprintf(&b, " (%d shown)", s.Shown)
	}
	fmt.Fprintf(&b, ", %d lost", s.Lost)
	if s.Filtered {
		fmt.Fprintf(&b, "; the whole machine created %d", s.SeenCreated)
	}
	b.WriteByte('\n')
	s.writeKernelForks(&b)
	if s.Checked {
		fmt.Fprintf(&b, "forktrace: %d violations in %d attempts that were checked\n", s.Violations, s.Shown)
	}
	if s.Missed > 0 {
		fmt.Fprintf(&b, "forktrace: %d attempts were not seen to their end: the kernel did not run the hook, as it does with kretprobes when too many calls are under way\n", s.Missed)
	}
	if s.ResumedLost > 0 {
		fmt.Fprintf(&b, "forktrace: %d times the end of a suspension by vfork was not told: the buffer was full\n", s.ResumedLost)
	}
	if s.TreeFull > 0 {
		fmt.Fprintf(&b, "forktrace: %d processes were not followed: the tree of followed processes was full\n", s.TreeFull)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeKernelForks tells how the kernel's own count differs, if it does.
func (s *Summary) writeKernelForks(b *strings.Builder) {
	least, most := s.KernelForks[0], s.KernelForks[1]
	switch {
	case s.ForksErr != nil:
		fmt.Fprintf(b, "forktrace: whether creations were missed is not known: %v\n", s.ForksErr)
	case least != most:
		fmt.Fprintf(b, "forktrace: the kernel itself counted %d to %d creations, and forktrace %d: they never paused, so the count cannot be told exactly\n",
			least, most, s.SeenCreated)
	case least != s.SeenCreated:
		fmt.Fprintf(b, "forktrace: the kernel itself counted %d creations, %+d: calls that were in flight when tracing began or ended explain a few\n",
			least, int64(least)-int64(s.SeenCreated))
	}
}

// WriteJSON writes the summary as the last object of a stream.
func (s *Summary) WriteJSON(w io.Writer) error {
	var o object
	o.open()
	o.text("type", "summary")
	o.uint("schema", SchemaVersion)
	for _, f := range []struct {
		name  string
		value uint64
	}{
		{"created", s.Created}, {"failed", s.Failed}, {"restarted", s.Restarted}, {"received", s.Received},
		{"shown", s.Shown}, {"lost", s.Lost}, {"missed", s.Missed},
		{"resumed_lost", s.ResumedLost}, {"tree_full", s.TreeFull}, {"seen_created", s.SeenCreated},
	} {
		o.uint(f.name, f.value)
	}
	if s.Checked {
		o.uint("violations", s.Violations)
	}
	switch {
	case s.ForksErr != nil:
	case s.KernelForks[0] == s.KernelForks[1]:
		o.uint("kernel_forks", s.KernelForks[0])
	default:
		o.uint("kernel_forks_at_least", s.KernelForks[0])
		o.uint("kernel_forks_at_most", s.KernelForks[1])
	}
	o.int("elapsed_ns", s.Elapsed.Nanoseconds())
	if s.Stages != nil {
		s.Stages.append(&o)
	}
	o.close()
	_, err := w.Write(append(o.buf, '\n'))
	return err
}
