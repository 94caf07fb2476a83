// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

var update = flag.Bool("update", false, "record the capture that decode tests read")

// captureFile holds records as they come out of the ring: the kernel's release, and then
// each record, with two bytes of length before it.
const captureFile = "../decode/testdata/capture.bin"

// TestCapture records what this kernel's programs write about one creation of each kind,
// for tests that need real records and no privileges.
func TestCapture(t *testing.T) {
	testkit.NeedRoot(t)
	samples := capture(t)
	if len(samples) < 20 {
		t.Fatalf("%d records", len(samples))
	}
	if !*update {
		return
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	out := appendBlock(nil, []byte(unix.ByteSliceToString(name.Release[:])))
	seen := map[string]bool{}
	for _, s := range samples {
		var r decode.Record
		if err := r.Parse(s); err != nil {
			t.Fatal(err)
		}
		what := string(decode.AppendFlags([]byte(r.Entry.String()), r.Flags, decode.StyleFull))
		if r.Failed() || seen[what] {
			continue
		}
		seen[what] = true
		out = appendBlock(out, s)
	}
	if err := os.WriteFile(captureFile, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

func appendBlock(dst, b []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(b))), b...)
}

// capture traces the load program, and returns the records untouched.
func capture(t *testing.T) (samples [][]byte) {
	t.Helper()
	tr, err := New(Options{Details: true, Comms: []string{"creations"}})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	testkit.Output(t, exec.Command(testkit.Creations(t), "cases"))
	if err := tr.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := tr.reader.Flush(); err != nil {
		t.Fatal(err)
	}
	for {
		raw, err := tr.reader.Read()
		if errors.Is(err, ringbuf.ErrFlushed) {
			return samples
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(raw.RawSample) != decode.ResumedSize {
			samples = append(samples, bytes.Clone(raw.RawSample))
		}
	}
}
