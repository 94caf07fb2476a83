// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"
	"strconv"
	"strings"
)

// Errno is a Linux error number, positive; 0 is success. The type holds every number that
// a [Record] can carry, those without a name too.
type Errno uint32

// Error numbers that the code of this package speaks of. [Errnos] has them all.
const (
	EPERM      Errno = 1
	ENOENT     Errno = 2
	EINTR      Errno = 4
	E2BIG      Errno = 7
	EBADF      Errno = 9
	EAGAIN     Errno = 11
	ENOMEM     Errno = 12
	EACCES     Errno = 13
	EFAULT     Errno = 14
	EBUSY      Errno = 16
	EEXIST     Errno = 17
	ENODEV     Errno = 19
	EINVAL     Errno = 22
	ENFILE     Errno = 23
	EMFILE     Errno = 24
	ENOSPC     Errno = 28
	ENOSYS     Errno = 38
	EOPNOTSUPP Errno = 95

	// The kernel's own, which no caller ever sees.
	ERESTARTSYS          Errno = 512
	ERESTARTNOINTR       Errno = 513
	ERESTARTNOHAND       Errno = 514
	ERESTARTRestartblock Errno = 516
	ENOTSUPP             Errno = 524
)

// ErrnoInfo is one row of the table of error numbers.
type ErrnoInfo struct {
	Errno    Errno
	Name     string
	Sentence string // what it means in general; [FailureText] says what it means for a creation
}

// errnoIndex holds the index in Errnos, plus one, of the row for each number.
var errnoIndex = indexErrnos()

func indexErrnos() (index [ENOTSUPP + 1]uint8) {
	for i := range Errnos {
		index[Errnos[i].Errno] = uint8(i + 1)
	}
	return index
}

// Info is the row of e, nil when the table has none.
func (e Errno) Info() *ErrnoInfo {
	if int64(e) >= int64(len(errnoIndex)) || errnoIndex[e] == 0 {
		return nil
	}
	return &Errnos[errnoIndex[e]-1]
}

// Name is the symbolic name, EAGAIN for instance, or "" when the number has none.
func (e Errno) Name() string {
	if row := e.Info(); row != nil {
		return row.Name
	}
	return ""
}

// String is the name, or "errno" and the number.
func (e Errno) String() string {
	if name := e.Name(); name != "" {
		return name
	}
	return "errno " + strconv.FormatUint(uint64(e), 10)
}

// AppendErrno appends what [Errno.String] returns, without allocating but to grow dst.
func AppendErrno(dst []byte, e Errno) []byte {
	if name := e.Name(); name != "" {
		return append(dst, name...)
	}
	return strconv.AppendUint(append(dst, "errno "...), uint64(e), 10)
}

// IsRestart says whether e is one of the kernel's own numbers for "deliver the pending
// signal, then make the same system call again".
func (e Errno) IsRestart() bool {
	return e == ERESTARTSYS || e == ERESTARTNOINTR || e == ERESTARTNOHAND || e == ERESTARTRestartblock
}

// errnoAliases are second names of numbers in the table.
var errnoAliases = map[string]Errno{
	"EWOULDBLOCK": EAGAIN, "EDEADLOCK": 35, "ENOTSUP": EOPNOTSUPP, "EFSCORRUPTED": 117,
}

// ParseErrno reads an error number: a name in any case, with or without the leading E,
// or a number above 0. A name that is none gives an [*UnknownNameError].
func ParseErrno(s string) (Errno, error) {
	if len(s) > 0 && s[0] >= '0' && s[0] <= '9' {
		n, err := strconv.ParseUint(s, 0, 32)
		if err != nil {
			return 0, fmt.Errorf("reading an errno: %w", err)
		}
		if n == 0 {
			return 0, fmt.Errorf("reading an errno: 0 is success: %w", strconv.ErrRange)
		}
		return Errno(n), nil
	}
	unknown := &UnknownNameError{What: "errno", Name: s}
	if len(s) > nearestLength {
		return 0, unknown
	}
	name := strings.ToUpper(s)
	for _, full := range [...]string{name, "E" + name} {
		for i := range Errnos {
			if Errnos[i].Name == full {
				return Errnos[i].Errno, nil
			}
		}
		if e, ok := errnoAliases[full]; ok {
			return e, nil
		}
	}
	unknown.Near = Nearest(name, ErrnoNames())
	return 0, unknown
}

// ErrnoNames lists the names of the table, in the order of their numbers.
func ErrnoNames() []string {
	names := make([]string, len(Errnos))
	for i := range Errnos {
		names[i] = Errnos[i].Name
	}
	return names
}
