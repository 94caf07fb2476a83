// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
	"github.com/forktrace/forktrace/internal/verify"
)

// TestDoctor compares what doctor says of this kernel with a trace and with the tables.
func TestDoctor(t *testing.T) {
	testkit.NeedRoot(t)
	args := append([]string{"doctor", "--format", "json"}, testkit.PlanArgs()...)
	var r report
	out := testkit.Output(t, exec.Command(testkit.Forktrace(t), args...))
	testkit.ValidateLine(t, testkit.DoctorSchema(t), out)
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	for _, h := range r.Hooks {
		if strings.Contains(h.Error, "requires >=") || strings.Contains(h.Error, "MEMLOCK") || strings.Contains(h.Error, "mounted") {
			t.Errorf("%s: a guess of the library: %s", h.Name, h.Error)
		}
	}
	if !r.Works || r.Error != "" || r.Type != "doctor" {
		t.Errorf("works %v, error %q, type %q", r.Works, r.Error, r.Type)
	}
	hooks := map[string]string{}
	for _, h := range r.Hooks {
		hooks[h.Name] = h.Answer
		if (h.Error == "") != (h.Answer == "works") {
			t.Errorf("%s: answer %q, error %q", h.Name, h.Answer, h.Error)
		}
	}
	for _, n := range r.Plan {
		if n.Hook == "" && n.Blind == "" {
			t.Errorf("%s is served by nothing, and nothing is said to be missing", n.Need)
		}
		if n.Hook != "" && hooks[n.Hook] != "works" {
			t.Errorf("%s is used for %s, and its answer was %q", n.Hook, n.Need, hooks[n.Hook])
		}
	}
	if i := slices.IndexFunc(r.Plan, func(n reportNeed) bool { return n.Need == "successes" }); i < 0 || r.Plan[i].Hook == "" {
		t.Errorf("no hook for successes in %+v", r.Plan)
	}
	checkTraits(t, &r)
	for _, l := range r.Limits {
		if l.Used != nil && l.Max != nil && *l.Used > *l.Max {
			t.Errorf("%s of %s: %d used of %d", l.Name, l.Where, *l.Used, *l.Max)
		}
	}
}

// checkTraits compares what probes found with what the table has of this release: the
// kernels of the matrix are those that the table was made from.
func checkTraits(t *testing.T, r *report) {
	t.Helper()
	byTable, err := decode.TraitsOf(r.Kernel, runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	probed := 0
	for _, row := range r.Traits {
		if seen[row.Name] {
			t.Errorf("%s is listed twice", row.Name)
		}
		seen[row.Name] = true
		if row.By != string(verify.ByProbe) {
			continue
		}
		probed++
		if i := slices.IndexFunc(decode.TraitTable, func(info decode.TraitInfo) bool { return info.Name == row.Name }); i < 0 {
			t.Errorf("%s is no trait", row.Name)
		} else if table := byTable&decode.TraitTable[i].Trait != 0; table != row.Present {
			t.Errorf("%s: probed %v, by the table of traits %v", row.Name, row.Present, table)
		}
	}
	if probed < 5 {
		t.Errorf("%d traits probed", probed)
	}
}

// TestDoctorWithoutPrivilege needs no privilege to tell that one is missing, and which.
func TestDoctorWithoutPrivilege(t *testing.T) {
	testkit.NeedRoot(t)
	status, out, _ := runAs(t, &syscall.SysProcAttr{Credential: nobody}, []string{testkit.Forktrace(t), "doctor", "--format", "json"})
	testkit.ValidateLine(t, testkit.DoctorSchema(t), []byte(out))
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if status != exitKernel || r.Works || r.Error == "" {
		t.Errorf("status %d, works %v, error %q", status, r.Works, r.Error)
	}
	for _, c := range r.Capabilities {
		if c.Held {
			t.Errorf("nobody holds %s", c.Name)
		}
	}
	if len(r.Capabilities) == 0 || len(r.Limits) == 0 {
		t.Errorf("%d capabilities, %d limits", len(r.Capabilities), len(r.Limits))
	}
}
