// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestSchemaOfRealOutput validates what real traces write against docs/schema.json.
func TestSchemaOfRealOutput(t *testing.T) {
	testkit.NeedRoot(t)
	schema := testkit.Schema(t)
	for name, c := range map[string]struct {
		options []string
		program []string
	}{
		"creations":       {nil, []string{"cases"}},
		"kernel":          {nil, []string{"kernel"}},
		"loss":            {[]string{"--buffer-size", "4096"}, []string{"load", "4", "1000"}},
		"without failing": {[]string{"--no-failures"}, []string{"cases"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := testkit.Start(t, c.options...)
			testkit.Output(t, exec.Command(testkit.Creations(t), c.program...))
			r.Stop(t)
			if n := testkit.Validate(t, schema, r.File); n < 3 {
				t.Errorf("%d lines only", n)
			}
			if lost := r.Events(t).Lost; name == "loss" && len(lost) == 0 {
				t.Error("no line told of loss")
			}
		})
	}
}
