// SPDX-License-Identifier: Apache-2.0

//go:build man

package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// addGenerators adds the command that writes the manual pages from the same definitions
// as the commands: go run -tags man ./cmd/forktrace man DIR.
func addGenerators(root *cobra.Command) {
	root.AddCommand(&cobra.Command{
		Use: "man DIR", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			root.DisableAutoGenTag = true
			for _, c := range root.Commands() {
				if c.Name() == "completion" { // a page for each shell says less than --help
					root.RemoveCommand(c)
				}
			}
			date := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC) // pages must not change by themselves
			return doc.GenManTree(root, &doc.GenManHeader{Section: "8", Source: "forktrace", Manual: "System Administration", Date: &date}, args[0])
		},
	})
}
