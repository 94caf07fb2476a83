// SPDX-License-Identifier: Apache-2.0

package decode_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	. "github.com/forktrace/forktrace/decode"
)

var uapiHeader = flag.String("uapi", "", "compare the table of flags with this <linux/sched.h>, and fail when it is not there")

// define matches the flags of <linux/sched.h>, written 0x100 or (1ULL << 34). Sizes of
// struct clone_args share the prefix; the comments of the lines are not looked at.
var define = regexp.MustCompile(`(?m)^#\s*define\s+(CSIGNAL|CLONE_\w+)\s+\(?\s*(?:(\w+)\s*<<\s*)?(\w+)`)

// TestUAPI finds what a header of the kernel names and the table lacks or has otherwise.
// An older header lacks rows, which is no error.
func TestUAPI(t *testing.T) {
	path := *uapiHeader
	if path == "" {
		path = "/usr/include/linux/sched.h"
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *uapiHeader == "" {
		t.Skip("no kernel headers here")
	}
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range define.FindAllStringSubmatch(string(text), -1) {
		if strings.HasPrefix(m[1], "CLONE_ARGS_") {
			continue
		}
		found++
		value, err := headerValue(m[2], m[3])
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		if ours, ok := flagNamed(m[1]); !ok {
			t.Errorf("%s %#x has no row in decode/flags_table.go", m[1], value)
		} else if ours != value {
			t.Errorf("%s is %#x in the header, %#x in decode/flags_table.go", m[1], value, ours)
		}
	}
	if found < 24 {
		t.Errorf("only %d flags found in %s: is it <linux/sched.h>?", found, path)
	}
	t.Logf("%s: %d names compared", path, found)
}

// headerValue is base << number for a shift, else number.
func headerValue(base, number string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimRight(number, "ULul"), 0, 64)
	if err != nil || base == "" {
		return n, err
	}
	b, err := strconv.ParseUint(strings.TrimRight(base, "ULul"), 0, 64)
	return b << n, err
}

func flagNamed(name string) (uint64, bool) {
	if name == "CSIGNAL" {
		return CSignal, true
	}
	for _, f := range Flags {
		if f.Name == name {
			return f.Value, true
		}
	}
	return 0, false
}
