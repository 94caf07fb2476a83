// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"testing"

	"github.com/cilium/ebpf/rlimit"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestClassicWherePreempted: the hook that cannot be preempted is the one attached where
// the answer is that BTF tracepoints can be, and nowhere else.
func TestClassicWherePreempted(t *testing.T) {
	testkit.NeedRoot(t)
	if err := rlimit.RemoveMemlock(); err != nil {
		t.Fatal(err)
	}
	kernel, err := KernelTypes()
	if err != nil {
		t.Fatal(err)
	}
	preemptible, err := tracepointsPreemptible(kernel)
	t.Logf("programs on BTF tracepoints can be preempted: %t, %v", preemptible, err)
	tr, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	for _, a := range tr.Plan() {
		if a.Need == NeedCreated && (a.Hook.Program == "task_newtask_classic") != preemptible {
			t.Errorf("attached: %s", a.Hook.Name)
		}
	}
}
