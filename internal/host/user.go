// SPDX-License-Identifier: Apache-2.0

package host

import (
	"bufio"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/forktrace/forktrace/decode"
)

// UserID is the uid of a user given by name or number. It returns a
// *decode.UnknownNameError for a name that nobody has.
func UserID(s string) (uint32, error) {
	if n, err := strconv.ParseUint(s, 10, 32); err == nil {
		return uint32(n), nil
	}
	u, err := user.Lookup(s)
	if err != nil {
		return 0, &decode.UnknownNameError{What: "user", Name: s, Near: decode.Nearest(s, userNames())}
	}
	n, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("reading the uid of %s: %w", s, err)
	}
	return uint32(n), nil
}

// userNames lists the users of /etc/passwd, for suggestions.
func userNames() []string {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return nil
	}
	defer f.Close()
	var names []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, _, ok := strings.Cut(s.Text(), ":"); ok {
			names = append(names, name)
		}
	}
	return names
}
