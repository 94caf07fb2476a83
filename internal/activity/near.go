// SPDX-License-Identifier: Apache-2.0

package activity

import (
	"cmp"
	"slices"

	"github.com/forktrace/forktrace/internal/host"
)

// Nearest sorts out, of limits on the number of tasks, those that are limited at all, and
// orders them by how near they are to being reached; each place is told once.
func Nearest(limits []host.Limit, n int) []host.Limit {
	seen := map[string]bool{}
	limits = slices.DeleteFunc(slices.Clone(limits), func(l host.Limit) bool {
		drop := l.Max == nil || l.Used == nil || *l.Max == 0 || seen[l.Name+l.Where]
		seen[l.Name+l.Where] = true
		return drop
	})
	slices.SortStableFunc(limits, func(a, b host.Limit) int { return cmp.Compare(Fill(b), Fill(a)) })
	return limits[:min(n, len(limits))]
}

// Fill is the used part of a limit that has both numbers.
func Fill(l host.Limit) float64 { return float64(*l.Used) / float64(*l.Max) }
