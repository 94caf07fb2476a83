// SPDX-License-Identifier: Apache-2.0

package host

import (
	"errors"
	"os/user"
	"strings"
	"testing"

	"github.com/forktrace/forktrace/decode"
)

func TestUserIDNumbers(t *testing.T) {
	for s, want := range map[string]uint32{"0": 0, "54321": 54321, "4294967294": 4294967294} {
		if got, err := UserID(s); err != nil || got != want {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
}

func TestUserIDNames(t *testing.T) {
	if _, err := user.Lookup("root"); err != nil {
		t.Skipf("needs: a user database: %v", err)
	}
	if got, err := UserID("root"); err != nil || got != 0 {
		t.Errorf("root: %d, %v", got, err)
	}
	for name, near := range map[string]string{"rooot": "root", "Root": "root", "no-such-user": "", "-1": "", "4294967296": "", "": ""} {
		got, err := UserID(name)
		var unknown *decode.UnknownNameError
		if !errors.As(err, &unknown) {
			t.Errorf("%q: %d, %v", name, got, err)
			continue
		}
		if near != "" && !strings.Contains(err.Error(), near) {
			t.Errorf("%v: does not propose %s", err, near)
		}
	}
}
