// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// flagTextMax is the longest text, in bytes, that [ParseFlags] looks at: many times what
// all names together need.
const flagTextMax = 4096

// Errors of [ParseFlags] that are about the text as a whole.
var (
	ErrFlagText   = errors.New("text is too long for flags")
	ErrTwoSignals = errors.New("two different exit signals")
)

// ParseFlags reads flags as people write them: names in any case, with or without CLONE_,
// the short ones of [Flag.Short], signal names beginning with SIG for the exit signal, and
// numbers (hexadecimal with 0x, octal with 0, decimal); separated by |, commas or spaces.
//
// In a number the low seven bits are the exit signal, as in clone(2), and bit 0x80 is
// CLONE_NEWTIME, as in clone3 and unshare: no signal is that large. So flags |
// uint64(exitSignal) holds every bit that was given.
//
// A name that is no flag gives an [*UnknownNameError]; other errors wrap [ErrFlagText],
// [ErrTwoSignals] or [strconv.ErrRange] and [strconv.ErrSyntax]. Text without any flag in
// it is no flags.
func ParseFlags(s string) (flags uint64, exitSignal int, err error) {
	if len(s) > flagTextMax {
		return 0, 0, fmt.Errorf("%w: %d bytes, at most %d", ErrFlagText, len(s), flagTextMax)
	}
	for word := range strings.FieldsFuncSeq(s, isFlagSeparator) {
		f, sig, err := parseFlag(word)
		if err != nil {
			return 0, 0, err
		}
		if sig != 0 && exitSignal != 0 && sig != exitSignal {
			return 0, 0, fmt.Errorf("%w: %d and %d", ErrTwoSignals, exitSignal, sig)
		}
		flags |= f
		exitSignal |= sig
	}
	return flags, exitSignal, nil
}

func isFlagSeparator(c rune) bool {
	return c == '|' || c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r'
}

// parseFlag reads one name or number.
func parseFlag(word string) (flags uint64, exitSignal int, err error) {
	const signalBits = CSignal &^ CloneNewTime
	if c := word[0]; c >= '0' && c <= '9' {
		n, err := strconv.ParseUint(word, 0, 64)
		if err != nil {
			return 0, 0, numberError(word, err)
		}
		return n &^ signalBits, int(n & signalBits), nil
	}
	if len(word) > 3 && strings.EqualFold(word[:3], "SIG") {
		if sig, err := ParseSignal(word); err == nil {
			return 0, sig, nil
		}
	}
	for i := range Flags {
		f := &Flags[i]
		if strings.EqualFold(word, f.Name) || strings.EqualFold(word, f.Short) ||
			strings.EqualFold(word, strings.TrimPrefix(f.Name, clonePrefix)) {
			return f.Value, 0, nil
		}
	}
	return 0, 0, &UnknownNameError{What: "flag", Name: word, Near: nearestFlags(word)}
}

// badNumberError says what is wrong with a number, in the words of this package.
type badNumberError struct {
	word string
	why  error // strconv's
}

func numberError(word string, err error) error {
	for _, why := range []error{strconv.ErrRange, strconv.ErrSyntax} {
		if errors.Is(err, why) {
			return &badNumberError{word, why}
		}
	}
	return err
}

func (e *badNumberError) Error() string {
	if e.why == strconv.ErrRange {
		return fmt.Sprintf("%.40s does not fit into the 64 bits of flags", e.word)
	}
	return fmt.Sprintf("%.40q is not a number: give it as 0x3d0f00, 0110000021 or 18874385", e.word)
}

func (e *badNumberError) Unwrap() error { return e.why }

const clonePrefix = "CLONE_"

// nearestFlags looks among the names with the prefix only when word has it, so that the
// prefix does not count as likeness.
func nearestFlags(word string) []string {
	long := len(word) > len(clonePrefix) && strings.EqualFold(word[:len(clonePrefix)], clonePrefix)
	var names []string
	for i := range Flags {
		name := strings.TrimPrefix(Flags[i].Name, clonePrefix)
		names = append(names, name)
		if short := Flags[i].Short; short != name {
			names = append(names, short)
		}
	}
	if long {
		return prefixed(clonePrefix, Nearest(word[len(clonePrefix):], names))
	}
	return Nearest(word, append(names, SignalNames()...))
}

func prefixed(prefix string, names []string) []string {
	for i, name := range names {
		names[i] = prefix + name
	}
	return names
}
