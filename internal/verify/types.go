// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/tracer"
)

// kernelTypes looks into the types of the running kernel.
type kernelTypes struct {
	ready chan struct{} // closed when they are known
	known *btf.Spec     // nil where there are none to be read
}

// startTypes begins to read them, which takes longer than most probes.
func startTypes() *kernelTypes {
	k := &kernelTypes{ready: make(chan struct{})}
	go func() {
		defer close(k.ready)
		k.known, _ = tracer.KernelTypes()
	}()
	return k
}

// tell says whether one of the types is there. A function that is missing may have been
// inlined: that tells nothing.
func (k *kernelTypes) tell(wanted []decode.Type) decode.Truth {
	if len(wanted) == 0 {
		return decode.Open
	}
	if <-k.ready; k.known == nil {
		return decode.Open
	}
	told := decode.No
	for _, t := range wanted {
		switch hasType(k.known, t) {
		case decode.Yes:
			return decode.Yes
		case decode.Open:
			told = decode.Open
		}
	}
	return told
}

// hasType says whether the kernel has a field of a structure, or a function.
func hasType(kernel *btf.Spec, one decode.Type) decode.Truth {
	if one.Func != "" {
		if all, err := kernel.AnyTypesByName(one.Func); err == nil && slices.ContainsFunc(all, isFunc) {
			return decode.Yes
		}
		return decode.Open // it may have been inlined
	}
	all, err := kernel.AnyTypesByName(one.Struct)
	if err != nil && !errors.Is(err, btf.ErrNotFound) {
		return decode.Open
	}
	for _, t := range all { // some names stand for several
		if s, ok := t.(*btf.Struct); ok && hasField(s.Members, one.Field) {
			return decode.Yes
		}
	}
	return decode.No
}

func isFunc(t btf.Type) bool {
	_, ok := t.(*btf.Func)
	return ok
}

// hasField looks for a field, also among those of members without a name.
func hasField(members []btf.Member, name string) bool {
	return slices.ContainsFunc(members, func(m btf.Member) bool {
		if m.Name != "" {
			return m.Name == name
		}
		switch t := m.Type.(type) {
		case *btf.Struct:
			return hasField(t.Members, name)
		case *btf.Union:
			return hasField(t.Members, name)
		}
		return false
	})
}

// fileTells says whether a file below proc, or the number in it, is the sign of a trait.
func fileTells(sign *decode.FileSign, proc string) decode.Truth {
	if sign == nil {
		return decode.Open
	}
	text, err := os.ReadFile(filepath.Join(proc, sign.Path))
	switch {
	case os.IsNotExist(err):
		if _, err := os.Stat(filepath.Join(proc, "sys/kernel")); err != nil {
			return decode.Open // no file is there
		}
		return decode.No
	case err != nil:
		return decode.Open
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return decode.Open
	}
	return decode.TruthOf(n >= sign.Least)
}
