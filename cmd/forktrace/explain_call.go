// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/forktrace/forktrace/decode"
)

// callOptions are the options of explain that describe a call and who makes it, as they
// were given.
type callOptions struct {
	call       string
	flags      string
	errno      string
	kernel     string
	arch       string
	user       string
	states     []string
	exitSignal string
	numbers    map[string]*string
	setTid     []string
	faults     []string
	tailSet    bool
}

// numberOptions are the options that take a number, with their help.
var numberOptions = []struct{ name, help string }{
	{"stack", "stack of clone3: lowest `ADDRESS`"},
	{"stack-size", "and its size in `BYTES`"},
	{"tls", "thread pointer: `ADDRESS`"},
	{"pidfd", "place for the pidfd: `ADDRESS` (default: fine)"},
	{"parent-tid", "place for the thread id: `ADDRESS` (default: fine)"},
	{"set-tid-size", "`NUMBER` in set_tid_size (default: as --set-tid has)"},
	{"cgroup", "descriptor for CLONE_INTO_CGROUP: `NUMBER`"},
	{"size", "size of clone_args in `BYTES` (default 88)"},
}

func (o *callOptions) register(c *cobra.Command) {
	f := c.Flags()
	f.SortFlags = false
	f.StringVar(&o.call, "call", "", "`CALL` to judge: "+strings.Join(callNames(), ", "))
	f.StringVar(&o.flags, "flags", "", "its `FLAGS`, as NEWUSER,NEWPID or a number")
	f.StringVar(&o.errno, "errno", "", "`ERRNO` that was seen; alone: list its causes")
	f.StringVar(&o.kernel, "kernel", "", "`RELEASE`, as 6.12, or all (default: as running)")
	f.StringVar(&o.arch, "arch", "", "its `ARCH`: amd64 or arm64 (default: as its name)")
	f.StringVar(&o.user, "user", "", "`WHO` calls: root or unprivileged (default: you)")
	f.StringSliceVar(&o.states, "state", nil, "what else holds: `STATES`, as pid-init,pid-max=N,\nNAME=no, NAME=unknown, set-tid-busy=LEVEL,\ncap-checkpoint-restore=LEVEL:no; list shows them all")
	f.StringVar(&o.exitSignal, "exit-signal", "", "`SIGNAL` for the end, name or number")
	o.numbers = map[string]*string{}
	for _, n := range numberOptions {
		o.numbers[n.name] = f.String(n.name, "", n.help)
	}
	f.StringSliceVar(&o.setTid, "set-tid", nil, "ids to choose: `TIDS`, innermost namespace first")
	f.StringSliceVar(&o.faults, "fault", nil, "`MEMORY` out of reach: args, tail, set-tid, pidfd")
	f.BoolVar(&o.tailSet, "tail-set", false, "clone_args beyond 88 bytes is not zero")
}

// errorOptions are those that go with --errno alone.
var errorOptions = []string{"errno", "kernel", "arch"}

// given says whether any of the options was.
func (o *callOptions) given(c *cobra.Command) bool {
	return changed(c, errorOptions) || o.described(c)
}

// described says whether an option that is about a call was given.
func (o *callOptions) described(c *cobra.Command) bool {
	for _, n := range numberOptions {
		if c.Flags().Changed(n.name) {
			return true
		}
	}
	return changed(c, []string{"call", "flags", "user", "state", "exit-signal", "set-tid", "fault", "tail-set"})
}

// checkUse says whether the arguments and options ask for one thing.
func (o *callOptions) checkUse(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 && slices.Contains(o.states, "list"):
		return nil
	case len(args) == 0 && !o.given(c):
		return usagef("explain what? Give flags or a number, as in: forktrace explain 0x3d0f00")
	case len(args) > 0 && o.given(c):
		return usagef("explain: either arguments or options that describe a call; flags of a call go to --flags")
	case o.call == "" && (o.described(c) || o.given(c) && o.errno == ""):
		return usagef("explain: --call is missing: %s", strings.Join(callNames(), ", "))
	}
	return nil
}

func changed(c *cobra.Command, names []string) bool {
	return slices.ContainsFunc(names, c.Flags().Changed)
}

// calls are the calls that --call knows, beside unshare, which creates nothing but has
// flags of the same names and mostly the same rules.
var calls = []decode.Entry{decode.EntryClone3, decode.EntryClone, decode.EntryFork, decode.EntryVfork}

const unshareCall = "unshare"

func callNames() (names []string) {
	for _, e := range calls {
		names = append(names, e.String())
	}
	return append(names, unshareCall)
}

func parseCall(name string) (decode.Entry, error) {
	for _, e := range calls {
		if e.String() == name {
			return e, nil
		}
	}
	if name == unshareCall {
		return decode.EntryUnknown, nil
	}
	return 0, &decode.UnknownNameError{What: "call", Name: name, Near: decode.Nearest(name, callNames())}
}

// Addresses that stand for memory of the caller.
const (
	pidfdPlace     = 0x1000
	parentTidPlace = 0x2000
	setTidPlace    = 0x3000
)

