// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/forktrace/forktrace/decode"
)

// conditionFiles are files below /proc that tell a condition: it holds when the file says
// so, or, with an empty text, when it is not there.
var conditionFiles = []struct {
	file, text string
	condition  decode.Condition
}{
	{"sys/user/max_user_namespaces", "0", decode.CondUserQuota},
	{"sys/user/max_mnt_namespaces", "0", decode.CondMntQuota},
	{"sys/user/max_uts_namespaces", "0", decode.CondUTSQuota},
	{"sys/user/max_ipc_namespaces", "0", decode.CondIPCQuota},
	{"sys/user/max_pid_namespaces", "0", decode.CondPidQuota},
	{"sys/user/max_cgroup_namespaces", "0", decode.CondCgroupQuota},
	{"sys/user/max_net_namespaces", "0", decode.CondNetQuota},
	{"sys/user/max_time_namespaces", "0", decode.CondTimeQuota},
	{"sys/kernel/unprivileged_userns_clone", "0", decode.CondUsernsCloneOff},
	{"self/ns/user", "", decode.CondNoUserNS},
	{"self/ns/uts", "", decode.CondNoUTSNS},
	{"self/ns/ipc", "", decode.CondNoIPCNS},
	{"self/ns/pid", "", decode.CondNoPidNS},
	{"self/ns/net", "", decode.CondNoNetNS},
	{"self/ns/time", "", decode.CondNoTimeNS},
}

// readPidMax is the end of the numbers of the pid namespace of this process, 0 if not known.
func readPidMax(proc string) uint32 {
	text, err := os.ReadFile(filepath.Join(proc, "sys/kernel/pid_max"))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32) // 0 for what is no number
	return uint32(n)
}

// readState sets what the files below proc tell of the machine.
func readState(s *decode.State, proc string) {
	for _, c := range conditionFiles {
		path := filepath.Join(proc, c.file)
		if c.text == "" {
			_, err := os.Lstat(path)
			s.Set(c.condition, os.IsNotExist(err))
			continue
		}
		b, err := os.ReadFile(path)
		s.Set(c.condition, err == nil && strings.TrimSpace(string(b)) == c.text)
	}
	// AppArmor decides by the program's profile, which is not known
	if b, err := os.ReadFile(filepath.Join(proc, "sys/kernel/apparmor_restrict_unprivileged_userns")); err == nil && strings.TrimSpace(string(b)) == "1" {
		s.Forget(decode.CondLSMUserNS)
	}
}
