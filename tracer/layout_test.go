// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"

	_ "embed"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/forktrace/forktrace/decode"
)

// The committed objects, embedded so that they are there in a guest too.
var (
	//go:embed bpf_x86_bpfel.o
	objectX86 []byte
	//go:embed bpf_arm64_bpfel.o
	objectARM64 []byte
)

// forEachObject runs a test against the types of every committed object.
func forEachObject(t *testing.T, test func(*testing.T, *btf.Spec)) {
	for arch, object := range map[string][]byte{"x86": objectX86, "arm64": objectARM64} {
		t.Run(arch, func(t *testing.T) {
			spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
			if err != nil {
				t.Fatal(err)
			}
			test(t, spec.Types)
		})
	}
}

// goWords are the words of C names that Go writes in its own way.
var goWords = map[string]string{
	"id": "ID", "uid": "UID", "gid": "GID", "ppid": "PPid", "ptid": "PTid", "cpu": "CPU",
	"fd": "FD", "tls": "TLS", "ns": "NS", "euid": "EUID", "fs": "FS",
	"fsuid": "FSUID", "mm": "MM",
}

// goName is the field of decode.Record for a member of struct event.
func goName(member string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(member, "_") {
		if special, ok := goWords[word]; ok {
			name.WriteString(special)
			continue
		}
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

// haveAt is where a record says what it has.
const haveAt = 80

// patternRecord is a buffer in which all bytes near each other differ, but for those by which
// a record has everything, and what Parse makes of it.
func patternRecord(t *testing.T) ([]byte, reflect.Value) {
	t.Helper()
	buf := make([]byte, decode.WireSize)
	for i := range buf {
		buf[i] = byte(i%251 + 1)
	}
	binary.NativeEndian.PutUint32(buf[haveAt:], math.MaxUint32)
	var rec decode.Record
	if err := rec.Parse(buf); err != nil {
		t.Fatal(err)
	}
	return buf, reflect.ValueOf(rec)
}

// TestRecordLayout compares every member of struct event with what Parse reads for it.
func TestRecordLayout(t *testing.T) {
	forEachObject(t, func(t *testing.T, types *btf.Spec) {
		var event *btf.Struct
		if err := types.TypeByName("event", &event); err != nil {
			t.Fatal(err)
		}
		if event.Size != decode.WireSize {
			t.Errorf("struct event has %d bytes, decode.WireSize is %d", event.Size, decode.WireSize)
		}
		buf, rec := patternRecord(t)
		compareStruct(t, event, rec, buf)
	})
}

// compareStruct compares all members of a struct, which begins with buf.
func compareStruct(t *testing.T, s *btf.Struct, rec reflect.Value, buf []byte) {
	t.Helper()
	covered := map[string]bool{}
	for _, m := range s.Members {
		if m.Name == "pad" {
			continue
		}
		name := goName(m.Name)
		covered[name] = true
		if inner, ok := m.Type.(*btf.Struct); ok {
			compareStruct(t, inner, rec.FieldByName(name), buf[m.Offset.Bytes():])
			continue
		}
		compareField(t, m, rec.FieldByName(name), buf)
	}
	for i := range rec.NumField() {
		if f := rec.Type().Field(i); !covered[f.Name] {
			t.Errorf("decode.%s.%s is no member of struct %s", rec.Type().Name(), f.Name, s.Name)
		}
	}
}

// compareField checks width, signedness and value of one field.
func compareField(t *testing.T, m btf.Member, field reflect.Value, buf []byte) {
	t.Helper()
	if !field.IsValid() {
		t.Errorf("event.%s: decode.Record has no %s", m.Name, goName(m.Name))
		return
	}
	size, err := btf.Sizeof(m.Type)
	if err != nil {
		t.Fatal(err)
	}
	if int(field.Type().Size()) != size {
		t.Errorf("event.%s: %d bytes in C, %d in Go", m.Name, size, field.Type().Size())
		return
	}
	if signed(m.Type) != isSignedKind(elem(field.Type()).Kind()) {
		t.Errorf("event.%s: signed in one of C and Go only", m.Name)
	}
	at := m.Offset.Bytes()
	if field.Kind() == reflect.Bool {
		if field.Bool() != (buf[at] != 0) {
			t.Errorf("event.%s at %d holds %d, Parse read %t", m.Name, at, buf[at], field.Bool())
		}
		return
	}
	got := &bytes.Buffer{}
	if err := binary.Write(got, binary.LittleEndian, field.Interface()); err != nil {
		t.Fatal(err)
	}
	if want := buf[at : int(at)+size]; !bytes.Equal(got.Bytes(), want) {
		t.Errorf("event.%s at %d holds % x, Parse read % x", m.Name, at, want, got.Bytes())
	}
}

func elem(typ reflect.Type) reflect.Type {
	if typ.Kind() == reflect.Array {
		return typ.Elem()
	}
	return typ
}

func isSignedKind(k reflect.Kind) bool { return k >= reflect.Int && k <= reflect.Int64 }

// signed says whether the integers of a type are. Characters count as not: C leaves it open.
func signed(typ btf.Type) bool {
	typ = btf.UnderlyingType(typ)
	if array, ok := typ.(*btf.Array); ok {
		typ = btf.UnderlyingType(array.Type)
	}
	integer, ok := typ.(*btf.Int)
	return ok && integer.Encoding == btf.Signed && integer.Size > 1
}
