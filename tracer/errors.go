// SPDX-License-Identifier: Apache-2.0

package tracer

import (
	"fmt"
	"regexp"
	"strings"
)

// PrivilegeError says that the process may not do what tracing needs.
type PrivilegeError struct {
	Missing []string // capabilities, as "CAP_BPF"
	Because string   // what makes capabilities worthless here; may be empty
}

// Error names what is missing and how to get it.
func (e *PrivilegeError) Error() string {
	var b strings.Builder
	b.WriteString("not permitted to trace")
	if len(e.Missing) > 0 {
		fmt.Fprintf(&b, ": missing %s", strings.Join(e.Missing, " and "))
	}
	if e.Because != "" {
		fmt.Fprintf(&b, ": %s", e.Because)
	}
	if len(e.Missing) > 0 {
		fmt.Fprintf(&b, "; run it as root, or give the binary these capabilities: setcap %s+ep FILE",
			strings.ToLower(strings.Join(e.Missing, ",")))
	}
	return b.String()
}

// KernelError says that this kernel, or what guards it, cannot do what tracing needs.
type KernelError struct {
	Feature string // what is missing, in words
	Help    string // what would help; may be empty
	Err     error  // the kernel's answer; may be nil
}

// Error says which feature is missing, the kernel's answer and what would help.
func (e *KernelError) Error() string {
	s := "this kernel cannot be traced: " + e.Feature
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	if e.Help != "" {
		s += "; " + e.Help
	}
	return s
}

// Unwrap is the kernel's answer.
func (e *KernelError) Unwrap() error { return e.Err }

// libraryGuesses are what the BPF library adds to an error and does not know: of the kernel
// it sees only the answer.
var libraryGuesses = regexp.MustCompile(` \(MEMLOCK may be too low, consider rlimit\.RemoveMemlock\)| \(requires >= v[0-9.]+\)`)

// plainError is an error without its guesses.
type plainError struct{ err error }

func (e plainError) Error() string { return libraryGuesses.ReplaceAllString(e.err.Error(), "") }
func (e plainError) Unwrap() error { return e.err }

// plain takes the library's guesses off an error.
func plain(err error) error { return plainError{err} }
