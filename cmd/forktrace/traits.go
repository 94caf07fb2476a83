// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/verify"
)

// kernelTraits are the traits of the running kernel: by probes or, where these cannot be
// made, by its release.
func kernelTraits(diag io.Writer) decode.Traits {
	traits, _, err := learnTraits()
	if err == nil {
		return traits
	}
	traits, err = decode.TraitsOf(verify.Release(), runtime.GOARCH)
	if err != nil {
		fmt.Fprintf(diag, "forktrace: the rules of this kernel are guessed: %v\n", err)
	}
	return traits
}

// learned is what the running kernel tells of itself.
type learned struct {
	traits   []verify.Learned
	taskSize uint64
}

func learnTraits() (decode.Traits, learned, error) {
	e, err := verify.NewExecutor()
	if err != nil {
		return 0, learned{}, err
	}
	var l learned
	traits, all, err := e.Learn()
	if l.traits = all; err == nil {
		l.taskSize, err = e.TaskSize()
	}
	return traits, l, errors.Join(err, e.Close())
}

// ruleTraits are the traits that rules and labels depend on, as doctor shows them.
func ruleTraits() []reportTrait {
	traits, all, err := learnTraits()
	if err != nil {
		traits, all.traits = kernelTraits(io.Discard), nil
	}
	var rows []reportTrait
	for i := range decode.TraitTable {
		info := &decode.TraitTable[i]
		if !info.IsOf(runtime.GOARCH) {
			continue
		}
		row := reportTrait{info.Name, traits&info.Trait != 0, info.Sentence, string(verify.ByRelease)}
		if i := slices.IndexFunc(all.traits, func(l verify.Learned) bool { return l.Trait == info }); i >= 0 {
			row.By = string(all.traits[i].By)
		}
		rows = append(rows, row)
	}
	return rows
}
