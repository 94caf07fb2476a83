// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/forktrace/forktrace/decode"
)

// kernelTypes looks into the types of the running kernel.
type kernelTypes struct {
	ready chan struct{} // closed when they are known
	known *types        // nil where there are none to be read
}

// startTypes begins to read them, which takes longer than most probes.
func startTypes() *kernelTypes {
	k := &kernelTypes{ready: make(chan struct{})}
	go func() {
		defer close(k.ready)
		k.known, _ = readTypes(btfFile, typeNames(func(t decode.Type) string { return t.Struct }), typeNames(func(t decode.Type) string { return t.Func }))
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
		switch k.known.has(t) {
		case decode.Yes:
			return decode.Yes
		case decode.Open:
			told = decode.Open
		}
	}
	return told
}

// typeNames are the names that the table of traits has of one sort.
func typeNames(of func(decode.Type) string) (names []string) {
	for i := range decode.TraitTable {
		for _, t := range decode.TraitTable[i].Types {
			if name := of(t); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (t *types) has(one decode.Type) decode.Truth {
	switch {
	case one.Func == "":
		return decode.TruthOf(slices.Contains(t.fields[one.Struct], one.Field))
	case t.funcs[one.Func]:
		return decode.Yes
	}
	return decode.Open
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
