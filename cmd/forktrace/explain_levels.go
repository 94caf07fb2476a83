// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strconv"
	"strings"

	"github.com/forktrace/forktrace/decode"
)

// setLA57 says whether there are five levels of page tables.
func (c *creatorState) setLA57(t decode.Truth) {
	c.TaskSize = map[decode.Truth]uint64{decode.Yes: decode.TaskSizeAMD64LA57, decode.No: decode.TaskSizeAMD64}[t]
	c.saidTaskSize = true
}

// setLevel sets a word of one pid namespace, as NAME=LEVEL or NAME=LEVEL:no, or of all.
func (c *creatorState) setLevel(name, value string, hasValue bool) error {
	text, rest, ofOne := strings.Cut(value, ":")
	level, err := strconv.Atoi(text)
	if err != nil {
		level, rest, ofOne = 0, value, hasValue
	}
	holds, err := parseHolds(name, rest, ofOne)
	if err != nil {
		return err
	}
	for _, w := range levelWords {
		if w.name == name {
			return w.set(c, level, holds)
		}
	}
	return nil
}

// setBusy notes whether a number of set_tid is in use; level 0 stands for all.
func (c *creatorState) setBusy(level int, t decode.Truth) error {
	if level < 0 || level > 0 && level > c.numbers {
		return usagef("--state set-tid-busy=%d: --set-tid has %d numbers", level, c.numbers)
	}
	for i := range c.TidBusy {
		if level == 0 || i == level-1 {
			c.TidBusy[i] = t
		}
	}
	return nil
}

// setCap changes what the creator may in a pid namespace; level 0 stands for all.
func (c *creatorState) setCap(level int, change func(*decode.PidNamespace)) error {
	at := level - 1 - c.fresh
	if level != 0 && (at < 0 || at >= len(c.Pids)) {
		return usagef("--state: level %d: the creator is in %d pid namespaces, which are levels %d to %d", level, c.PidLevels, 1+c.fresh, len(c.Pids)+c.fresh)
	}
	for i := range c.Pids {
		if level == 0 || i == at {
			change(&c.Pids[i])
		}
	}
	return nil
}

// setPidMax sets the limit of numbers in one pid namespace, as LEVEL:N, or in all.
func (c *creatorState) setPidMax(value string) error {
	const limit = 4 << 20 // PID_MAX_LIMIT, include/linux/threads.h
	level, text, ofOne := strings.Cut(value, ":")
	if !ofOne {
		level, text = "0", value
	}
	at, err := strconv.Atoi(level)
	if err != nil {
		return usagef("--state pid-max=%.40s: %.40q is no level", value, level)
	}
	n, err := parseBounded("pid-max", text, limit)
	if err != nil {
		return err
	}
	c.saidPidMax = true
	return c.setCap(at, func(ns *decode.PidNamespace) { ns.PidMax = uint32(n) })
}

// answer is what is known of a condition.
func (c *creatorState) answer(condition decode.Condition) decode.Truth {
	if !c.Known.Has(condition) {
		return decode.Open
	}
	return decode.TruthOf(c.True.Has(condition))
}

// put sets a condition that follows from others.
func (c *creatorState) put(condition decode.Condition, t decode.Truth) {
	c.Set(condition, t == decode.Yes)
	if t == decode.Open {
		c.Forget(condition)
	}
}

// settleCaps lets capabilities follow from each other (capabilities(7), user_namespaces(7)):
// one in the initial user namespace is one everywhere, and who is in a lower one has none
// above it. The initial pid namespace belongs to the initial user namespace; others belong
// to any from there down to the creator's, which is not known.
func (c *creatorState) settleCaps() error {
	saidAdmin, saidInit := c.said.Has(decode.CondCapAdmin), c.said.Has(decode.CondCapAdminInit)
	admin, initial := c.answer(decode.CondCapAdmin), c.answer(decode.CondCapAdminInit)
	switch {
	case c.UserLevels > 1 && (saidInit && initial == decode.Yes || c.said.Has(decode.CondCapResourceInit) && c.answer(decode.CondCapResourceInit) == decode.Yes):
		return usagef("--state userns-levels=%d: a creator below the initial user namespace has no capabilities in that one", c.UserLevels)
	case c.UserLevels > 1:
		initial = decode.No
		c.put(decode.CondCapResourceInit, decode.No)
	case saidInit && initial == decode.Yes && saidAdmin && admin != decode.Yes:
		return usagef("--state: cap-sys-admin-init implies cap-sys-admin")
	case saidInit && initial == decode.Yes:
		admin = decode.Yes
	case saidAdmin && !saidInit: // the initial user namespace is its own one
		initial = admin
	}
	c.put(decode.CondCapAdmin, admin)
	c.put(decode.CondCapAdminInit, initial)
	for i := range c.Pids {
		within := decode.Open // what it may in a namespace that its own or a higher one owns
		if admin == decode.No || initial == decode.Yes {
			within = initial
		}
		if i == len(c.Pids)-1 {
			within = initial
		}
		c.Pids[i].SysAdmin = within
		if admin == decode.Yes && initial == decode.No { // root of a user namespace
			c.Pids[i].CheckpointRestore = within
		}
	}
	return nil
}
