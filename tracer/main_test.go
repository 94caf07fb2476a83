// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"os"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main{M: m}.Run()) }