// request builds the request that the options describe.
func (o *callOptions) request() (decode.Request, error) {
	r := decode.Request{Size: decode.CloneArgsSize, Pidfd: pidfdPlace, ParentTid: parentTidPlace}
	var err error
	if r.Entry, err = parseCall(o.call); err != nil {
		return r, err
	}
	if (r.Entry == decode.EntryFork || r.Entry == decode.EntryVfork) && o.flags+o.exitSignal != "" {
		return r, usagef("%s takes no flags and no exit signal", o.call)
	}
	flags, signal, err := decode.ParseFlags(o.flags)
	if err != nil {
		return r, usageError{err}
	}
	r.Flags, r.ExitSignal = flags, uint64(signal)
	if r.Entry == decode.EntryUnknown && o.exitSignal != "" {
		return r, usagef("%s takes no exit signal", o.call)
	}
	if r.Entry == decode.EntryUnknown || o.exitSignal != "" || r.Entry != decode.EntryClone && !namesSignal(o.flags) {
		r.Flags, r.ExitSignal = flags|uint64(signal), 0 // low bits of a number are flags like others
	}
	if o.exitSignal != "" {
		if r.ExitSignal, err = parseExitSignal(o.exitSignal); err != nil {
			return r, err
		}
	}
	if r.Entry == decode.EntryClone {
		if r.ExitSignal > decode.CSignal {
			return r, usagef("--exit-signal %.40s: clone has one byte for it", o.exitSignal)
		}
		flags, signal := decode.SplitCloneWord(r.Flags | r.ExitSignal)
		r.Flags, r.ExitSignal = flags, uint64(signal)
	}
	if err := o.setNumbers(&r); err != nil {
		return r, err
	}
	return r, o.setFaults(&r)
}

// namesSignal says whether a signal is among flags by its name.
func namesSignal(flags string) bool {
	words := strings.FieldsFunc(flags, func(c rune) bool { return strings.ContainsRune("|, \t\n\r", c) })
	return slices.ContainsFunc(words, func(word string) bool {
		_, err := decode.ParseSignal(word)
		return err == nil && strings.HasPrefix(strings.ToUpper(word), "SIG")
	})
}

// parseExitSignal reads a signal's name, or any number: clone3 has 64 bits for it.
func parseExitSignal(s string) (uint64, error) {
	if s[0] >= '0' && s[0] <= '9' || s[0] == '-' {
		return parseNumber("exit-signal", s)
	}
	signal, err := decode.ParseSignal(s)
	return uint64(signal), err
}

// parseNumber reads a number of 64 bits; -1 and the like are what C makes of them.
func parseNumber(option, s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil && strings.HasPrefix(s, "-") {
		var negative int64
		if negative, err = strconv.ParseInt(s, 0, 64); err == nil {
			n = uint64(negative)
		}
	}
	if errors.Is(err, strconv.ErrRange) {
		return 0, usagef("--%s %.40s: does not fit into 64 bits", option, s)
	}
	if err != nil {
		return 0, usagef("--%s %.40q: not a number", option, s)
	}
	return n, nil
}

func (o *callOptions) setNumbers(r *decode.Request) error {
	for _, tid := range o.setTid {
		n, err := strconv.ParseInt(tid, 0, 32)
		if err != nil {
			return usagef("--set-tid %.40q: not a number of 32 bits", tid)
		}
		r.Tids = append(r.Tids, int32(n))
	}
	if len(r.Tids) > 0 {
		r.SetTid, r.SetTidSize = setTidPlace, uint64(len(r.Tids))
	}
	fields := map[string]*uint64{
		"stack": &r.Stack, "stack-size": &r.StackSize, "tls": &r.TLS, "pidfd": &r.Pidfd, "parent-tid": &r.ParentTid,
		"set-tid-size": &r.SetTidSize, "cgroup": &r.Cgroup, "size": &r.Size,
	}
	for _, option := range numberOptions {
		if s := *o.numbers[option.name]; s != "" {
			n, err := parseNumber(option.name, s)
			if err != nil {
				return err
			}
			*fields[option.name] = n
		}
	}
	return nil
}

func (o *callOptions) setFaults(r *decode.Request) error {
	if o.tailSet {
		r.Tail = decode.TailNonzero
	}
	for _, fault := range o.faults {
		switch fault {
		case "args":
			r.ArgsFault = decode.Yes
		case "tail":
			r.Tail = decode.TailFault
		case "set-tid":
			r.SetTidFault = decode.Yes
		case "pidfd":
			r.PidfdFault = decode.Yes
		default:
			names := []string{"args", "tail", "set-tid", "pidfd"}
			return &decode.UnknownNameError{What: "memory", Name: fault, Near: decode.Nearest(fault, names)}
		}
	}
	return nil
}

// architecture is that of --arch, or at the end of the release, or the running one.
func (o *callOptions) architecture() string {
	for _, arch := range architectures {
		if o.arch == "" && strings.HasSuffix(o.kernel, "-"+arch) {
			return arch
		}
	}
	if o.arch == "" {
		return runtime.GOARCH
	}
	return o.arch
}

var architectures = []string{"amd64", "arm64"}

// isRoot says whether the caller is root.
func (o *callOptions) isRoot() (bool, error) {
	switch o.user {
	case "":
		return os.Geteuid() == 0, nil
	case "root", "unprivileged":
		return o.user == "root", nil
	}
	return false, usagef("--user %.40s: must be root or unprivileged", o.user)
}
