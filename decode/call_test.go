// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

func TestCallForms(t *testing.T) {
	for i := range CallForms {
		f := &CallForms[i]
		ownSentence(t, f.Name, f.Sentence)
		if f.Source == "" || f.Flags&f.Optional != 0 || (f.Flags|f.Optional)&^KnownFlags != 0 {
			t.Errorf("%s: no source, or flags that overlap or do not exist", f.Name)
		}
		// Every row is the answer to its own words: none hides behind another.
		for _, entry := range f.Entries.List() {
			if got := CallOf(entry, f.Flags, f.ExitSignal, f.Stack); got != f {
				t.Errorf("%s by %v: found %+v", f.Name, entry, got)
			}
			if KindOf(entry, f.Flags) == KindUnknown {
				t.Errorf("%s by %v is of no kind", f.Name, entry)
			}
		}
	}
}

// TestRealCalls are requests seen under strace: glibc 2.36 and 2.41, musl 1.2.3, Go 1.26,
// CPython. The older ones of glibc and those of arm64 come from the sources.
func TestRealCalls(t *testing.T) {
	for _, c := range []struct {
		who   string
		entry Entry
		word  uint64 // with the exit signal
		stack uint64
		call  string
		kind  Kind
	}{
		{"glibc fork", EntryClone, 0x1200011, 0, "fork", KindProcess},
		{"glibc posix_spawn 2.33", EntryClone, 0x4111, 0x7f00, "posix_spawn/vfork", KindVfork},
		{"glibc posix_spawn 2.36", EntryClone3, 0x4111, 0x7f00, "posix_spawn", KindVfork},
		{"glibc posix_spawn 2.41", EntryClone3, 0x100004111, 0x7f00, "posix_spawn", KindVfork},
		{"glibc pidfd_spawn 2.41", EntryClone3, 0x100005111, 0x7f00, "pidfd_spawn", KindVfork},
		{"glibc pidfd_spawn 2.41 into a cgroup", EntryClone3, 0x300005111, 0x7f00, "pidfd_spawn", KindVfork},
		{"glibc pthread_create", EntryClone3, 0x3d0f00, 0x7f00, "pthread_create", KindThread},
		{"glibc pthread_create 2.33", EntryClone, 0x3d0f00, 0x7f00, "pthread_create", KindThread},
		{"glibc vfork, arm64", EntryClone, 0x4111, 0x7f00, "posix_spawn/vfork", KindVfork},
		{"musl fork", EntryFork, 0x11, 0, "fork", KindProcess},
		{"musl fork, arm64", EntryClone, 0x11, 0, "fork", KindProcess},
		{"musl vfork, CPython subprocess", EntryVfork, 0x4111, 0, "vfork", KindVfork},
		{"musl posix_spawn", EntryClone, 0x4111, 0x7fff, "posix_spawn/vfork", KindVfork},
		{"musl pthread_create", EntryClone, 0x7d0f00, 0x7fff, "pthread_create", KindThread},
		{"Go thread, amd64", EntryClone, 0xd0f00, 0xc000, "runtime.newosproc", KindThread},
		{"Go thread, arm64", EntryClone, 0x50f00, 0xc000, "runtime.newosproc", KindThread},
		{"Go exec", EntryClone, 0x5111, 0, "syscall.forkExec", KindVfork},
		{"Go exec, no pidfd", EntryClone, 0x4111, 0, "vfork", KindVfork},
		{"Go exec into a cgroup", EntryClone3, 0x200005111, 0, "syscall.forkExec", KindVfork},
		{"Go tries a pidfd", EntryClone, 0x5100, 0, "syscall.doCheckClonePidfd", KindVfork},
		{"kthreadd", EntryKernelThread, 0x800711, 0, "kthread_create", KindKernelThread},
		{"umh, not waited for", EntryUserModeHelper, 0x808111, 0, "call_usermodehelper", KindUserModeHelper},
		{"umh, waited for", EntryUserModeHelper, 0x800111, 0, "call_usermodehelper", KindUserModeHelper},
		{"io_uring", EntryIOWorker, 0x80810f00, 0, "create_io_thread", KindIOWorker},
		{"vhost", EntryVhostWorker, 0x810b00, 0, "vhost_task_create", KindVhostWorker},
		{"idle, 7.3", EntryIdle, 0x300, 0, "fork_idle", KindIdle},

		// Near misses are nobody's.
		{"fork with another signal", EntryClone, 0x120000a, 0, "", KindProcess},
		{"fork of a container", EntryClone, 0x3e020011, 0, "", KindContainer},
		{"thread without handlers", EntryClone, 0x3d0700, 0x7f00, "", KindThread},
		{"unknown entry", EntryUnknown, 0x3d0f00, 0x7f00, "", KindThread},
	} {
		flags, sig := SplitCloneWord(c.word)
		r := Record{
			Entry: c.entry, Flags: flags, ExitSignal: int32(sig), Stack: c.stack,
			Have: HaveFlags | HaveExitSignal | HaveStack,
		}
		if r.Call() != c.call || r.Kind() != c.kind {
			t.Errorf("%s: %v by %q, want %v by %q", c.who, r.Kind(), r.Call(), c.kind, c.call)
		}
	}
}

// TestCallOfWhatIsNotKnown: a name needs every word that it rests on.
func TestCallOfWhatIsNotKnown(t *testing.T) {
	for _, c := range []struct {
		r    Record
		want string
	}{
		{Record{Entry: EntryClone}, ""},
		{Record{Entry: EntryFork}, "fork"},
		{Record{Entry: EntryVfork}, "vfork"},
		{Record{Entry: EntryIOWorker}, "create_io_thread"},
		{Record{Entry: EntryKernelThread}, ""},
		{Record{Entry: EntryUnknown}, ""},
		{Record{Entry: EntryClone, Flags: 0x4100, ExitSignal: 17, Have: HaveFlags | HaveExitSignal}, ""},
		{Record{Entry: EntryClone, Flags: 0x1200000, Have: HaveFlags}, ""},
		{Record{Entry: EntryClone3, Flags: 0x3d0f00, Have: HaveFlags}, "pthread_create"}, // a thread has no exit signal
	} {
		if got := c.r.Call(); got != c.want {
			t.Errorf("%v %#x, have %#x: %q, want %q", c.r.Entry, c.r.Flags, c.r.Have, got, c.want)
		}
	}
}
