// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/forktrace/forktrace/internal/testkit"
)

func TestMain(m *testing.M) {
	testscript.Main(testkit.Main{M: m}, map[string]func(){
		"forktrace": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}
