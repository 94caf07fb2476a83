// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/forktrace/forktrace/decode"
)

func newExplain() *cobra.Command {
	format := "text"
	var o callOptions
	c := &cobra.Command{
		Use:   "explain [FLAGS|NUMBER...] [options]",
		Short: "Decode clone flags, without privileges",
		Long: `Says what each flag means, what a call with these flags creates, and which
library call it is. Flags are names with or without CLONE_, in any case, joined
by | or commas, or the number as strace or a core dump shows it; the low byte is
the exit signal.

With --call it says instead what a kernel answers to a call, by which of its
rules, and what to do about it; with --errno alone, what can give that error and
what tells the causes apart. The kernel's rules are in tables, for Linux 5.8 to 7.3.
Without --kernel the running one is asked which of them it has, by requests that
create nothing, its types and its files; where these do not tell, its release
does, and the answer says so. No limit is taken to be reached unless --state
says so. Of several pid namespaces level 1 is the innermost one of the child, as
in --set-tid.`,
		Example: `  forktrace explain 0x3d0f00
  forktrace explain 'NEWUSER|NEWPID|SIGCHLD'
  forktrace explain --call clone3 --flags NEWNS,FS --kernel 6.12
  forktrace explain --call clone3 --flags PIDFD,THREAD,SIGHAND,VM --kernel all
  forktrace explain --call clone --flags NEWPID --state foreign-pidns
  forktrace explain --call clone3 --set-tid 7,7 --state pidns-levels=2,set-tid-busy=1
  forktrace explain --errno EAGAIN`,
		DisableFlagsInUseLine: true,
		Args:                  o.checkUse,
		RunE: func(c *cobra.Command, args []string) error {
			if format != "text" && format != "json" {
				return usagef("--format %s: must be text or json", format)
			}
			switch {
			case slices.Contains(o.states, "list"):
				return writeStates(c.OutOrStdout())
			case o.call != "":
				return o.explain(c.OutOrStdout(), c.ErrOrStderr(), format)
			case len(args) == 0:
				return o.writeCauses(c.OutOrStdout(), format)
			}
			return explainAll(c.OutOrStdout(), args, format)
		},
	}
	o.register(c)
	c.Flags().StringVar(&format, "format", format, "text or json (one object a line)")
	return c
}

func explainAll(w io.Writer, args []string, format string) error {
	all := make([]decode.Explanation, len(args))
	for i, arg := range args {
		if strings.TrimSpace(arg) == "" {
			return usagef("explain: an argument is empty")
		}
		flags, signal, err := decode.ParseFlags(arg)
		if _, errnoErr := decode.ParseErrno(arg); err != nil && errnoErr == nil {
			return usagef("%s is an error, not a flag; what it can come from: forktrace explain --errno %s", arg, arg)
		}
		if err != nil {
			return usageError{err}
		}
		all[i] = decode.Explain(flags, signal, decode.EntryUnknown)
	}
	for i := range all {
		if format == "json" {
			if err := json.NewEncoder(w).Encode(&all[i]); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := explainText(w, &all[i]); err != nil {
			return err
		}
	}
	return nil
}

func explainText(w io.Writer, e *decode.Explanation) error {
	var b strings.Builder
	b.Write(decode.AppendHex(nil, uint64(e.Flags)|uint64(e.ExitSignal)))
	if names := decode.AppendFlags(nil, uint64(e.Flags), decode.StyleFull); len(names) > 0 {
		fmt.Fprintf(&b, " = %s", names)
	}
	if e.SignalName != "" {
		fmt.Fprintf(&b, " + %s", e.SignalName)
	}
	fmt.Fprintf(&b, "\n\nmakes   %s. %s\n", e.Kind.Title(), e.Kind.Sentence())
	for _, call := range e.Calls {
		fmt.Fprintf(&b, "call    %s: %s\n", call.Name, call.Sentence)
	}
	fmt.Fprintf(&b, "signal  %s\n\n", e.SignalText)

	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, f := range e.Known {
		fmt.Fprintf(tw, "  %s\t%s (since Linux %s)\n", f.Name, f.Sentence, f.Since)
		if f.Caveat != "" {
			fmt.Fprintf(tw, "  \t%s\n", f.Caveat)
		}
	}
	if e.Residue != 0 {
		fmt.Fprintf(tw, "  %s\tno flag that is known up to Linux 7.3\n", decode.AppendHex(nil, uint64(e.Residue)))
	}
	for _, v := range e.Accepts {
		fmt.Fprintf(tw, "%s\t%s\n", v.Call, verdictText(&v))
	}
	tw.Flush()
	for _, n := range e.Notes {
		fmt.Fprintf(&b, "note    %s\n", n)
	}
	return writeFolded(w, b.String())
}

// verdictVerbs say what a call does with flags.
var verdictVerbs = map[decode.Accept]string{
	decode.AcceptNo: "refuses", decode.AcceptIgnored: "ignores", decode.AcceptPretends: "pretends to take",
	decode.AcceptVaries: "takes on some kernels only", decode.AcceptOther: "takes for something else",
}

func verdictText(v *decode.Verdict) string {
	if len(v.Because) == 0 {
		return v.Accept.String()
	}
	return verdictVerbs[v.Accept] + " " + strings.Join(v.Because, ", ")
}
