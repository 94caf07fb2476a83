// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/tracer"
)

// Exit statuses, as the manual page documents them.
const (
	exitOK        = 0
	exitError     = 1
	exitUsage     = 2
	exitLost      = 3 // records were lost, and --strict was given
	exitPrivilege = 4
	exitKernel    = 5
	exitDiverges  = 6 // the kernel breaks promises or rules: trace --check, verify
	// Those of a command that could not be started, as env(1) has them.
	exitCannotExec = 126
	exitNotFound   = 127
	exitSignalBase = 128 // plus the signal that ended the command
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// statusError ends the program with a status; err, if any, is printed.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

// exitStatus is the status for an error.
func exitStatus(err error) int {
	var status *statusError
	var usage usageError
	var name *decode.UnknownNameError
	var privilege *tracer.PrivilegeError
	var kernel *tracer.KernelError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &status):
		return status.status
	case errors.As(err, &usage), errors.As(err, &name):
		return exitUsage
	case errors.As(err, &privilege):
		return exitPrivilege
	case errors.As(err, &kernel):
		return exitKernel
	default:
		return exitError
	}
}
