// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Expectation is one line of the creations program: what a tracer must say. What is nil
// or empty is not to be compared.
type Expectation struct {
	Case       string          `json:"case"`
	Entry      string          `json:"entry"`
	Kind       string          `json:"kind"`
	Call       string          `json:"call"`
	Layer      string          `json:"layer"` // of a failure, for plans that can know it
	Tid        int64           `json:"tid"`   // the creator's
	Flags      *string         `json:"flags"`
	ExitSignal *int            `json:"exit_signal"`
	Result     int64           `json:"result"`
	Errno      int             `json:"errno"` // of what made the kernel create
	Shares     map[string]bool `json:"shares"`
	Creator    *Creator        `json:"creator"`
	Request    map[string]any  `json:"request"`  // what of it the flags ask for
	Function   string          `json:"function"` // how that of a task that the kernel makes begins, for plans that can know it
	// Unexpected is there when this kernel's answer was not the one in the program's table.
	Unexpected *int64 `json:"unexpected"`
	Want       int64  `json:"want"`
}

// Expectations reads the output of "creations cases" or "creations kernel".
func Expectations(t testing.TB, output []byte) []Expectation {
	t.Helper()
	var all []Expectation
	for line := range bytes.Lines(output) {
		var e Expectation
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("reading an expectation: %v\n%s", err, line)
		}
		if e.Unexpected != nil {
			complain := t.Errorf
			if InGuest() { // other kernels have other rules; what they did must be seen all the same
				complain = t.Logf
			}
			complain("%s: the kernel answered %d, not %d", e.Case, *e.Unexpected, e.Want)
			continue
		}
		all = append(all, e)
	}
	return all
}

// Load is what the creations program prints about a load.
type Load struct{ Created, Failed int }

// LoadResult reads the output of "creations load" or "creations tree".
func LoadResult(t testing.TB, output []byte) Load {
	t.Helper()
	var l Load
	if err := json.Unmarshal(output, &l); err != nil {
		t.Fatalf("reading the result of a load: %v\n%s", err, output)
	}
	return l
}
