// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"os"
	"slices"
	"testing"
)

func TestBufferSize(t *testing.T) {
	for _, c := range []struct {
		given int
		want  uint32 // 0: refused
	}{
		{0, DefaultBufferSize},
		{MinBufferSize, 4096},
		{MinBufferSize - 1, 0},
		{-1, 0},
		{4097, 8192},
		{8192, 8192},
		{3 << 20, 4 << 20},
		{MaxBufferSize - 1, MaxBufferSize},
		{MaxBufferSize, MaxBufferSize},
		{MaxBufferSize + 1, 0},
	} {
		got, err := (&Options{BufferSize: c.given}).bufferSize()
		if (err != nil) != (c.want == 0) || got != c.want {
			t.Errorf("%d: %d, %v; want %d", c.given, got, err, c.want)
		}
		if err == nil && (got&(got-1) != 0 || int(got) < c.given) {
			t.Errorf("%d: %d is no power of two that holds it", c.given, got)
		}
	}
}

// TestBufferIsPages checks what the kernel wants of a ring: whole pages.
func TestBufferIsPages(t *testing.T) {
	if size, err := (&Options{BufferSize: MinBufferSize}).bufferSize(); err != nil || int(size)%os.Getpagesize() != 0 {
		t.Errorf("%d bytes, %v, with pages of %d", size, err, os.Getpagesize())
	}
}

// TestInflightSize: a machine with many CPUs evicts no entry that is in use.
func TestInflightSize(t *testing.T) {
	for cpus, want := range map[int]uint32{1: 4096, 16: 4096, 256: 65536} {
		if got := inflightSizeFor(cpus); got != want {
			t.Errorf("%d CPUs: %d, want %d", cpus, got, want)
		}
	}
}

func TestWakeBytes(t *testing.T) {
	if n := (&Options{}).wakeBytes(4096); n == 0 || n >= 4096 {
		t.Errorf("the reader of a small buffer is woken at %d bytes", n)
	}
	if n := (&Options{Immediate: true}).wakeBytes(4096); n != 0 {
		t.Errorf("--immediate wakes at %d bytes", n)
	}
}

// TestNeeds: successes are hooked beside these, and ends before the other ones, so that few
// who join a tree have left it unseen and pruneTree has little to do.
func TestNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		options     Options
		ends, fails bool
	}{
		"everything":  {Options{}, false, true},
		"no failures": {Options{NoFailures: true}, false, false},
		"a process":   {Options{Pids: []uint32{1}}, true, true},
		"a command":   {Options{Launch: true, NoFailures: true}, true, false},
	} {
		needs := c.options.needs()
		if slices.Contains(needs, NeedCreated) {
			t.Errorf("%s: successes would be hooked twice: %q", name, needs)
		}
		if (needs[0] == NeedExited) != c.ends || slices.Contains(needs[1:], NeedExited) {
			t.Errorf("%s: ends are not hooked first, or for nothing: %q", name, needs)
		}
		if slices.Contains(needs, NeedFailed) != c.fails {
			t.Errorf("%s: %q", name, needs)
		}
	}
}

func TestCommKey(t *testing.T) {
	for name, want := range map[string]string{
		"sh":                        "sh\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"fifteen-letters":           "fifteen-letters\x00",
		"sixteen--letters":          "sixteen--letter\x00",
		"far more than it can hold": "far more than i\x00",
	} {
		if key := CommKey(name); string(key[:]) != want {
			t.Errorf("%q: %q", name, key)
		}
	}
}

// TestFilters: each filter alone is one, for the kernel looks at none where there are none.
func TestFilters(t *testing.T) {
	for name, o := range map[string]Options{
		"launched": {Launch: true}, "pids": {Pids: []uint32{1}}, "uids": {UIDs: []uint32{0}}, "ppids": {PPids: []uint32{1}},
		"comms": {Comms: []string{"a"}}, "cgroup": {CgroupDir: "/"}, "flags": {Flags: 1}, "failed only": {FailedOnly: true},
	} {
		if !o.Filtered() {
			t.Errorf("%s: no filter", name)
		}
	}
	if o := (Options{Details: true, Follow: true, NoFailures: true, Stages: StagesOfAll}); o.Filtered() {
		t.Error("a filter where all is traced")
	}
}
