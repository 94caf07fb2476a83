// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

func callNames(e Explanation) (names []string) {
	for _, f := range e.Calls {
		names = append(names, f.Name)
	}
	return slices.Compact(names)
}

func verdicts(e Explanation) string {
	var words []string
	for _, v := range e.Accepts {
		word := v.Call + " " + v.Accept.String()
		if len(v.Because) > 0 {
			word += " " + strings.Join(v.Because, "+")
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		text     string
		entry    Entry
		kind     Kind
		calls    string
		verdicts string
	}{
		{"0x1200011", EntryUnknown, KindProcess, "fork",
			"clone accepted; clone3 accepted; unshare refused CLONE_CHILD_CLEARTID+CLONE_CHILD_SETTID+SIGCHLD; setns refused CLONE_CHILD_CLEARTID+CLONE_CHILD_SETTID+SIGCHLD"},
		{"0x4111", EntryUnknown, KindVfork, "vfork,posix_spawn/vfork,posix_spawn", ""},
		{"0x4111", EntryClone, KindVfork, "vfork,posix_spawn/vfork", ""},
		{"0x3d0f00", EntryUnknown, KindThread, "pthread_create", ""},
		{"0x7d0f00", EntryUnknown, KindThread, "pthread_create",
			"clone ignored CLONE_DETACHED; clone3 refused CLONE_DETACHED; unshare refused CLONE_SETTLS+CLONE_CHILD_CLEARTID+CLONE_DETACHED; setns refused CLONE_VM+CLONE_FS+CLONE_FILES+CLONE_SIGHAND+CLONE_THREAD+CLONE_SYSVSEM+CLONE_SETTLS+CLONE_PARENT_SETTID+CLONE_CHILD_CLEARTID+CLONE_DETACHED"},
		{"0x800711", EntryUnknown, KindKernelThread, "kthread_create,kernel_thread", ""},
		{"0x808111", EntryUnknown, KindUserModeHelper, "call_usermodehelper", ""},
		{"0x80810f00", EntryUnknown, KindIOWorker, "create_io_thread", ""},
		{"0x810b00", EntryUnknown, KindVhostWorker, "vhost_task_create", ""},
		{"CLONE_VM", EntryUnknown, KindSharedVMProcess, "", ""},
		{"NEWNS|NEWTIME", EntryUnknown, KindContainer, "",
			"clone other_meaning CLONE_NEWTIME; clone3 varies CLONE_NEWTIME; unshare accepted; setns accepted"},
		{"THREAD|FS", EntryUnknown, KindThread, "",
			"clone accepted; clone3 accepted; unshare pretended CLONE_THREAD; setns refused CLONE_FS+CLONE_THREAD"},
		{"EMPTY_MNTNS|0x4000000000", EntryUnknown, KindContainer, "",
			"clone ignored CLONE_EMPTY_MNTNS+0x4000000000; clone3 refused 0x4000000000; unshare refused CLONE_EMPTY_MNTNS+0x4000000000; setns refused CLONE_EMPTY_MNTNS+0x4000000000"},
	} {
		flags, sig, err := ParseFlags(c.text)
		if err != nil {
			t.Fatal(err)
		}
		e := Explain(flags, sig, c.entry)
		if e.Kind != c.kind {
			t.Errorf("%s: kind %v, want %v", c.text, e.Kind, c.kind)
		}
		if got := strings.Join(callNames(e), ","); got != c.calls {
			t.Errorf("%s: calls %s, want %s", c.text, got, c.calls)
		}
		if got := verdicts(e); c.verdicts != "" && got != c.verdicts {
			t.Errorf("%s: verdicts\n%s, want\n%s", c.text, got, c.verdicts)
		}
	}
}

func TestExplainNotes(t *testing.T) {
	for _, c := range []struct {
		text  string
		entry Entry
		notes []string // a word of each, in order
	}{
		{"0x3d0f00", EntryUnknown, nil},
		{"0x7d0f00", EntryUnknown, []string{"clone3 refuses CLONE_DETACHED"}},
		{"0x7d0f00", EntryClone, nil},
		{"NEWTIME", EntryUnknown, []string{"bit 0x80"}},
		{"NEWTIME", EntryClone3, nil},
		{"CLEAR_SIGHAND|INTO_CGROUP", EntryClone, []string{"bit 32 and above"}},
		{"PARENT|SIGCHLD", EntryClone3, []string{"clone3 refuses an exit signal"}},
		{"EMPTY_MNTNS", EntryClone3, []string{"adds CLONE_NEWNS"}},
		{"VFORK", EntryClone, []string{"memory of its own"}},
		{"0x4000000000", EntryClone3, []string{"no name"}},
	} {
		flags, sig, err := ParseFlags(c.text)
		if err != nil {
			t.Fatal(err)
		}
		e := Explain(flags, sig, c.entry)
		if !slices.EqualFunc(e.Notes, c.notes, strings.Contains) {
			t.Errorf("%s by %v: notes %q, want %q", c.text, c.entry, e.Notes, c.notes)
		}
	}
}

func TestExplainSignal(t *testing.T) {
	for _, c := range []struct {
		flags uint64
		sig   int
		name  string
		text  string // part of it
	}{
		{0, 0, "", "no signal"},
		{0, 17, "SIGCHLD", "usual"},
		{0, 10, "SIGUSR1", "__WALL"},
		{0, 100, "", "no such signal"},
		{CloneAutoreap, 0, "", "nobody"},
		{CloneThread, 17, "SIGCHLD", "thread"},
		{CloneParent, 17, "SIGCHLD", "leader"},
	} {
		e := Explain(c.flags, c.sig, EntryClone)
		if e.SignalName != c.name || !strings.Contains(e.SignalText, c.text) {
			t.Errorf("%#x with %d: %q, %q", c.flags, c.sig, e.SignalName, e.SignalText)
		}
	}
}

// TestExplainLosesNothing: rows and residue together are the flags, whatever they are.
func TestExplainLosesNothing(t *testing.T) {
	for _, flags := range flagWords()[:500] {
		e := Explain(flags, 0, EntryUnknown)
		union := uint64(e.Residue)
		for _, f := range e.Known {
			union |= f.Value
		}
		if union != flags || uint64(e.Flags) != flags {
			t.Fatalf("%#x became %#x", flags, union)
		}
	}
}

func TestExplainJSON(t *testing.T) {
	text, err := json.Marshal(Explain(CloneVM|CloneVfork|1<<60, 17, EntryClone))
	if err != nil {
		t.Fatal(err)
	}
	if bare, err := json.Marshal(Explain(0, 0, EntryClone)); err != nil || strings.Contains(string(bare), "null") {
		t.Errorf("lists that are not lists: %s, %v", bare, err)
	}
	for _, want := range []string{
		`"flags":"0x1000000000004100"`, `"residue":"0x1000000000000000"`, `"name":"CLONE_VM"`, `"kind":"vfork"`,
		`"exit_signal_name":"SIGCHLD"`, `{"call":"clone","accept":"ignored","because":["0x1000000000000000"]}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
}
