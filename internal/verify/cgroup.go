// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
)

// Cgroup says what cgroup a case gets, which is made for it and removed after it.
type Cgroup int

// The kinds of cgroups.
const (
	CgroupNone       Cgroup = iota
	CgroupPlain             // as it is made
	CgroupKilled            // all in it were killed, when there was nothing in it
	CgroupPids0             // pids.max is 0
	CgroupBelowPids0        // below one whose pids.max is 0
	CgroupPids1             // pids.max is 1
	CgroupPids2             // pids.max is 2
	CgroupBusy              // hands a domain controller to its children
	CgroupInvalid           // of type domain invalid
	CgroupThreaded          // of type threaded, of another domain than the creator's
)

// cgroupKind is how a cgroup is made.
type cgroupKind struct {
	controller string // that it needs, of either version, unless unified
	unified    bool   // version 2
	prepare    func(dir string) (used string, err error)
	given      []decode.Condition
}

func writing(file, text string) func(string) (string, error) {
	return func(dir string) (string, error) {
		return dir, os.WriteFile(filepath.Join(dir, file), []byte(text), 0)
	}
}

var cgroupKinds = map[Cgroup]cgroupKind{
	CgroupPlain:      {unified: true},
	CgroupKilled:     {unified: true, prepare: writing("cgroup.kill", "1")},
	CgroupPids0:      {controller: "pids", unified: true, prepare: writing("pids.max", "0"), given: []decode.Condition{decode.CondPidsReached}},
	CgroupBelowPids0: {controller: "pids", unified: true, prepare: belowPids0, given: []decode.Condition{decode.CondPidsReached}},
	CgroupPids1:      {controller: "pids", prepare: writing("pids.max", "1"), given: []decode.Condition{decode.CondPidsReached}},
	CgroupPids2:      {controller: "pids", prepare: writing("pids.max", "2")},
	CgroupBusy:       {controller: "memory", unified: true, prepare: writing("cgroup.subtree_control", "+memory"), given: []decode.Condition{decode.CondCgroupBusy}},
	CgroupInvalid:    {unified: true, prepare: besideThreaded, given: []decode.Condition{decode.CondCgroupInvalid}},
	CgroupThreaded:   {unified: true, prepare: threaded, given: []decode.Condition{decode.CondCgroupOtherDomain}},
}

// belowPids0 makes a cgroup in one that may hold nothing.
func belowPids0(dir string) (string, error) {
	inner := filepath.Join(dir, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		return "", err
	}
	_, err := writing("pids.max", "0")(dir)
	return inner, err
}

// besideThreaded makes a threaded cgroup below dir, so that any other there is invalid.
func besideThreaded(dir string) (string, error) {
	if _, err := threaded(dir); err != nil {
		return "", err
	}
	invalid := filepath.Join(dir, "invalid")
	return invalid, os.Mkdir(invalid, 0o755)
}

func threaded(dir string) (string, error) {
	inner := filepath.Join(dir, "threaded")
	if err := os.Mkdir(inner, 0o755); err != nil {
		return "", err
	}
	return inner, os.WriteFile(filepath.Join(inner, "cgroup.type"), []byte("threaded"), 0)
}

// make makes the cgroup and returns its directory and what removes it.
func (c Cgroup) make() (dir string, remove func() error, err error) {
	kind := cgroupKinds[c]
	parents, err := kind.parents()
	if err != nil {
		return "", nil, err
	}
	err = errors.New("no such hierarchy is mounted")
	for _, parent := range parents {
		if dir, remove, err = kind.below(parent); err == nil {
			return dir, remove, nil
		}
	}
	return "", nil, err
}

func (k *cgroupKind) below(parent string) (string, func() error, error) {
	dir := filepath.Join(parent, fmt.Sprintf("forktrace-verify-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", nil, err
	}
	remove := func() error { return removeCgroup(dir) }
	if k.controller != "" {
		if _, err := os.Stat(filepath.Join(dir, k.controller+".max")); err != nil {
			return "", nil, errors.Join(fmt.Errorf("it has no %s controller", k.controller), remove())
		}
	}
	if k.prepare == nil {
		return dir, remove, nil
	}
	used, err := k.prepare(dir)
	if err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return used, remove, nil
}

// removeCgroup removes a cgroup and those below it. What has just died can be in it for a
// moment.
func removeCgroup(dir string) (err error) {
	var below []string
	if below, err = filepath.Glob(filepath.Join(dir, "*/")); err != nil {
		return err
	}
	for range 100 {
		for _, d := range append(below, dir) {
			err = unix.Rmdir(d)
		}
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("removing %s: %w", dir, err)
}

// parents are the directories below which such a cgroup may be made: this process's own
// cgroup, and, for a controller that it may not have, those above it.
func (k *cgroupKind) parents() ([]string, error) {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(own)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 || f[1] != "" && (k.unified || !slices.Contains(strings.Split(f[1], ","), k.controller)) {
			continue
		}
		top := cgroupMount(string(mounts), f[1])
		if top == "" {
			continue
		}
		for path := f[2]; ; path = filepath.Dir(path) {
			all = append(all, filepath.Join(top, path))
			if k.controller == "" || path == "/" || path == "." {
				break
			}
		}
	}
	return all, nil
}

// cgroupMount is where a hierarchy is mounted: that of version 2, if there are no
// controllers, or that of these controllers.
func cgroupMount(mounts, controllers string) string {
	for line := range strings.Lines(mounts) {
		f := strings.Fields(line)
		if len(f) < 4 {
			continue
		}
		if controllers == "" && f[2] == "cgroup2" ||
			controllers != "" && f[2] == "cgroup" && slices.Contains(strings.Split(f[3], ","), strings.Split(controllers, ",")[0]) {
			return f[1]
		}
	}
	return ""
}
