// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/forktrace/forktrace/decode"
)

// stateNumbers are the words of --state that take a number, with the largest.
var stateNumbers = []struct {
	name     string
	largest  uint64
	set      func(*decode.State, uint64)
	sentence string
}{
	{"page-size", 1 << 16, func(s *decode.State, n uint64) { s.PageSize = n }, "bytes in a page"},
	{"task-size", 1<<64 - 1, func(s *decode.State, n uint64) { s.TaskSize = n }, "the first address past user space"},
	{"pidns-levels", 33, func(s *decode.State, n uint64) { s.PidLevels = uint8(n) }, "pid namespaces that the creator's children are in, 1 without nesting"},
	{"userns-levels", 34, func(s *decode.State, n uint64) { s.UserLevels = uint8(n) }, "user namespaces that the creator is in"},
	{"pid-max", 4 << 20, func(s *decode.State, n uint64) {
		for i := range s.Pids {
			s.Pids[i].PidMax = uint32(n)
		}
	}, "kernel.pid_max"},
}

// stateSwitches are the words of --state that are no conditions of the rules by
// themselves.
var stateSwitches = []struct {
	name     string
	set      func(*decode.State, decode.Truth)
	sentence string
}{
	{"la57", func(s *decode.State, t decode.Truth) {
		s.TaskSize = map[decode.Truth]uint64{decode.Yes: decode.TaskSizeAMD64LA57, decode.No: decode.TaskSizeAMD64}[t]
	}, "x86-64 with five levels of page tables"},
	{"set-tid-busy", func(s *decode.State, t decode.Truth) {
		for i := range s.TidBusy {
			s.TidBusy[i] = t
		}
	}, "the numbers of --set-tid are in use"},
	{"cap-checkpoint-restore", func(s *decode.State, t decode.Truth) {
		for i := range s.Pids {
			s.Pids[i].CheckpointRestore = t
		}
	}, "the creator has CAP_CHECKPOINT_RESTORE over the pid namespaces"},
}

// state builds the state that the options describe. said are the conditions that the
// options speak of; the others are taken not to hold.
func (o *callOptions) state() (s decode.State, said decode.ConditionSet, err error) {
	root, err := o.isRoot()
	if err != nil {
		return s, said, err
	}
	arch := o.architecture()
	if !slices.Contains(architectures, arch) {
		return s, said, usagef("--arch %.40s: must be amd64 or arm64", arch)
	}
	s = decode.OrdinaryState(root, arch)
	said = decode.ConditionsOf(decode.CondCapAdmin, decode.CondCapAdminInit, decode.CondCapResourceInit, decode.CondRootUser)
	for _, word := range o.states {
		if err := setState(&s, &said, strings.TrimSpace(word)); err != nil {
			return s, said, err
		}
	}
	for len(s.Pids) < int(s.PidLevels) {
		s.Pids = append(s.Pids, s.Pids[0])
	}
	return s, said, nil
}

func setState(s *decode.State, said *decode.ConditionSet, word string) error {
	name, value, hasValue := strings.Cut(word, "=")
	for _, n := range stateNumbers {
		if n.name == name {
			number, err := parseNumber("state "+name, value)
			if err == nil && (number == 0 || number > n.largest) {
				err = usagef("--state %s: must be from 1 to %d", name, n.largest)
			}
			if err == nil {
				n.set(s, number)
			}
			return err
		}
	}
	var set func(decode.Truth)
	for _, w := range stateSwitches {
		if w.name == name {
			set = func(t decode.Truth) { w.set(s, t) }
		}
	}
	if set == nil {
		c, err := decode.ParseCondition(name)
		if err != nil {
			return nearState(err, name)
		}
		set = func(t decode.Truth) {
			said[c/64] |= 1 << (c % 64)
			s.Set(c, t == decode.Yes)
			if t == decode.Open {
				s.Forget(c)
			}
		}
	}
	holds, ok := map[string]decode.Truth{"": decode.Yes, "yes": decode.Yes, "no": decode.No, "unknown": decode.Open}[value]
	if !ok || hasValue && value == "" {
		return usagef("--state %s: %.40q is none of yes, no and unknown", name, value)
	}
	set(holds)
	return nil
}

// writeStates lists the words of --state.
func writeStates(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range decode.ConditionNames() {
		c, _ := decode.ParseCondition(name) // a name of its own
		fmt.Fprintf(tw, "%s\t%s\n", name, decode.Conditions[c].Sentence)
	}
	for _, word := range stateSwitches {
		fmt.Fprintf(tw, "%s\t%s\n", word.name, word.sentence)
	}
	for _, n := range stateNumbers {
		fmt.Fprintf(tw, "%s=N\t%s\n", n.name, n.sentence)
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// nearState looks for near names among the words that are no conditions too.
func nearState(err error, name string) error {
	var unknown *decode.UnknownNameError
	if errors.As(err, &unknown) {
		names := decode.ConditionNames()
		for _, n := range stateNumbers {
			names = append(names, n.name)
		}
		for _, w := range stateSwitches {
			names = append(names, w.name)
		}
		unknown.Near = decode.Nearest(name, names)
	}
	return err
}
