// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/docs"
	"github.com/forktrace/forktrace/internal/testkit"
)

// everywhere are programs that every kernel's verifier must accept: those of failures, which
// have but one form.
var everywhere = []string{
	"copy_process_fexit", "copy_process_kretprobe", "kernel_clone_fexit", "kernel_clone_kretprobe", "clone3_fexit",
	"clone3_kretprobe", "secure_computing_fexit", "secure_computing_kretprobe", "syscalls_sys_exit", "sys_exit",
}

// TestVerifierCost prints how many instructions the verifier processes for each program
// that this kernel loads, so that growth is seen; a program near the limit of a million
// would be refused by the next kernel.
func TestVerifierCost(t *testing.T) {
	testkit.NeedRoot(t)
	k, err := openKernelSide(&Options{Details: true, Stages: StagesOfAll})
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
		var refused *ebpf.VerifierError
		if slices.Contains(everywhere, h.Program) && errors.As(err, &refused) {
			t.Errorf("%s: %v", h.Program, refused)
		}
		if err != nil {
			continue // not on this kernel, which doctor tells
		}
		seen[h.Program] = true
		report(t, k, h, p)
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

func report(t *testing.T, k *kernelSide, h *Hook, p *ebpf.Program) {
	t.Helper()
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	most := uint32(100000)
	n, ok := info.VerifiedInstructions()
	if !ok { // before 5.16: up to 5.11 readers are parts of the programs
		n, most = loggedCost(t, k, h), 150000
	}
	fmt.Printf("STAT verified.%s=%d\n", h.Program, n)
	if n > most {
		t.Errorf("%s: %d instructions verified, more than %d", h.Program, n, most)
	}
	if was, ok := recorded(t)[h.Program]; ok && int(n) > was+was/4 {
		t.Errorf("%s: %d instructions verified, a quarter more than the %d of docs/verifier.md", h.Program, n, was)
	}
}

// recorded are the numbers of docs/verifier.md for this kernel's series; nil if there are none.
func recorded(t *testing.T) map[string]int {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	release := strings.SplitN(unix.ByteSliceToString(u.Release[:]), ".", 3)
	column := runtime.GOARCH + "/" + strings.Join(release[:2], ".")
	at := -1
	numbers := map[string]int{}
	if !strings.Contains(docs.Verifier, "VERIFIED") {
		t.Error("docs/verifier.md has no table")
	}
	for line := range strings.Lines(docs.Verifier) {
		f := strings.Fields(line)
		switch {
		case len(f) > 0 && f[0] == "VERIFIED":
			at = slices.Index(f, column)
		case at > 0 && at < len(f):
			if n, err := strconv.Atoi(f[at]); err == nil {
				numbers[f[0]] = n
			}
		}
	}
	return numbers
}

var processed = regexp.MustCompile(`processed (\d+) insns`)

// loggedCost loads a program once more, and reads the number off the verifier's log.
func loggedCost(t *testing.T, k *kernelSide, h *Hook) uint32 {
	t.Helper()
	coll, err := k.load(h, ebpf.LogLevelStats)
	if err != nil {
		t.Fatal(err)
	}
	defer coll.Close()
	log := coll.Programs[h.Program].VerifierLog
	m := processed.FindStringSubmatch(log)
	if m == nil {
		t.Fatalf("%s: no number in %q", h.Program, log)
	}
	n, err := strconv.ParseUint(m[1], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}
