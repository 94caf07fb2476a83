// SPDX-License-Identifier: Apache-2.0

package output

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/forktrace/forktrace/decode"
)

// tallyCreators bounds the creators that are told apart: names come from attackers.
const tallyCreators = 4096

// Tally counts records for --summary: by kind and call, by errno, and by creator.
type Tally struct {
	shapes   map[shape]uint64
	creators map[creator]*outcomes
	others   outcomes // creators that no longer fitted
}

type shape struct {
	kind  decode.Kind
	call  string
	errno decode.Errno
}

type creator struct {
	pid  uint32
	comm [decode.CommLen]byte
}

type outcomes struct{ created, failed uint64 }

// NewTally returns an empty tally.
func NewTally() *Tally {
	return &Tally{shapes: map[shape]uint64{}, creators: map[creator]*outcomes{}}
}

// Add counts one record.
func (t *Tally) Add(r *decode.Record) {
	t.shapes[shape{r.Kind(), callName(r), r.Errno()}]++
	key := creator{r.Pid, r.Comm}
	o := t.creators[key]
	if o == nil {
		o = &t.others
		if len(t.creators) < tallyCreators {
			o = &outcomes{}
			t.creators[key] = o
		}
	}
	switch {
	case r.Restarted(): // nothing came of it, and nothing failed
	case r.Failed():
		o.failed++
	default:
		o.created++
	}
}

// tallyTop is how many creators are listed.
const tallyTop = 20

// WriteText writes the tables, largest first.
func (t *Tally) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "COUNT\tKIND\tCALL\tRESULT")
	for _, s := range sortedKeys(t.shapes, func(s shape) uint64 { return t.shapes[s] }) {
		result := "ok"
		if s.errno != 0 {
			result = s.errno.String()
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\n", t.shapes[s], s.kind, s.call, result)
	}
	fmt.Fprintln(tw, "\nCREATED\tFAILED\tPID\tCOMM")
	top := sortedKeys(t.creators, func(c creator) uint64 { return t.creators[c].created + t.creators[c].failed })
	rest := t.others
	for i, c := range top {
		o := t.creators[c]
		if i >= tallyTop {
			rest.created += o.created
			rest.failed += o.failed
			continue
		}
		r := decode.Record{Comm: c.comm}
		fmt.Fprintf(tw, "%d\t%d\t%d\t%s\n", o.created, o.failed, c.pid, AppendSafe(nil, r.CommBytes()))
	}
	if rest != (outcomes{}) {
		fmt.Fprintf(tw, "%d\t%d\t\tall others\n", rest.created, rest.failed)
	}
	return tw.Flush()
}

// sortedKeys orders keys by a number, largest first, and by their text where it is equal.
func sortedKeys[K comparable, V any](m map[K]V, n func(K) uint64) []K {
	return slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		return cmp.Or(cmp.Compare(n(b), n(a)), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
}
