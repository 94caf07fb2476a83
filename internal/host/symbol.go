// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
)

// Symbols names kernel functions by their addresses. The list is read when an address is
// new, which is rare: the kernel makes its tasks to run few functions.
type Symbols struct {
	names map[uint64]string // "" for an address that has no name
}

// maxSymbols bounds the cache.
const maxSymbols = 1 << 12

// Name is the function that starts at an address, and whether that is known: it is not
// where kptr_restrict hides addresses (proc_sys_kernel(5)).
func (s *Symbols) Name(address uint64) (string, bool) {
	name, known := s.names[address]
	if !known {
		if s.names == nil || len(s.names) >= maxSymbols {
			s.names = map[uint64]string{}
		}
		name = findSymbol(address)
		s.names[address] = name
	}
	return name, name != ""
}

// findSymbol searches /proc/kallsyms, whose lines are address, type and name.
func findSymbol(address uint64) string {
	f, err := os.Open("/proc/kallsyms")
	if err != nil {
		return ""
	}
	defer f.Close()
	wanted := strconv.AppendUint(nil, address, 16)
	for s := bufio.NewScanner(f); s.Scan(); {
		at, rest, ok := bytes.Cut(s.Bytes(), []byte(" "))
		if !ok || !bytes.Equal(bytes.TrimLeft(at, "0"), wanted) {
			continue
		}
		if fields := bytes.Fields(rest); len(fields) >= 2 {
			return string(fields[1])
		}
	}
	return ""
}
