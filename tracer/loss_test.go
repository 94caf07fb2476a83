// SPDX-License-Identifier: Apache-2.0

package tracer

import "testing"

// TestLossMeter feeds records that carry what their CPU had lost before them, and then
// the total of the kernel side.
func TestLossMeter(t *testing.T) {
	type record struct {
		cpu  uint32
		lost uint64
		told uint64 // want
	}
	for name, c := range map[string]struct {
		records     []record
		total, rest uint64
	}{
		"nothing lost":         {[]record{{0, 0, 0}, {1, 0, 0}}, 0, 0},
		"in between":           {[]record{{0, 0, 0}, {0, 3, 3}, {0, 3, 0}, {0, 5, 2}}, 5, 0},
		"CPUs apart":           {[]record{{1, 4, 4}, {0, 4, 4}, {1, 4, 0}, {0, 6, 2}}, 10, 0},
		"far CPU":              {[]record{{1023, 1, 1}, {1023, 2, 1}}, 2, 0},
		"overtaken":            {[]record{{0, 5, 5}, {0, 4, 0}, {0, 6, 1}}, 6, 0},
		"after the last":       {[]record{{0, 2, 2}}, 9, 7},
		"only after the last":  {nil, 3, 3},
		"total behind records": {[]record{{0, 2, 2}}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var m lossMeter
			for i, r := range c.records {
				if got := m.seen(r.cpu, r.lost); got != r.told {
					t.Errorf("record %d: told %d, want %d", i, got, r.told)
				}
			}
			if got := m.rest(c.total); got != c.rest {
				t.Errorf("rest %d, want %d", got, c.rest)
			}
			if got := m.rest(c.total); got != 0 {
				t.Errorf("the rest was told twice: %d", got)
			}
		})
	}
}
