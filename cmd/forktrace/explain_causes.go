// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/forktrace/forktrace/decode"
)

// writeCauses lists the rules that give an error: all, or those of the kernel asked for.
func (o *callOptions) writeCauses(w io.Writer, format string) error {
	errno, err := decode.ParseErrno(o.errno)
	if err != nil {
		return usageError{err}
	}
	rules := append(decode.RulesWith(errno), decode.RulesWith(0)...)
	if o.kernel != "" && o.kernel != "all" {
		traits, err := decode.TraitsOf(o.kernel, o.architecture())
		if err != nil {
			return usagef("--kernel: %w", err)
		}
		rules = rulesOf(rules, traits)
	}
	if format == "json" {
		for _, r := range rules {
			if err := json.NewEncoder(w).Encode(textOf(r)); err != nil {
				return fmt.Errorf("writing: %w", err)
			}
		}
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s", errno)
	if info := errno.Info(); info != nil {
		fmt.Fprintf(&b, ": %s", info.Sentence)
	}
	b.WriteString("\nCauses in a creation, in the order in which the kernel looks for them; what\nchooses its error itself comes last:\n\n")
	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rules {
		textOf(r).writeCause(tw)
	}
	tw.Flush()
	return writeFolded(w, b.String())
}

func rulesOf(rules []*decode.Rule, traits decode.Traits) (kept []*decode.Rule) {
	for _, r := range rules {
		if r.HoldsFor(traits) {
			kept = append(kept, r)
		}
	}
	return kept
}
