// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/forktrace/forktrace/decode"
)

// run is the whole program: it returns the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(withDefaultCommand(root, args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var status *statusError
	if err != nil && (!errors.As(err, &status) || status.err != nil) {
		fmt.Fprintf(stderr, "forktrace: %v\n", err)
	}
	return exitStatus(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "forktrace [options] [-- COMMAND [ARG...]]",
		Short: "Watch Linux create processes and threads",
		Long: `forktrace shows every process and thread that Linux creates, and every attempt that
fails: who asked, by which call, with which flags, and what the child really shares.

Without one of the commands below it is "forktrace trace" and takes the same options:
"forktrace trace --help" lists them.`,
		DisableFlagsInUseLine: true,
		SilenceErrors:         true,
		SilenceUsage:          true,
		Args:                  cobra.ArbitraryArgs, // RunE says more about an unknown command
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 { // withDefaultCommand leaves that to --help alone
				return c.Help()
			}
			return unknownCommand(c, args[0])
		},
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usagef("%w (%ssee '%s --help')", err, nearFlags(c, err), c.CommandPath())
	})
	root.AddCommand(newTrace(), newTop(), newStorm(), newDoctor(), newExplain(), newVerify(), newVersion())
	root.InitDefaultCompletionCmd()
	strictCompletion(root)
	addGenerators(root)
	return root
}

// nearFlags proposes options in the place of one that is not there.
func nearFlags(c *cobra.Command, err error) string {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || len(unknown.GetSpecifiedName()) < 2 { // of one letter all are near
		return ""
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	near := decode.Nearest(unknown.GetSpecifiedName(), names)
	if len(near) == 0 {
		return ""
	}
	return "did you mean --" + strings.Join(near, " or --") + "? "
}

// strictCompletion makes an unknown shell an error: the library prints help and succeeds.
func strictCompletion(root *cobra.Command) {
	for _, c := range root.Commands() {
		if c.Name() != "completion" {
			continue
		}
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return c.Help()
			}
			return unknownCommand(c, args[0])
		}
	}
}

// isCommand says whether a name is that of a command.
func isCommand(root *cobra.Command, name string) bool {
	return slices.ContainsFunc(root.Commands(), func(c *cobra.Command) bool { return c.Name() == name })
}

func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return &decode.UnknownNameError{What: "command", Name: name, Near: decode.Nearest(name, names)}
}

// withDefaultCommand makes "forktrace [options]" mean "forktrace trace [options]".
func withDefaultCommand(root *cobra.Command, args []string) []string {
	if len(args) == 0 {
		return []string{"trace"}
	}
	switch first := args[0]; {
	case first == "-h" || first == "--help" || first == "--version":
		return rootRequest(first)
	case strings.HasPrefix(first, "-"):
		return append([]string{"trace"}, args...)
	default:
		return args
	}
}

// rootRequest maps what people ask the program itself to the command that answers.
func rootRequest(flag string) []string {
	if flag == "--version" {
		return []string{"version"}
	}
	return []string{"--help"}
}
