// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// BPF is what a process has in the kernel. Ids are never used twice.
type BPF struct {
	Maps         []ebpf.MapID
	Programs     []ebpf.ProgramID
	Links        []link.ID
	ProgramNames []string
}

// BPFOf finds the maps of a process by its descriptors, and by them the programs and links:
// descriptors of programs need not be open any more.
func BPFOf(t testing.TB, pid int) *BPF {
	t.Helper()
	b := &BPF{}
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range infos {
		info, err := os.ReadFile(file)
		if err != nil {
			continue // closed meanwhile
		}
		if id, ok := field(string(info), "map_id:"); ok {
			b.Maps = append(b.Maps, ebpf.MapID(id))
		}
		if id, ok := field(string(info), "link_id:"); ok {
			b.Links = append(b.Links, link.ID(id))
		}
	}
	b.findPrograms(t)
	return b
}

func field(info, name string) (uint32, bool) {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name); ok {
			id, err := strconv.ParseUint(strings.TrimSpace(v), 10, 32)
			return uint32(id), err == nil
		}
	}
	return 0, false
}

// findPrograms looks for all programs that use one of the maps.
func (b *BPF) findPrograms(t testing.TB) {
	t.Helper()
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // gone meanwhile
		}
		info, err := p.Info()
		p.Close()
		if err != nil {
			t.Fatal(err)
		}
		maps, _ := info.MapIDs()
		if slices.ContainsFunc(maps, func(m ebpf.MapID) bool { return slices.Contains(b.Maps, m) }) {
			b.Programs = append(b.Programs, id)
			b.ProgramNames = append(b.ProgramNames, info.Name)
		}
	}
}

// Left tells what of it is still in the kernel.
func (b *BPF) Left() string {
	var left []string
	for _, id := range b.Maps {
		if m, err := ebpf.NewMapFromID(id); err == nil {
			left = append(left, m.String())
			m.Close()
		}
	}
	for _, id := range b.Programs {
		if p, err := ebpf.NewProgramFromID(id); err == nil {
			left = append(left, p.String())
			p.Close()
		}
	}
	for _, id := range b.Links {
		if l, err := link.NewFromID(id); err == nil {
			left = append(left, fmt.Sprintf("link %d", id))
			l.Close()
		}
	}
	return strings.Join(left, ", ")
}
