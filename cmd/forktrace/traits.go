// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/verify"
)

// kernelTraits are the traits of the running kernel: by probes or, where these cannot be
// made, by its release.
func kernelTraits(diag io.Writer) decode.Traits {
	if e, err := verify.NewExecutor(); err == nil {
		traits, _, err := e.Learn()
		if errors.Join(err, e.Close()) == nil {
			return traits
		}
	}
	traits, err := decode.TraitsOf(verify.Release(), runtime.GOARCH)
	if err != nil {
		fmt.Fprintf(diag, "forktrace: the rules of this kernel are guessed: %v\n", err)
	}
	return traits
}
