// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/forktrace/forktrace/decode"
)

func TestJudgeModules(t *testing.T) {
	for name, c := range map[string]struct {
		list         string
		errno        decode.Errno
		task, userns bool // excluded
	}{
		"Debian's, without BPF":          {"lockdown,capability,landlock,yama,apparmor,tomoyo", decode.EACCES, true, false},
		"those answer nothing else":      {"lockdown,capability,landlock,yama,apparmor,tomoyo\n", decode.EAGAIN, true, true},
		"SELinux":                        {"capability,selinux", decode.EACCES, false, false},
		"SELinux gives one error":        {"capability,selinux", decode.EPERM, true, true},
		"BPF may answer anything":        {"capability,bpf", decode.EAGAIN, false, false},
		"one of a newer kernel":          {"capability,new", decode.EAGAIN, false, false},
		"memory may be short for anyone": {"capability", decode.ENOMEM, false, false},
		"not known":                      {"", decode.EACCES, false, false},
	} {
		file := filepath.Join(t.TempDir(), "lsm")
		if c.list != "" {
			if err := os.WriteFile(file, []byte(c.list), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var s decode.State
		s.Set(decode.CondLSMTask, false) // of another error before
		judgeModules(&s, modules(file), c.errno)
		if task, userns := s.Known.Has(decode.CondLSMTask), s.Known.Has(decode.CondLSMUserNS); task != c.task || userns != c.userns {
			t.Errorf("%s: excluded: task %t, user namespace %t", name, task, userns)
		}
	}
}

func TestJudgeSchedExt(t *testing.T) {
	for name, c := range map[string]struct {
		state    string
		excluded bool
	}{
		"no scheduler": {"disabled\n", true},
		"a scheduler":  {"enabled\n", false},
		"one changes":  {"disabling\n", false},
		"not built in": {"", true},
	} {
		file := filepath.Join(t.TempDir(), "state")
		if c.state != "" {
			if err := os.WriteFile(file, []byte(c.state), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var s decode.State
		judgeSchedExt(&s, file)
		if got := s.Known.Has(decode.CondSchedExtFails); got != c.excluded {
			t.Errorf("%s: excluded: %t", name, got)
		}
	}
}
