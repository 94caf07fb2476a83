// SPDX-License-Identifier: Apache-2.0

package verify

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"testing"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/internal/testkit"
)

// TestVerifyUsernsOff: while Debian's sysctl is 0, its rule stands between newuser-with-fs
// and thread-without-sighand; without the rule in the table, or with another error, verify
// diverges and names it. The sysctl is the machine's, and so is changed in guests alone.
func TestVerifyUsernsOff(t *testing.T) {
	testkit.NeedRoot(t)
	testkit.NeedGuest(t)
	const file = "/proc/sys/kernel/unprivileged_userns_clone"
	before, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("needs: the sysctl unprivileged_userns_clone")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, before, 0); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(file, []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t)
	wants := map[string]string{"userns-off": "EPERM", "userns-off-after-newuser-fs": "EINVAL", "userns-off-before-thread": "EPERM", "userns-off-root": "accepted"}
	var cases []*Case
	for _, c := range usernsCases() {
		res, err := v.Run(&c)
		if err != nil || res.Outcome != Conforms || res.Got != wants[c.Name] {
			t.Errorf("want %s: %+v, %v", wants[c.Name], res, err)
		}
		if wants[c.Name] == "EPERM" {
			cases = append(cases, &c)
		}
	}
	i := slices.IndexFunc(decode.Rules, func(r decode.Rule) bool { return r.ID == usernsRule })
	changed := slices.Clone(decode.Rules)
	changed[i].Errno = decode.ENOTSUPP
	for name, rules := range map[string][]decode.Rule{"changed": changed, "deleted": slices.Delete(slices.Clone(decode.Rules), i, i+1)} {
		if res, found := diverging(t, v, cases, rules); !found || res.Rule != usernsRule && res.About != usernsRule {
			t.Errorf("%s: %v %+v", name, found, res)
		}
	}
}
