// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
)

// hideClone3 has the kernel answer ENOSYS to clone3, as container runtimes do, in this
// thread and what it starts.
func hideClone3(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the system call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_CLONE3},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		t.Fatal(err)
	}
}

// TestVerifySeccomp: a filter that hides clone3 is said, once for each case, and no divergence.
func TestVerifySeccomp(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		hideClone3(t)
		v := newVerifier(t)
		for _, c := range Cases() {
			res, err := v.Run(&c)
			if err != nil {
				t.Error(err)
				return
			}
			hidden := c.Request.Entry == decode.EntryClone3
			if hidden != (res.Outcome == Skipped && strings.Contains(res.Reason, "ENOSYS")) && v.root || res.Outcome == Diverges {
				t.Errorf("%+v", res)
			}
		}
	}()
	<-done
}

// TestReadState: a machine without user namespaces, by sysctl and by configuration.
func TestReadState(t *testing.T) {
	proc := t.TempDir()
	file := filepath.Join(proc, "sys/user/max_user_namespaces")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := decode.OrdinaryState(true, "amd64")
	readState(&s, proc)
	for c, want := range map[decode.Condition]bool{decode.CondUserQuota: true, decode.CondNetQuota: false, decode.CondNoUserNS: true} {
		if s.True.Has(c) != want {
			t.Errorf("%s: %v", c.Name(), !want)
		}
	}
}
