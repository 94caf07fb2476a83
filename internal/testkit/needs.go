// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// NeedRoot skips a test that really traces, or changes the machine, when this is not root, or
// when the kernel has nothing of the plan that the matrix asks for.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs: root: it traces the machine or changes it")
	}
	if lacksPlan() {
		t.Skip("needs: the plan: nothing of it works on this kernel")
	}
}

// lacksPlan says whether a trace by the plan that the matrix asks for ends with the status
// that means so. It is asked once: in a guest a start takes seconds.
var lacksPlan = sync.OnceValue(func() bool {
	const kernelCannot = 5 // README, exit status
	plan := os.Getenv("FORKTRACE_PLAN")
	if !InGuest() || plan == "" || plan == "auto" {
		return false
	}
	var exit *exec.ExitError
	err := exec.Command(os.Getenv("FORKTRACE_BIN"), "trace", "--plan", plan, "-d", "10ms", "-o", os.DevNull).Run()
	return errors.As(err, &exit) && exit.ExitCode() == kernelCannot
})

// NeedGuest skips a test that changes the whole machine anywhere but in a guest.
func NeedGuest(t testing.TB) {
	t.Helper()
	if !InGuest() {
		t.Skip("needs: a guest: it changes limits of the whole machine")
	}
}

// NeedQuietHost skips a test that measures time or size in an emulated guest.
func NeedQuietHost(t testing.TB) {
	t.Helper()
	if InGuest() {
		t.Skip("needs: native machine: emulated speed says nothing")
	}
}

// InGuest says whether the tests run in a guest of internal/matrix, which has no compiler
// and is some ten times slower.
func InGuest() bool { return os.Getenv("FORKTRACE_MATRIX") != "" }

// Scale is the size of a load: n, or in a guest what is enough there, of which
// scripts/matrix --quick takes a quarter.
func Scale(n, guest int) int {
	switch {
	case !InGuest():
		return n
	case os.Getenv("FORKTRACE_QUICK") != "":
		return guest / 4
	}
	return guest
}
