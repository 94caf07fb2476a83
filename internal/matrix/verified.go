// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// verifiedStat begins the name of what TestVerifierCost says of a program.
const verifiedStat = "verified."

// printVerified prints how many instructions each kernel's verifier processed for each
// program: the table that docs/verifier.md keeps, and that later runs are compared with.
func printVerified(w io.Writer, reports []kernelReport) {
	programs := map[string]map[string]string{} // by program and column
	var columns []string
	for _, r := range reports {
		column := r.Arch + "/" + r.Kernel
		for _, s := range r.Suites {
			for name, value := range s.Stats {
				program, ok := strings.CutPrefix(name, verifiedStat)
				if !ok {
					continue
				}
				if programs[program] == nil {
					programs[program] = map[string]string{}
				}
				programs[program][column] = larger(programs[program][column], value)
				if !slices.Contains(columns, column) {
					columns = append(columns, column)
				}
			}
		}
	}
	if len(columns) == 0 {
		return
	}
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(table, "\nVERIFIED\t%s\n", strings.Join(columns, "\t"))
	for _, program := range slices.Sorted(maps.Keys(programs)) {
		values := make([]string, len(columns))
		for i, column := range columns {
			values[i] = orDash(programs[program][column])
		}
		fmt.Fprintf(table, "%s\t%s\n", program, strings.Join(values, "\t"))
	}
	table.Flush()
}

// larger is the larger of two numbers; "" is none.
func larger(a, b string) string {
	x, _ := strconv.Atoi(a) // "" is 0
	y, _ := strconv.Atoi(b)
	if x > y {
		return a
	}
	return b
}
