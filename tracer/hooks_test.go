// SPDX-License-Identifier: Apache-2.0

package tracer

import "testing"

// TestHooksTable checks that every row can be attached and says what a person must know.
func TestHooksTable(t *testing.T) {
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	names := map[string]bool{}
	for _, h := range Hooks {
		if h.Name == "" || h.Gives == "" || h.Cost == "" || h.attach.attach == nil {
			t.Errorf("hook %q: a column is empty", h.Name)
		}
		if key := h.Name + string(h.Need); names[key] {
			t.Errorf("%s for %s is there twice", h.Name, h.Need)
		} else {
			names[key] = true
		}
		if spec.Programs[h.Program] == nil {
			t.Errorf("%s: the object has no program %q", h.Name, h.Program)
		}
		used[h.Program] = true
	}
	for name := range spec.Programs {
		if !used[name] {
			t.Errorf("program %s is in the object and in no row", name)
		}
	}
}

// TestEveryNeedHasAHook: whatever a trace may want, some row offers it.
func TestEveryNeedHasAHook(t *testing.T) {
	offered := map[Need]bool{}
	for _, h := range Hooks {
		offered[h.Need] = true
	}
	for _, need := range append((&Options{Launch: true}).needs(), NeedCreated) {
		if !offered[need] {
			t.Errorf("no hook for %s", need)
		}
	}
}

// TestKnobs: configure must find every variable and map that it sets, and a trace of
// everything must leave every filter off, so that the verifier can prune it.
func TestKnobs(t *testing.T) {
	spec, err := loadBpf()
	if err != nil {
		t.Fatal(err)
	}
	if err := configure(spec, spec.Types, &Options{NoFailures: true}, limitsAt{}); err != nil {
		t.Fatal(err)
	}
	for _, knob := range []string{"filters", "filter_tree", "filter_uid", "filter_ppid", "filter_comm", "filter_cgroup", "failed_only", "follow", "details"} {
		var on bool
		if err := spec.Variables[knob].Get(&on); err != nil || on {
			t.Errorf("%s is %v (%v) in a trace of everything", knob, on, err)
		}
	}
	if n := spec.Maps["events"].MaxEntries; n != DefaultBufferSize {
		t.Errorf("the ring has %d bytes", n)
	}
}
