// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

const sigchld = 17

// TestSeedForms are the four ways of the book to call do_fork (seed-do_fork.txt).
func TestSeedForms(t *testing.T) {
	for _, c := range []struct {
		form  string
		entry Entry
		word  uint64 // flags and exit signal, as do_fork takes them
		kind  Kind
		call  string
	}{
		{"fork", EntryFork, sigchld, KindProcess, "fork"},
		{"vfork", EntryVfork, CloneVfork | CloneVM | sigchld, KindVfork, "vfork"},
		{"clone of a thread", EntryClone, 0x3d0f00, KindThread, "pthread_create"},
		{"clone of a process", EntryClone, CloneFiles | sigchld, KindProcess, ""},
		{"kernel thread", EntryKernelThread, CloneFS | CloneFiles | CloneVM | CloneUntraced | sigchld, KindKernelThread, "kthread_create"},
		{"kernel thread", EntryKernelThread, CloneVM | CloneUntraced, KindKernelThread, "kernel_thread"},
	} {
		flags, sig := SplitCloneWord(c.word)
		r := Record{Entry: c.entry, Flags: flags, ExitSignal: int32(sig), Have: HaveFlags | HaveExitSignal}
		if r.Kind() != c.kind || KindOf(c.entry, flags) != c.kind || r.Call() != c.call {
			t.Errorf("%s: %v by %q, want %v by %q", c.form, r.Kind(), r.Call(), c.kind, c.call)
		}
	}
}

func TestKindOf(t *testing.T) {
	for _, c := range []struct {
		entry Entry
		flags uint64
		want  Kind
	}{
		{EntryClone, 0, KindProcess},
		{EntryClone, CloneVfork, KindProcess}, // sleeps, but shares nothing
		{EntryClone, CloneVM, KindSharedVMProcess},
		{EntryClone3, CloneVM | CloneSighand | CloneFiles, KindSharedVMProcess},
		{EntryClone, CloneVM | CloneVfork | CloneNewPid, KindContainer},
		{EntryClone3, CloneNewUser | CloneNewNS, KindContainer},
		{EntryClone3, CloneNewTime, KindContainer},
		{EntryClone3, CloneEmptyMntNS, KindContainer},
		{EntryClone, 0x3d0f00 | CloneNewNet, KindThread}, // a thread in a new namespace
		{EntryClone3, CloneIntoCgroup | CloneVM | CloneVfork | CloneClearSighand, KindVfork},
		{EntryClone, CloneVM | CloneUntraced, KindSharedVMProcess}, // a system call, whatever it asks for
		{EntryUserModeHelper, 0x808100, KindUserModeHelper},
		{EntryIOWorker, 0x80810f00, KindIOWorker},
		{EntryVhostWorker, 0x810b00, KindVhostWorker},
		{EntryIdle, CloneVM, KindIdle},
		{EntryUnknown, 0, KindProcess},
		{EntryUnknown, CloneThread | CloneSighand | CloneVM, KindThread},
		{EntryUnknown, CloneVM | CloneUntraced, KindUnknown}, // the kernel's, but which?
		{Entry(200), CloneVM | CloneVfork, KindVfork},
	} {
		if got := KindOf(c.entry, c.flags); got != c.want {
			t.Errorf("%v %#x: %v, want %v", c.entry, c.flags, got, c.want)
		}
	}
}

// TestKindWithoutFlags: what was not recorded must not be guessed.
func TestKindWithoutFlags(t *testing.T) {
	for entry, want := range map[Entry]Kind{
		EntryUnknown: KindUnknown, EntryFork: KindProcess, EntryVfork: KindVfork, EntryClone: KindUnknown,
		EntryClone3: KindUnknown, EntryKernelThread: KindKernelThread, EntryUserModeHelper: KindUserModeHelper,
		EntryIOWorker: KindIOWorker, EntryVhostWorker: KindVhostWorker, EntryIdle: KindIdle, Entry(77): KindUnknown,
	} {
		r := Record{Entry: entry, Flags: CloneThread | CloneVM}
		if got := r.Kind(); got != want {
			t.Errorf("%v: %v, want %v", entry, got, want)
		}
	}
}

func TestKindTable(t *testing.T) {
	titles := map[string]bool{}
	for i, row := range Kinds {
		if int(row.Kind) != i || titles[row.Title] || strings.ToLower(row.Name) != row.Name {
			t.Errorf("row %d: %+v", i, row)
		}
		titles[row.Title] = true
		ownSentence(t, row.Name, row.Sentence)
		for _, text := range []string{row.Name, strings.ToUpper(row.Name), strings.ReplaceAll(row.Name, "_", "-")} {
			if k, err := ParseKind(text); err != nil || k != row.Kind {
				t.Errorf("%s reads as %v, %v", text, k, err)
			}
		}
	}
	if Kind(99).String() != "unknown" || Kind(99).Title() != "unknown" || Kind(99).Sentence() == "" {
		t.Error("a kind without a row")
	}
	var unknown *UnknownNameError
	if _, err := ParseKind("thraed"); !errors.As(err, &unknown) || !slices.Contains(unknown.Near, "thread") {
		t.Errorf("thraed: %v", err)
	}
}
