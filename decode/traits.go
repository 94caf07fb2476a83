// SPDX-License-Identifier: Apache-2.0

package decode

import "slices"

// Traits is a set of ways in which kernels differ in what they refuse, and in how they name
// the way out ([StageInfo]). A version is only
// a first guess of them, for stable updates and distributions move rules both ways: see
// [Probe].
type Traits uint64

// TraitInfo is one row of the table of traits.
type TraitInfo struct {
	Trait    Traits // one bit; a trait may have a row for each architecture
	Name     string
	Sentence string // what a kernel with the trait does

	// Since is the first mainline release with it, Backports the first stable updates,
	// Until, if set, the first release that has it no more.
	Since, Until KernelVersion
	Backports    []KernelVersion
	Debian       bool     // Debian's kernels have it, whatever their version
	Archs        []string // if set: the architectures, by Go's names, that can have it

	// What tells it of a running kernel without looking at its version, nil for nothing.
	Probe *Probe    // a harmless request
	Types []Type    // one of these is among the kernel's types
	File  *FileSign // a file below /proc

	Source string
}

// Type is something in the BTF of a kernel: a field of a structure or, without one, a
// function. Compilers may leave a function out, so that only its presence tells something.
type Type struct{ Struct, Field, Func string }

// FileSign is a file below /proc that kernels with a trait have, with a number in it that
// is at least Least.
type FileSign struct {
	Path  string
	Least int
}

// Probe is a request that tells by its error whether a kernel has a trait. Neither answer
// is a success, so that nothing is created: where no earlier rule does, the place for the
// pidfd, which cannot be written, sees to that ([Request.PidfdFault]).
type Probe struct {
	Request Request
	Setup   string         // what the creator, a process of its own, has to do first; "" is nothing
	Given   ConditionSet   // what that brings about
	Pids    []PidNamespace // and in which pid namespaces, if that matters ([State.Pids])
	With    []Errno        // answers of a kernel with the trait
	Without []Errno        // answers of one without
}

// TraitsOf is the set of traits that a release has by the table, on an architecture as Go
// names it. See [ParseRelease] for what a release is.
func TraitsOf(release, arch string) (Traits, error) {
	v, debian, err := ParseRelease(release)
	if err != nil {
		return 0, err
	}
	var traits Traits
	for i := range TraitTable {
		if TraitTable[i].holds(v, debian, arch) {
			traits |= TraitTable[i].Trait
		}
	}
	return traits, nil
}

// IsOf says whether kernels of an architecture, as Go names it, can have the trait.
func (t *TraitInfo) IsOf(arch string) bool { return t.Archs == nil || slices.Contains(t.Archs, arch) }

func (t *TraitInfo) holds(v KernelVersion, debian bool, arch string) bool {
	if !t.IsOf(arch) {
		return false
	}
	if t.Debian {
		return debian
	}
	return v.has(t.Since, t.Backports) && (t.Until == KernelVersion{} || v.Before(t.Until))
}

// List returns the rows of the traits in the set, in the order of the table.
func (s Traits) List() []*TraitInfo {
	var list []*TraitInfo
	for i := range TraitTable {
		if s&TraitTable[i].Trait != 0 {
			list = append(list, &TraitTable[i])
		}
	}
	return list
}
