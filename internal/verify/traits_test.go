// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/tracer"
)

// TestVerifyTypes asks for what every kernel has and for what none has, also inside members
// without a name.
func TestVerifyTypes(t *testing.T) {
	kernel, err := tracer.KernelTypes()
	if err != nil {
		t.Skip("needs: types of the kernel: ", err)
	}
	for _, c := range []struct {
		one  decode.Type
		want decode.Truth
	}{
		{decode.Type{Struct: "task_struct", Field: "mm"}, decode.Yes},
		{decode.Type{Struct: "task_struct", Field: "no_such_thing"}, decode.No},
		{decode.Type{Struct: "no_such_thing", Field: "mm"}, decode.No},
		{decode.Type{Struct: "mm_struct", Field: "pgd"}, decode.Yes},
		{decode.Type{Func: "kernel_clone"}, decode.Yes},
		{decode.Type{Func: "no_such_thing"}, decode.Open},
	} {
		if got := hasType(kernel, c.one); got != c.want {
			t.Errorf("%+v: %v", c.one, got)
		}
	}
}

func TestFileTells(t *testing.T) {
	proc := t.TempDir()
	dir := filepath.Join(proc, "sys/kernel")
	sign := func(least int) *decode.FileSign { return &decode.FileSign{Path: "sys/kernel/n", Least: least} }
	if got := fileTells(sign(0), proc); got != decode.Open {
		t.Errorf("without any file: %v", got)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := fileTells(sign(0), proc); got != decode.No {
		t.Errorf("without the file: %v", got)
	}
	for _, c := range []struct {
		text  string
		least int
		want  decode.Truth
	}{{"0\n", 0, decode.Yes}, {"39\n", 40, decode.No}, {"40\n", 40, decode.Yes}, {"forty\n", 40, decode.Open}} {
		if err := os.WriteFile(filepath.Join(dir, "n"), []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := fileTells(sign(c.least), proc); got != c.want {
			t.Errorf("%q, at least %d: %v", c.text, c.least, got)
		}
	}
	if fileTells(nil, proc) != decode.Open {
		t.Error("no sign tells something")
	}
}

// TestVerifyLearn: what no probe and no type tells is known by the release alone, and said
// to be so. Every probe has its setup.
func TestVerifyLearn(t *testing.T) {
	for i := range decode.TraitTable {
		if p := decode.TraitTable[i].Probe; p != nil {
			if _, can := setups[p.Setup]; !can {
				t.Errorf("%s: there is no setup %q", decode.TraitTable[i].Name, p.Setup)
			}
		}
	}
	v := newVerifier(t)
	traits, all, err := v.Executor.Learn()
	if err != nil {
		t.Fatal(err)
	}
	guess, err := decode.TraitsOf(Release(), runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if l.Present != (traits&l.Trait.Trait != 0) {
			t.Errorf("%s: %+v, in the set %v", l.Trait.Name, l, traits&l.Trait.Trait != 0)
		}
		if l.By == ByRelease && (l.Trait.Types == nil && l.Trait.Probe != nil && v.root || l.Trait.File != nil) {
			t.Errorf("%s is known by the release alone", l.Trait.Name)
		}
		if l.By == ByProbe && l.Present != (guess&l.Trait.Trait != 0) && l.Trait.Archs == nil {
			t.Errorf("%s: probed %v, the table has the opposite", l.Trait.Name, l.Present)
		}
		t.Logf("STAT %s=%v by %s", l.Trait.Name, l.Present, l.By)
	}
	if size, err := v.Executor.TaskSize(); err != nil || size == 0 {
		t.Errorf("user space ends at %#x, %v", size, err)
	}
}
