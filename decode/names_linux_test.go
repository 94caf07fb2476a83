// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"strings"
	"syscall"
	"testing"

	. "github.com/forktrace/forktrace/decode"
	"golang.org/x/sys/unix"
)

// TestFlagsAsXSys holds the table against golang.org/x/sys, which is generated from the
// kernel's headers. No name here may lack a row.
func TestFlagsAsXSys(t *testing.T) {
	theirs := map[string]uint64{
		"CLONE_AUTOREAP": unix.CLONE_AUTOREAP, "CLONE_CHILD_CLEARTID": unix.CLONE_CHILD_CLEARTID,
		"CLONE_CHILD_SETTID": unix.CLONE_CHILD_SETTID, "CLONE_CLEAR_SIGHAND": unix.CLONE_CLEAR_SIGHAND,
		"CLONE_DETACHED": unix.CLONE_DETACHED, "CLONE_EMPTY_MNTNS": unix.CLONE_EMPTY_MNTNS,
		"CLONE_FILES": unix.CLONE_FILES, "CLONE_FS": unix.CLONE_FS, "CLONE_INTO_CGROUP": unix.CLONE_INTO_CGROUP,
		"CLONE_IO": unix.CLONE_IO, "CLONE_NEWCGROUP": unix.CLONE_NEWCGROUP, "CLONE_NEWIPC": unix.CLONE_NEWIPC,
		"CLONE_NEWNET": unix.CLONE_NEWNET, "CLONE_NEWNS": unix.CLONE_NEWNS, "CLONE_NEWPID": unix.CLONE_NEWPID,
		"CLONE_NEWTIME": unix.CLONE_NEWTIME, "CLONE_NEWUSER": unix.CLONE_NEWUSER, "CLONE_NEWUTS": unix.CLONE_NEWUTS,
		"CLONE_NNP": unix.CLONE_NNP, "CLONE_PARENT": unix.CLONE_PARENT, "CLONE_PARENT_SETTID": unix.CLONE_PARENT_SETTID,
		"CLONE_PIDFD": unix.CLONE_PIDFD, "CLONE_PIDFD_AUTOKILL": unix.CLONE_PIDFD_AUTOKILL,
		"CLONE_PTRACE": unix.CLONE_PTRACE, "CLONE_SETTLS": unix.CLONE_SETTLS, "CLONE_SIGHAND": unix.CLONE_SIGHAND,
		"CLONE_SYSVSEM": unix.CLONE_SYSVSEM, "CLONE_THREAD": unix.CLONE_THREAD, "CLONE_UNTRACED": unix.CLONE_UNTRACED,
		"CLONE_VFORK": unix.CLONE_VFORK, "CLONE_VM": unix.CLONE_VM,
	}
	for _, f := range Flags {
		if v, ok := theirs[f.Name]; !ok || v != f.Value {
			t.Errorf("%s is %#x, in x/sys %#x", f.Name, f.Value, v)
		}
		delete(theirs, f.Name)
	}
	for name := range theirs {
		t.Errorf("%s has no row", name)
	}
	if CSignal != unix.CSIGNAL {
		t.Errorf("CSignal is %#x", CSignal)
	}
}

func TestErrnosAsXSys(t *testing.T) {
	aliases := map[string]string{"ENOTSUP": "EOPNOTSUPP", "EWOULDBLOCK": "EAGAIN", "EDEADLOCK": "EDEADLK", "EFSCORRUPTED": "EUCLEAN"}
	for n := Errno(1); n < 512; n++ {
		theirs := unix.ErrnoName(syscall.Errno(n))
		if alias, ok := aliases[theirs]; ok {
			theirs = alias
		}
		if got := n.Name(); got != theirs {
			t.Errorf("errno %d is %q, in x/sys %q", n, got, theirs)
		}
	}
}

func TestSignalsAsXSys(t *testing.T) {
	for sig := 1; sig < 32; sig++ {
		if got, theirs := SignalName(sig), unix.SignalName(syscall.Signal(sig)); !strings.EqualFold(got, theirs) {
			t.Errorf("signal %d is %q, in x/sys %q", sig, got, theirs)
		}
	}
}
