// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"os"
	"regexp"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

// notMade are the reasons that no test makes for real, and why.
var notMade = map[string]string{
	"audit-nomem": memoryShort, "creds-nomem": memoryShort, "exec-state-nomem": memoryShort, "files-nomem": memoryShort,
	"fs-nomem": memoryShort, "futex-hash-nomem": memoryShort, "io-nomem": memoryShort, "io-restrict-nomem": memoryShort,
	"mempolicy-nomem": memoryShort, "ns-nomem": memoryShort, "pid-nomem": memoryShort,
	"semundo-nomem": memoryShort, "shadow-stack": memoryShort, "sighand-nomem": memoryShort, "signal-nomem": memoryShort,
	"task-nomem": memoryShort, "userns-nomem": memoryShort, "kthread-struct": memoryShort, "perf-inherit": memoryShort,

	"newipc-not-built": notBuilt, "newnet-not-built": notBuilt, "newpid-not-built": notBuilt, "newtime-not-built": notBuilt,
	"newuts-not-built": notBuilt, "userns-not-built": notBuilt,

	"newnet-interrupted": "it takes a signal within microseconds",
	"signal-pending":     "it is no failure: the call is made again",

	"into-cgroup-ns": layout, "cpuset-fork": layout,

	"lsm-task-alloc": module, "userns-lsm": module, "scx-init-task": module,
	"tls-desc": "only 32-bit programs pass one", "umh-fs": "the kernel makes user mode helpers, and never asks for that",
	"newnet-init": "it takes a part of the network that refuses", "io-creator-dying": "no hook sees it: copy_process is not reached",
}

const (
	memoryShort = "it takes a kernel without memory at one point"
	notBuilt    = "every kernel of the matrix is built with it"
	layout      = "its cause takes a layout of namespaces, mounts or controllers that not every machine allows"
	module      = "it takes a security module or scheduler that refuses"
)

// TestReasonsAreMade: each reason is made for real by the load program, or by a request of
// the oracle's tests against the kernel, or listed with why it cannot be.
func TestReasonsAreMade(t *testing.T) {
	made := map[string]bool{"pids-limit": true, "fatal-signal": true} // cmd/forktrace, TestPidsLimit, TestFatalSignal
	for _, file := range []string{"reasons.c", "machine.c"} {
		source, err := os.ReadFile("../internal/creations/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ {4}\{"([a-z0-9-]+)",`).FindAllSubmatch(source, -1) {
			made[string(m[1])] = true
		}
	}
	seen := map[string]bool{}
	for i := range Rules {
		id := Rules[i].ID
		if seen[id] {
			continue
		}
		seen[id] = true
		if made[id] == (notMade[id] != "") {
			t.Errorf("%s: made: %t, listed as not made: %q", id, made[id], notMade[id])
		}
	}
	for id := range notMade {
		if !seen[id] {
			t.Errorf("%s is no reason", id)
		}
	}
}
