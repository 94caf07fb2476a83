// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/forktrace/forktrace/decode"
)

// stateNumbers are the words of --state that take a number, with the largest.
var stateNumbers = []struct {
	name     string
	largest  uint64
	set      func(*creatorState, uint64)
	sentence string
}{
	{"page-size", 1 << 16, func(c *creatorState, n uint64) { c.PageSize, c.saidPageSize = n, true }, "bytes in a page"},
	{"task-size", 1<<64 - 1, func(c *creatorState, n uint64) { c.TaskSize, c.saidTaskSize = n, true }, "the first address past user space"},
	{pidLevelsWord, 33, func(c *creatorState, n uint64) { c.PidLevels = uint8(n) }, "pid namespaces that the creator's children are in, 1 without nesting"},
	{"userns-levels", 34, func(c *creatorState, n uint64) { c.UserLevels = uint8(n) }, "user namespaces that the creator is in"},
}

const pidLevelsWord = "pidns-levels"

// stateSwitches are the words of --state that are no conditions of the rules by
// themselves.
var stateSwitches = []struct {
	name     string
	set      func(*creatorState, decode.Truth)
	sentence string
}{
	{"la57", (*creatorState).setLA57, "x86-64 with five levels of page tables"},
}

// levelWords are the words of --state that hold for one pid namespace of the child, or for
// all. Level 1 is the innermost, as in --set-tid; with CLONE_NEWPID it is the new one.
var levelWords = []levelWord{
	{"set-tid-busy", (*creatorState).setBusy, "the number of --set-tid for that pid namespace is in use, or all are"},
	{"cap-checkpoint-restore", func(c *creatorState, level int, t decode.Truth) error {
		return c.setCap(level, func(ns *decode.PidNamespace) { ns.CheckpointRestore = t })
	}, "the creator has CAP_CHECKPOINT_RESTORE over that pid namespace, or over all"},
	{"cap-sys-admin", func(c *creatorState, level int, t decode.Truth) error {
		return c.setCap(level, func(ns *decode.PidNamespace) { ns.SysAdmin = t })
	}, "the creator has CAP_SYS_ADMIN over that pid namespace; without LEVEL see above"},
}

type levelWord struct {
	name     string
	set      func(c *creatorState, level int, t decode.Truth) error // level 0 stands for all
	sentence string
}

// creatorState is a state in the making.
type creatorState struct {
	decode.State
	said         decode.ConditionSet // what the words speak of
	saidTaskSize bool
	saidPageSize bool
	saidPidMax   bool
	fresh        int // pid namespaces of the child that the call makes
	numbers      int // in set_tid
}

// state builds the state that the options describe for a request. What they do not speak of
// is taken not to hold.
func (o *callOptions) state(r *decode.Request) (*creatorState, error) {
	root, err := o.isRoot()
	if err != nil {
		return nil, err
	}
	arch := o.architecture()
	if !slices.Contains(architectures, arch) {
		return nil, usagef("--arch %.40s: must be amd64 or arm64", arch)
	}
	c := &creatorState{State: decode.OrdinaryState(root, arch), numbers: int(min(r.SetTidSize, uint64(len(r.Tids))))}
	if r.Flags&decode.CloneNewPid != 0 {
		c.fresh = 1
	}
	// how many levels there are, and who the creator is, decides what words of one level mean
	if err := o.setWords(c, arch, func(name, _ string) bool { return name == pidLevelsWord }); err != nil {
		return nil, err
	}
	for len(c.Pids) < int(c.PidLevels) {
		c.Pids = append(c.Pids, c.Pids[0])
	}
	if err := o.setWords(c, arch, func(name, value string) bool { return name != pidLevelsWord && !ofLevels(name, value) }); err != nil {
		return nil, err
	}
	if err := c.settleCaps(); err != nil {
		return nil, err
	}
	return c, o.setWords(c, arch, ofLevels)
}

// setWords sets those of the words of --state that are chosen.
func (o *callOptions) setWords(c *creatorState, arch string, chosen func(name, value string) bool) error {
	for _, word := range o.states {
		name, value, hasValue := strings.Cut(strings.TrimSpace(word), "=")
		if !chosen(name, value) {
			continue
		}
		if err := c.set(name, value, hasValue, arch); err != nil {
			return err
		}
	}
	return nil
}

// ofLevels says whether a word speaks of one pid namespace, or of all of them.
func ofLevels(name, value string) bool {
	level, _, _ := strings.Cut(value, ":")
	_, err := strconv.Atoi(level)
	isLevelWord := slices.ContainsFunc(levelWords, func(w levelWord) bool { return w.name == name })
	return name == "pid-max" || isLevelWord && (err == nil || name != decode.CondCapAdmin.Name())
}

func (c *creatorState) set(name, value string, hasValue bool, arch string) error {
	for _, n := range stateNumbers {
		if n.name == name {
			number, err := parseBounded(name, value, n.largest)
			if err == nil {
				n.set(c, number)
			}
			return err
		}
	}
	if name == "pid-max" {
		return c.setPidMax(value)
	}
	if ofLevels(name, value) {
		return c.setLevel(name, value, hasValue)
	}
	holds, err := parseHolds(name, value, hasValue)
	for _, w := range stateSwitches {
		if w.name == name {
			if err != nil {
				return err
			}
			if name == "la57" && arch != "amd64" {
				return usagef("--state la57: %s has none", arch)
			}
			w.set(c, holds)
			return nil
		}
	}
	condition, unknown := decode.ParseCondition(name)
	if unknown != nil {
		return nearState(unknown, name)
	}
	if err != nil {
		return err
	}
	c.said[condition/64] |= 1 << (condition % 64)
	c.Set(condition, holds == decode.Yes)
	if holds == decode.Open {
		c.Forget(condition)
	}
	return nil
}

func parseBounded(name, value string, largest uint64) (uint64, error) {
	number, err := parseNumber("state "+name, value)
	if err == nil && (number == 0 || number > largest) {
		err = usagef("--state %s: must be from 1 to %d", name, largest)
	}
	return number, err
}

func parseHolds(name, value string, hasValue bool) (decode.Truth, error) {
	holds, ok := map[string]decode.Truth{"": decode.Yes, "yes": decode.Yes, "no": decode.No, "unknown": decode.Open}[value]
	if !ok || hasValue && value == "" {
		return holds, usagef("--state %s: %.40q is none of yes, no and unknown", name, value)
	}
	return holds, nil
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
	for _, word := range levelWords {
		fmt.Fprintf(tw, "%s[=LEVEL]\t%s; 1 is the innermost, as in --set-tid\n", word.name, word.sentence)
	}
	for _, n := range stateNumbers {
		fmt.Fprintf(tw, "%s=N\t%s\n", n.name, n.sentence)
	}
	fmt.Fprint(tw, "pid-max=N\tkernel.pid_max of all pid namespaces\npid-max=LEVEL:N\tand of one\n")
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// nearState looks for near names among the words that are no conditions too.
func nearState(err error, name string) error {
	var unknown *decode.UnknownNameError
	if errors.As(err, &unknown) {
		names := append(decode.ConditionNames(), "pid-max")
		for _, n := range stateNumbers {
			names = append(names, n.name)
		}
		for _, w := range stateSwitches {
			names = append(names, w.name)
		}
		for _, w := range levelWords {
			names = append(names, w.name)
		}
		unknown.Near = decode.Nearest(name, names)
	}
	return err
}
