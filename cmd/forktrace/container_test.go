// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// partly is a shell script that leaves of all hierarchies of cgroups one cgroup mounted, as
// container runtimes do, and then runs a command.
const partly = `set -e
shown=$1 at=$2
shift 2
mkdir "$at"
mount --bind "$shown" "$at"
grep -E ' - cgroup2? ' /proc/self/mountinfo | cut -d' ' -f5 | grep -vxF "$at" | while read -r m; do umount -l "$m"; done
exec "$@"`

// TestTopInContainer: in a container that sees all processes, but one cgroup only, the
// cgroups of others have their paths too: one process in each tells.
func TestTopInContainer(t *testing.T) {
	testkit.NeedRoot(t)
	program := testkit.Forktrace(t)
	shown, shownPath := testkit.PidsCgroup(t, 100)
	hidden, hiddenPath := testkit.PidsCgroup(t, 100)
	g := &generator{storm: "respawn", attempts: 20_000, seconds: 4}
	for _, dir := range []string{shown, hidden} {
		p := g.start(t, dir, stormName)
		defer func() { _ = p.Cmd.Process.Kill() }()
	}
	args := []string{"-c", partly, "sh", shown, filepath.Join(t.TempDir(), "cgroup"), program, "top", "-b", "3", "-i", "500ms", "--format", "json"}
	cmd := exec.Command("sh", append(args, testkit.PlanArgs()...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out := testkit.Output(t, cmd)
	for what, path := range map[string]string{"mounted": shownPath, "not mounted": hiddenPath} {
		if !bytes.Contains(out, []byte(`"`+path+`"`)) {
			t.Errorf("the cgroup that is %s, %s, is not in\n%s", what, path, out)
		}
	}
	// whose limit can be read
	if near := []byte(`"where":"` + shownPath + `"`); !bytes.Contains(out, near) {
		t.Errorf("no limit of %s in\n%s", shownPath, out)
	}
}
