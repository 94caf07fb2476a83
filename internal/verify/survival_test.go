// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main{M: m}.Run()) }

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
			hidden := c.Request.Entry == decode.EntryClone3 || c.Setup&SetupAutoreap != 0
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

// inside runs "forktrace verify" in namespaces of its own, after a shell in them has done
// something, and returns its output and exit status.
func inside(t *testing.T, flags uintptr, before string) (string, int) {
	t.Helper()
	testkit.NeedRoot(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	const guard = `[ $$ = 1 ] || exit 99; mount -t proc proc /proc || exit 98; `
	cmd := exec.CommandContext(ctx, "sh", "-c", guard+before+` || exit 97; exec "$0" verify --no-trace`, testkit.Forktrace(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | flags, Unshareflags: unix.CLONE_NEWNS}
	if flags&unix.CLONE_NEWUSER != 0 {
		ids := []syscall.SysProcIDMap{{Size: 1}}
		cmd.SysProcAttr.UidMappings, cmd.SysProcAttr.GidMappings = ids, ids
	}
	out, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code >= 97 {
		t.Fatalf("preparing: status %d\n%s", code, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// conforms says whether a run found nothing but known bugs.
func conforms(t *testing.T, out string, status int) {
	t.Helper()
	if status != 0 && status != 6 || strings.Count(out, " 0 diverge ") != len(Suites) {
		t.Errorf("status %d\n%s", status, out)
	}
}

// TestVerifyNoExec: programs may not be executed from memory. The sysctl is the pid
// namespace's own.
func TestVerifyNoExec(t *testing.T) {
	testkit.NeedRoot(t)
	const sysctl = "/proc/sys/vm/memfd_noexec"
	if _, err := os.Stat(sysctl); err != nil {
		t.Skip("needs: memfd_noexec: it came with Linux 6.3")
	}
	before, _ := os.ReadFile(sysctl)
	out, status := inside(t, 0, "echo 2 >"+sysctl)
	conforms(t, out, status)
	if after, _ := os.ReadFile(sysctl); string(after) != string(before) {
		t.Errorf("%s of the machine was %s and is %s", sysctl, before, after)
	}
}

// TestVerifyNoUserNS: user namespaces are not allowed, in one in which that is so.
func TestVerifyNoUserNS(t *testing.T) {
	out, status := inside(t, unix.CLONE_NEWUSER, "echo 0 >/proc/sys/user/max_user_namespaces")
	conforms(t, out, status)
	if !strings.Contains(out, "left out: the request is refused here by userns-quota") {
		t.Errorf("%s", out)
	}
}

// TestVerifyFullTable: no process can be created to make a request.
func TestVerifyFullTable(t *testing.T) {
	testkit.NeedRoot(t)
	v := newVerifier(t)
	dir, remove, err := CgroupPids1.make()
	if err != nil {
		t.Skipf("needs: pids controller: %v", err)
	}
	procs := filepath.Join(dir, "cgroup.procs")
	pid := []byte(strconv.Itoa(v.Executor.cmd.Process.Pid))
	if err := os.WriteFile(procs, pid, 0); err != nil {
		t.Fatal(err)
	}
	r := clone(0)
	if _, err := v.Executor.Issue(&r, 0, ""); !errors.Is(err, ErrNoWorker) || !errors.Is(err, unix.EAGAIN) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "cgroup.procs"), pid, 0); err != nil {
		t.Fatal(err)
	}
	if a, err := v.Executor.Issue(&r, 0, ""); err != nil || a != (Answer{}) {
		t.Errorf("with room again: %+v, %v", a, err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
}

// TestVerifyUser runs all as an ordinary user: what he cannot do is named, nothing diverges.
func TestVerifyUser(t *testing.T) {
	testkit.NeedRoot(t)
	cmd := exec.Command(testkit.Forktrace(t), "verify")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4000000018, Gid: 4000000018}}
	out, _ := cmd.CombinedOutput()
	conforms(t, string(out), cmd.ProcessState.ExitCode())
	for _, want := range []string{"needs root: into-cgroup", "checks      left out: needs root"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestVerifyWorkerKilled: a process that is killed while it makes a request is reported.
func TestVerifyWorkerKilled(t *testing.T) {
	testkit.NeedRoot(t)
	v := newVerifier(t)
	// the child of vfork waits for its creator: what kills the creator meanwhile leaves no answer
	r := clone3(decode.CloneVfork)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		children := fmt.Sprintf("/proc/%d/task/%[1]d/children", v.Executor.cmd.Process.Pid)
		for range 1000 {
			b, _ := os.ReadFile(children)
			if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
				_ = unix.Kill(pid, unix.SIGKILL)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	a, err := v.Executor.Observe("suspended", &r, 0, "")
	<-stopped
	if err != nil || !a.Died {
		t.Errorf("%+v %v", a, err)
	}
	if a, err := v.Executor.Issue(&r, 0, ""); err != nil || a != (Answer{}) {
		t.Errorf("the next request: %+v %v", a, err)
	}
}
