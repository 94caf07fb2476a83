// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	"github.com/forktrace/forktrace/decode"
)

// TestReleases wants --kernel all to show every kernel with which an answer can change.
func TestReleases(t *testing.T) {
	for _, release := range releases {
		if _, _, err := decode.ParseRelease(release); err != nil {
			t.Error(err)
		}
	}
	for _, row := range decode.TraitTable {
		since := row.Since.Series()
		if row.Debian || since == "0.0" || since == "5.9" {
			continue // no version's, or before the first release shown
		}
		if !slices.Contains(releases, since) {
			t.Errorf("%s came with %s, which --kernel all leaves out", row.Name, since)
		}
	}
}
