// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// matchAll compares expectations with events, one to one: those of a creating thread come
// in its order.
func matchAll(t *testing.T, want []testkit.Expectation, got []testkit.Event) {
	t.Helper()
	pending := map[int64][]testkit.Expectation{}
	for _, w := range want {
		pending[w.Tid] = append(pending[w.Tid], w)
	}
	unexpected := 0
	for i := range got {
		e := &got[i]
		of := pending[e.Creator.Tid]
		if len(of) == 0 {
			if unexpected++; unexpected <= 10 {
				t.Errorf("unexpected event: %s", describe(e))
			}
			continue
		}
		pending[e.Creator.Tid] = of[1:]
		for _, difference := range compare(&of[0], e) {
			t.Errorf("%s: %s\n\t%s", of[0].Case, difference, describe(e))
		}
	}
	if unexpected > 0 {
		t.Errorf("%d unexpected events", unexpected)
	}
	for _, left := range pending {
		for _, w := range left {
			t.Errorf("%s by thread %d was not seen", w.Case, w.Tid)
		}
	}
}

// describe is the part of an event that tells which it is.
func describe(e *testkit.Event) string {
	flags := "no flags"
	if e.Flags != nil {
		flags = *e.Flags
	}
	return fmt.Sprintf("%s by %s %d/%d, %s, result %d", e.Entry, e.Creator.Comm, e.Creator.Pid, e.Creator.Tid, flags, e.Result)
}

// compare lists in what an event differs from its expectation.
func compare(w *testkit.Expectation, e *testkit.Event) (differences []string) {
	differ := func(field string, got, want any) {
		if got != want {
			differences = append(differences, fmt.Sprintf("%s is %v, want %v", field, got, want))
		}
	}
	differ("entry", e.Entry, w.Entry)
	differ("result", e.Result, w.Result)
	if w.Kind != "" {
		differ("kind", e.Kind, w.Kind)
	}
	if w.Call != "" {
		differ("call", e.Call, w.Call)
	}
	if w.Flags != nil {
		differ("flags", deref(e.Flags), *w.Flags)
	} else if w.Result < 0 { // the kernel refused before it had read them
		differ("flags", e.Flags == nil, true)
	}
	if w.ExitSignal != nil {
		differ("exit_signal", e.ExitSignal, signalInJSON(*w.ExitSignal))
	} else if w.Result < 0 {
		differ("exit_signal", e.ExitSignal, nil)
	}
	if w.Layer != "" && e.Layer != nil { // the exit of a system call does not tell
		differ("layer", *e.Layer, w.Layer)
	}
	if w.Result < 0 {
		differ("errno", deref(e.Errno), decode.Errno(-w.Result).Name())
	}
	if c := w.Creator; c != nil {
		got := testkit.Creator{Pid: e.Creator.Pid, PPid: e.Creator.PPid, UID: e.Creator.UID, GID: e.Creator.GID, Comm: e.Creator.Comm}
		differ("creator", got, *c)
	}
	for name, value := range w.Request {
		differ("request."+name, fmt.Sprint(e.Request[name]), fmt.Sprint(value))
	}
	if w.Function != "" && e.TookNS != nil { // which the same hook tells
		name := fmt.Sprint(e.Request["function"])
		differ("request.function "+name+" begins with "+w.Function, strings.HasPrefix(name, w.Function), true)
	}
	return append(differences, compareShares(w.Shares, e.Shares)...)
}

func compareShares(want, got map[string]bool) (differences []string) {
	for object, shared := range want {
		if is, known := got[object]; !known || is != shared {
			differences = append(differences, fmt.Sprintf("shares.%s is %v (known: %v), want %v", object, is, known, shared))
		}
	}
	return differences
}

func deref(s *string) string {
	if s == nil {
		return "absent"
	}
	return *s
}

// signalInJSON is how a signal is written: by name, or 0 for none.
func signalInJSON(sig int) any {
	if sig == 0 {
		return 0.0
	}
	return decode.SignalName(sig)
}

// checkAbsent requires of any event that what is not known is not there, and that what is
// there does not contradict itself.
func checkAbsent(t *testing.T, e *testkit.Event) {
	t.Helper()
	for _, rule := range eventRules {
		if !rule.holds(e) {
			t.Errorf("%s: %s", rule.says, describe(e))
		}
	}
	if e.Flags != nil {
		checkFlagNames(t, e)
	}
}

// checkFlagNames requires that names and number are the same flags.
func checkFlagNames(t *testing.T, e *testkit.Event) {
	t.Helper()
	var flags uint64
	for _, name := range e.FlagNames {
		bit, _, err := decode.ParseFlags(name)
		if err != nil {
			t.Errorf("flag_names: %v", err)
		}
		flags |= bit
	}
	if hex := string(decode.AppendHex(nil, flags)); hex != *e.Flags {
		t.Errorf("flags %s have the names %s, which are %s", *e.Flags, strings.Join(e.FlagNames, "|"), hex)
	}
}
