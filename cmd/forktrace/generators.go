// SPDX-License-Identifier: Apache-2.0

//go:build !man

package main

import "github.com/spf13/cobra"

// addGenerators adds nothing to the shipped binary: see generators_man.go.
func addGenerators(*cobra.Command) {}
