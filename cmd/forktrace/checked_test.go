// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/forktrace/forktrace/internal/testkit"
)

// checkedRun traces a command and compares all that it creates with what the flags promise:
// there are no false alarms, and the command succeeds unless it may fail.
func checkedRun(t *testing.T, mayFail bool, argv ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, testkit.Forktrace(t), append([]string{"trace", "--check", "-o", os.DevNull, "--"}, argv...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil && (!mayFail || testkit.ExitStatus(t, err) == exitDiverges) {
		t.Errorf("%v: %s", err, stderr.String())
	}
	var violations, attempts int
	_, line, _ := strings.Cut(stderr.String(), "received, ")
	_, line, _ = strings.Cut(line, "\nforktrace: ")
	if _, err := fmt.Sscanf(line, "%d violations in %d attempts", &violations, &attempts); err != nil || violations != 0 || attempts == 0 {
		t.Errorf("%v, %d violations in %d attempts\n%s", err, violations, attempts, stderr.String())
	}
	t.Logf("STAT attempts=%d", attempts)
}

// program finds a program or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs: %s: it is not installed", name)
	}
	return path
}

// TestCheckedStress is about what stress-ng creates.
func TestCheckedStress(t *testing.T) {
	testkit.NeedRoot(t)
	stress := program(t, "stress-ng")
	for _, stressor := range []string{"clone", "fork", "vfork", "pthread", "daemon", "unshare", "io-uring"} {
		t.Run(stressor, func(t *testing.T) {
			checkedRun(t, true, stress, "--quiet", "--"+stressor, "1", "--timeout", "1s")
		})
	}
}

// TestCheckedContainers is about containers within containers: those of the load program,
// made by unshare and by clone3 in turn, and those of unshare(1).
func TestCheckedContainers(t *testing.T) {
	testkit.NeedRoot(t)
	t.Run("creations", func(t *testing.T) { checkedRun(t, false, testkit.Creations(t), "containers", "6") })
	t.Run("unshare", func(t *testing.T) {
		unshare := program(t, "unshare")
		if help, _ := exec.Command(unshare, "--help").CombinedOutput(); !strings.Contains(string(help), "--time") {
			t.Skip("needs: unshare: this one has no --time, as that of busybox")
		}
		argv := []string{"sh", "-c", "ls /proc/self/ns | sort | wc -l; (sleep 0.01 & wait); echo $(id -u)"}
		for range 4 {
			argv = append([]string{unshare, "--user", "--map-root-user", "--pid", "--fork", "--mount", "--mount-proc", "--net", "--uts", "--ipc", "--cgroup", "--time"}, argv...)
		}
		checkedRun(t, false, argv...)
	})
}

// TestCheckedBuild is about a compiler and make, two jobs at a time.
func TestCheckedBuild(t *testing.T) {
	testkit.NeedRoot(t)
	makeProgram, _ := program(t, "make"), program(t, "gcc")
	_, here, _, _ := runtime.Caller(0)
	sources := filepath.Join(filepath.Dir(here), "../../internal/creations")
	dir := t.TempDir()
	text := "SOURCES := $(notdir $(wildcard " + sources + "/*.c))\n" +
		"creations: $(SOURCES:.c=.o)\n\tgcc -o $@ $^\n" +
		"%.o: " + sources + "/%.c\n\tgcc -O2 -c -o $@ $<\n"
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	checkedRun(t, false, makeProgram, "--silent", "-j2", "-C", dir)
	if _, err := os.Stat(filepath.Join(dir, "creations")); err != nil {
		t.Error(err)
	}
}
