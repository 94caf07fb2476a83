// SPDX-License-Identifier: Apache-2.0

package storm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/forktrace/forktrace/internal/activity"
)

// Place is where the cgroups are that limit creations.
type Place struct{ Dir func(path string) string }

// tasksMax is the limit that is proposed: room for a service that has got out of hand to
// be looked at, none to go on.
const tasksMax = 100

// next is the command that would contain what a cgroup or a process does, and can be taken
// back: nothing is killed. It is never run.
func (w *Place) next(c *activity.Cgroup, origin *activity.Process, r remedy) string {
	switch {
	case c.Unit == "init.scope" && c.Container == "": // the service manager itself
		return ""
	case c.Runtime == "docker" || c.Runtime == "podman":
		return c.Runtime + " pause " + quote(c.Container)
	case c.UserUnit != "":
		return "systemctl --user --machine=" + c.UID + "@ " + containUnit(c.UserUnit, r)
	case c.Unit != "":
		return "systemctl " + containUnit(c.Unit, r)
	}
	if s := w.contain(c.Path, r); s != "" {
		return s
	}
	const kthreadd = 2
	if origin != nil && origin.Ended == 0 && origin.ID.Pid > kthreadd {
		return fmt.Sprintf("kill -STOP %d   # only itself; new limit for those that it makes: prlimit --pid %d --nproc=%d, not for root's", origin.ID.Pid, origin.ID.Pid, tasksMax)
	}
	return ""
}

func containUnit(unit string, r remedy) string {
	if r == limited {
		return fmt.Sprintf("set-property --runtime %s TasksMax=%d", quote(unit), tasksMax)
	}
	return "kill --signal=STOP " + quote(unit) + "   # --signal=CONT lets it go on"
}

// contain stops a cgroup that no manager owns, by the file that it has. The root of the
// hierarchy holds everybody and is left alone. Version 1 has a limit only, on this hierarchy.
func (w *Place) contain(path string, r remedy) string {
	if w.Dir == nil || path == "" || path == "/" {
		return ""
	}
	dir := w.Dir(path)
	if dir == "" {
		return ""
	}
	for _, c := range []struct {
		file, value string
		freezes     bool
	}{{"cgroup.freeze", "1", true}, {"pids.max", "0", false}} {
		file := filepath.Join(dir, c.file)
		if _, err := os.Stat(file); err == nil && (c.freezes || r != frozen) {
			return "echo " + c.value + " > " + quote(file)
		}
	}
	return ""
}

// quote makes a word for a shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@,"
