// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// btfFile is what the kernel tells of its own types.
const btfFile = "/sys/kernel/btf/vmlinux"

// types are the names of all fields of some structures, and of some functions. They are
// picked out of the raw data: to build all 100,000 types of a kernel takes ten times as long
// as all probes together.
type types struct {
	fields map[string][]string
	funcs  map[string]bool
}

var errBTF = errors.New("types of a form that is not known")

// btfTail is what follows the 12 bytes of a type, by its kind (Documentation/bpf/btf.rst): so
// many bytes, and so many for each of its elements.
var btfTail = [...]struct{ fixed, each int }{
	1: {fixed: 4}, 19: {each: 12}, 3: {fixed: 12}, 4: {each: 12}, 5: {each: 12}, 6: {each: 8}, 13: {each: 8},
	14: {fixed: 4}, 15: {each: 12}, 17: {fixed: 4},
}

const (
	btfMagic  = 0xeb9f
	btfStruct = 4
	btfUnion  = 5
	btfFunc   = 12
)

func readTypes(file string, structs, funcs []string) (*types, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	// kernels from 6.16 on can map it, which saves most of the time
	if b, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_PRIVATE); err == nil {
		defer func() { _ = unix.Munmap(b) }() // nothing of it is kept: the names are copies
		return pickTypes(b, structs, funcs)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return pickTypes(b, structs, funcs)
}

// pickTypes finds the structures and functions of these names.
func pickTypes(b []byte, structs, funcs []string) (*types, error) {
	order := binary.NativeEndian // as of the info word: the kind is in its last byte
	if len(b) < 24 || order.Uint16(b) != btfMagic {
		return nil, errBTF
	}
	header, at, size := int(order.Uint32(b[4:])), int(order.Uint32(b[8:])), int(order.Uint32(b[12:]))
	text, textSize := int(order.Uint32(b[16:])), int(order.Uint32(b[20:]))
	if header+at+size > len(b) || header+text+textSize > len(b) {
		return nil, errBTF
	}
	names := b[header+text:][:textSize]
	t := &types{map[string][]string{}, map[string]bool{}}
	// type 0 is void; there are about as many types as 32 bytes of them hold
	p := picker{names: names, data: b[header+at:][:size], starts: make([]uint32, 1, size/32)}
	found := map[string]int{}
	for next := 0; next < size; {
		length, err := p.length(next)
		if err != nil {
			return nil, err
		}
		switch p.kind(next) {
		case btfStruct:
			if name := p.named(next, structs); name != "" {
				found[name] = next
			}
		case btfFunc:
			if name := p.named(next, funcs); name != "" {
				t.funcs[name] = true
			}
		}
		p.starts = append(p.starts, uint32(next))
		next += length
	}
	for name, at := range found {
		t.fields[name] = p.fields(nil, at, 0)
	}
	return t, nil
}

// picker walks through raw types.
type picker struct {
	names, data []byte
	starts      []uint32 // where each type begins in the data
}

// named is which of the names the type at an offset has, "" if none.
func (p *picker) named(at int, names []string) string {
	name := int(binary.NativeEndian.Uint32(p.data[at:]))
	for _, n := range names {
		if end := name + len(n); end < len(p.names) && p.names[end] == 0 && string(p.names[name:end]) == n {
			return n
		}
	}
	return ""
}

func (p *picker) kind(at int) int { return int(p.data[at+7] & 0x1f) }

// length is that of the type at an offset.
func (p *picker) length(at int) (int, error) {
	if at+12 > len(p.data) {
		return 0, errBTF
	}
	kind, length := p.kind(at), 12
	if kind < len(btfTail) {
		elements := int(binary.NativeEndian.Uint16(p.data[at+4:]))
		length += btfTail[kind].fixed + elements*btfTail[kind].each
	}
	if kind == 0 || kind >= len(btfTail) || at+length > len(p.data) {
		return 0, errBTF
	}
	return length, nil
}

// fields adds the names of the fields of a structure or union, and those of members that
// have no name themselves.
func (p *picker) fields(all []string, at, depth int) []string {
	length, err := p.length(at)
	if kind := p.kind(at); err != nil || depth > 8 || kind != btfStruct && kind != btfUnion {
		return all
	}
	for m := p.data[at+12:][:length-12]; len(m) >= 12; m = m[12:] {
		name, of := int(binary.NativeEndian.Uint32(m)), int(binary.NativeEndian.Uint32(m[4:]))
		if name == 0 && of < len(p.starts) {
			all = p.fields(all, int(p.starts[of]), depth+1)
		} else if name < len(p.names) {
			field, _, _ := bytes.Cut(p.names[name:], []byte{0})
			all = append(all, string(field))
		}
	}
	return all
}
