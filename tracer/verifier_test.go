// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestVerifierCost prints how many instructions the verifier processes for each program
// that this kernel loads, so that growth is seen; a program near the limit of a million
// would be refused by the next kernel.
func TestVerifierCost(t *testing.T) {
	testkit.NeedRoot(t)
	k, err := openKernelSide(&Options{Details: true})
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	seen := map[string]bool{}
	for i := range Hooks {
		h := &Hooks[i]
		if seen[h.Program] {
			continue
		}
		link, p, err := k.try(h)
		if err != nil {
			continue // not on this kernel, which doctor tells
		}
		seen[h.Program] = true
		report(t, h.Program, p)
		if err := link.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	if !seen["task_newtask"] && !seen["task_newtask_old"] {
		t.Error("neither program for successes loads")
	}
}

func report(t *testing.T, name string, p *ebpf.Program) {
	t.Helper()
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	n, ok := info.VerifiedInstructions()
	if !ok {
		return // before 5.16
	}
	fmt.Printf("STAT verified.%s=%d\n", name, n)
	const most = 100000
	if n > most {
		t.Errorf("%s: %d instructions verified, more than %d", name, n, most)
	}
}
