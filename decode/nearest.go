// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"
	"slices"
	"strings"
)

// UnknownNameError says that a name is in none of the tables it was looked up in.
type UnknownNameError struct {
	What string   // what was looked for: "flag", "errno", "kind", …
	Name string   // as it was given, and so chosen by whoever typed it
	Near []string // names that it may have been meant to be, best first; may be empty
}

// Error names the unknown name, quoted and shortened, and the near ones.
func (e *UnknownNameError) Error() string {
	const longest = 40
	name := e.Name
	if len(name) > longest {
		name = name[:longest] + "…"
	}
	msg := fmt.Sprintf("unknown %s %q", e.What, name)
	if len(e.Near) > 0 {
		msg += " (did you mean " + strings.Join(e.Near, ", ") + "?)"
	}
	return msg
}

// Limits of Nearest: how many names it proposes, and the length past which a name is no
// typing error. The second one bounds the work done for hostile input.
const (
	nearestMax    = 3
	nearestLength = 40
)

// Nearest returns up to three candidates that name may have been meant to be, best first:
// those a few typing errors away, upper and lower case being alike, and then those that
// begin with name. It returns nil when nothing is near.
func Nearest(name string, candidates []string) []string {
	if name == "" || len(name) > nearestLength {
		return nil
	}
	type match struct {
		name     string
		distance int
	}
	name = strings.ToLower(name)
	limit := 1 + len(name)/4
	var matches []match
	for _, c := range candidates {
		lower := strings.ToLower(c)
		d := editDistance(name, lower)
		if d > limit && len(name) >= 3 && strings.HasPrefix(lower, name) {
			d = limit
		}
		if d <= limit && d < len(name) {
			matches = append(matches, match{c, d})
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return a.distance - b.distance })
	var near []string
	for _, m := range matches[:min(nearestMax, len(matches))] {
		near = append(near, m.name)
	}
	return near
}

// editDistance is the number of insertions, deletions, replacements and swaps of
// neighbouring bytes that turn a into b (optimal string alignment).
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
