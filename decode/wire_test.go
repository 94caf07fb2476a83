// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

// oneRecord is a wire record in which every byte differs from its neighbours.
func oneRecord() []byte {
	b := make([]byte, WireSize)
	for i := range b {
		b[i] = byte(i*7 + 1)
	}
	return b
}

func TestParseShort(t *testing.T) {
	for n := range ShortSize {
		if err := new(Record).Parse(make([]byte, n)); !errors.Is(err, ErrWire) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
}

func TestParseIgnoresWhatFollows(t *testing.T) {
	var short, long Record
	if err := short.Parse(oneRecord()); err != nil {
		t.Fatal(err)
	}
	if err := long.Parse(append(oneRecord(), "more"...)); err != nil {
		t.Fatal(err)
	}
	if short != long {
		t.Error("bytes behind the record changed it")
	}
}

// TestParseWithoutDetails: a sample without details leaves nothing of the record before it.
func TestParseWithoutDetails(t *testing.T) {
	var whole, short, reused Record
	if err := whole.Parse(oneRecord()); err != nil {
		t.Fatal(err)
	}
	reused = whole
	for _, r := range []*Record{&short, &reused} {
		if err := r.Parse(oneRecord()[:ShortSize]); err != nil {
			t.Fatal(err)
		}
	}
	if short != reused || short.Seq != whole.Seq || short.NSPids != [NSPidsMax]uint32{} {
		t.Errorf("%+v\n%+v", short, reused)
	}
}

// TestParseLeftovers: what a record has not is 0, whatever the ring had there before.
func TestParseLeftovers(t *testing.T) {
	wire := bytes.Repeat([]byte{0xa5}, DetailsSize)
	set := func(at int, v uint32) { binary.LittleEndian.PutUint32(wire[at:], v) }
	parse := func() (r Record) {
		if err := r.Parse(wire); err != nil {
			t.Fatal(err)
		}
		return r
	}
	set(80, 0)  // have
	set(124, 1) // child_level
	r := parse()
	if r.Duration != 0 || r.Stack != 0 || r.ExitSignal != 0 || r.CgroupFD != 0 || r.StackSize != 0 || r.ParentTidptr != 0 ||
		r.ChildTidptr != 0 || r.TLS != 0 || r.Pidfd != 0 || r.Fn != 0 || r.SetTidSize != 0 || r.SetTid != [SetTidMax]int32{} ||
		r.NSPids != [NSPidsMax]uint32{} || r.LeaderSignal != 0 {
		t.Errorf("without anything: %+v", r)
	}
	set(80, uint32(HaveSetTid|HaveChildDetails))
	set(248, 2) // set_tid_size
	const leftover = -0x5a5a5a5b
	if r = parse(); r.SetTid != [SetTidMax]int32{leftover, leftover} || r.NSPids != [NSPidsMax]uint32{0xa5a5a5a5, 0xa5a5a5a5} {
		t.Errorf("two numbers: set_tid %x, ns_pids %x", r.SetTid, r.NSPids)
	}
}

// TestLayerOfMissedHook: a limit is none of kernel_clone's own, so the hook on copy_process
// was missed.
func TestLayerOfMissedHook(t *testing.T) {
	for _, c := range []struct {
		noted Layer
		errno Errno
		want  Layer
	}{
		{LayerKernelClone, EINVAL, LayerKernelClone}, {LayerKernelClone, EAGAIN, LayerUnknown},
		{LayerSyscall, E2BIG, LayerSyscall}, {LayerSyscall, ENOMEM, LayerUnknown},
		{LayerCopyProcess, E2BIG, LayerCopyProcess}, {LayerSeccomp, EPERM, LayerSeccomp},
	} {
		wire := oneRecord()
		binary.LittleEndian.PutUint32(wire[88:], -uint32(c.errno))
		wire[153] = byte(c.noted)
		var r Record
		if err := r.Parse(wire); err != nil {
			t.Fatal(err)
		}
		if r.Layer != c.want {
			t.Errorf("%s noted %s: the layer is %s, want %s", c.noted, c.errno, r.Layer, c.want)
		}
	}
}

func TestCommBytes(t *testing.T) {
	for comm, want := range map[string]string{"": "", "bash\x00junk": "bash", "exactly16bytes!!": "exactly16bytes!!"} {
		r := Record{}
		copy(r.Comm[:], comm)
		if got := r.CommBytes(); !bytes.Equal(got, []byte(want)) {
			t.Errorf("%q: %q", comm, got)
		}
	}
}

// FuzzParse feeds arbitrary bytes to the parser and the record to everything that is done
// to each event: nothing may panic, and length alone decides what is a record.
func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, ShortSize-1))
	f.Add(make([]byte, ShortSize))
	f.Add(make([]byte, WireSize-1))
	f.Add(make([]byte, WireSize))
	f.Add(oneRecord())
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		err := r.Parse(b)
		if want := len(b) < ShortSize; (err != nil) != want || want && !errors.Is(err, ErrWire) {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		for _, c := range perEvent {
			if c.name != "Parse" {
				c.do(nil, nil, &r)
			}
		}
		if text := AppendFlags(nil, r.Flags, StyleFull); len(text) == 0 {
			t.Error("flags without text")
		}
		_ = r.Entry.String() + r.Layer.String()
		if r.Failed() != (r.Errno() != 0) {
			t.Errorf("result %d, errno %d", r.Result, r.Errno())
		}
	})
}
