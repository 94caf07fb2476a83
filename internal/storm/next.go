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
type Place struct{ Root string }

// tasksMax is the limit that is proposed: room for a service that has got out of hand to
// be looked at, none to go on.
const tasksMax = 100

// next is the command that would contain what a cgroup or a process does, and can be taken
// back: nothing is killed. Where tasks grow in number a limit does, where few are replaced
// over and over only a stop. It is never run.
func (w *Place) next(c *activity.Cgroup, origin *activity.Process, grows bool) string {
	switch {
	case c.Runtime == "docker" || c.Runtime == "podman":
		return c.Runtime + " pause " + quote(c.Container)
	case c.UserUnit != "":
		return "systemctl --user --machine=" + c.UID + "@ " + containUnit(c.UserUnit, grows)
	case c.Unit != "":
		return "systemctl " + containUnit(c.Unit, grows)
	}
	if s := w.contain(c.Path); s != "" {
		return s
	}
	if origin != nil && origin.Ended == 0 {
		return fmt.Sprintf("kill -STOP %d   # only itself; new limit for those that it makes: prlimit --pid %d --nproc=%d, not for root's", origin.ID.Pid, origin.ID.Pid, tasksMax)
	}
	return ""
}

func containUnit(unit string, grows bool) string {
	if grows {
		return fmt.Sprintf("set-property --runtime %s TasksMax=%d", quote(unit), tasksMax)
	}
	return "kill --signal=STOP " + quote(unit) + "   # --signal=CONT lets it go on"
}

// contain stops a cgroup that no manager owns, by the file that it has. The root of the
// hierarchy holds everybody and is left alone.
func (w *Place) contain(path string) string {
	if w.Root == "" || path == "" || path == "/" {
		return ""
	}
	for _, c := range []struct{ file, value string }{{"cgroup.freeze", "1"}, {"pids.max", "0"}} {
		file := filepath.Join(w.Root, path, c.file)
		if _, err := os.Stat(file); err == nil {
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
