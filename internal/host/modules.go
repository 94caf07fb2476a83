// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/forktrace/forktrace/decode"
)

const (
	modulesFile  = "/sys/kernel/security/lsm"
	schedExtFile = "/sys/kernel/sched_ext/state"
)

// answers are the errors that a security module gives to a new task and to a new user
// namespace.
type answers struct{ task, userns []decode.Errno }

var (
	denied  = []decode.Errno{decode.EACCES}
	refused = []decode.Errno{decode.EPERM, decode.EACCES}
)

// moduleAnswers are those of the modules of Linux 7.3 that never answer anything else;
// the hooks task_alloc and userns_create below security/. What is not here, as bpf, may
// answer anything.
var moduleAnswers = map[string]answers{
	"capability": {}, "evm": {}, "ima": {}, "integrity": {}, "ipe": {}, "landlock": {}, "loadpin": {},
	"lockdown": {}, "safesetid": {}, "smack": {}, "tomoyo": {}, "yama": {},
	"apparmor": {userns: refused},
	"selinux":  {task: denied, userns: denied},
}

// modules are the names of the active security modules, nil where that is not known. They
// stay the same until the machine is started again.
func modules(file string) []string {
	list, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(list)), ",")
}

// judgeModules notes which hooks of the modules cannot have given an error. What they need
// memory for is not in their hands.
func judgeModules(s *decode.State, modules []string, errno decode.Errno) {
	task, userns := errno == decode.ENOMEM, errno == decode.ENOMEM
	for _, name := range modules {
		a, known := moduleAnswers[name]
		task = task || !known || slices.Contains(a.task, errno)
		userns = userns || !known || slices.Contains(a.userns, errno)
	}
	for _, hook := range [...]struct {
		condition decode.Condition
		may       bool
	}{{decode.CondLSMTask, task}, {decode.CondLSMUserNS, userns}} {
		if hook.may || modules == nil {
			s.Forget(hook.condition)
		} else {
			s.Set(hook.condition, false)
		}
	}
}

// judgeSchedExt notes whether a scheduler in BPF can have refused a task.
func judgeSchedExt(s *decode.State, file string) {
	state, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && sysfs() || err == nil && strings.TrimSpace(string(state)) == "disabled" {
		s.Set(decode.CondSchedExtFails, false)
		return
	}
	s.Forget(decode.CondSchedExtFails)
}

// sysfs says whether it is there, so that a missing file tells something.
func sysfs() bool {
	_, err := os.Stat("/sys/kernel")
	return err == nil
}
