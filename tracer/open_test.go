// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/forktrace/forktrace/internal/testkit"
)

// TestOpenThenClose: a tracer that is not attached, or could not be, leaves no descriptor behind.
func TestOpenThenClose(t *testing.T) {
	testkit.NeedRoot(t)
	missing := t.TempDir() + "/missing"
	before := -1
	for range 2 { // the first time the runtime opens some of its own
		unused, err := Open(Options{})
		if err != nil {
			t.Fatal(err)
		}
		refused, err := Open(Options{CgroupDir: missing})
		if err != nil {
			t.Fatal(err)
		}
		if err := refused.Attach(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("attaching with a cgroup that is not there: %v", err)
		}
		if err := errors.Join(unused.Close(), refused.Close()); err != nil {
			t.Error(err)
		}
		now := descriptors(t)
		if before >= 0 && now != before {
			t.Errorf("%d descriptors are open, %d were before", now, before)
		}
		before = now
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}
