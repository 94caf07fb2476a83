// SPDX-License-Identifier: Apache-2.0

package main

import "strings"

// compareVersions orders two Debian version strings as dpkg does: negative when a is older than b, zero when they are
// equal, positive when a is newer.
func compareVersions(a, b string) int {
	aEpoch, aUpstream, aRevision := splitVersion(a)
	bEpoch, bUpstream, bRevision := splitVersion(b)
	if c := compareVersionPart(aEpoch, bEpoch); c != 0 {
		return c
	}
	if c := compareVersionPart(aUpstream, bUpstream); c != 0 {
		return c
	}
	return compareVersionPart(aRevision, bRevision)
}

func splitVersion(v string) (epoch, upstream, revision string) {
	epoch, upstream, found := strings.Cut(v, ":")
	if !found {
		epoch, upstream = "0", v
	}
	if dash := strings.LastIndexByte(upstream, '-'); dash >= 0 {
		return epoch, upstream[:dash], upstream[dash+1:]
	}
	return epoch, upstream, "0"
}

// compareVersionPart compares alternating runs of other characters and digits, as deb-version(7) lays down.
func compareVersionPart(a, b string) int {
	for a != "" || b != "" {
		for startsWithText(a) || startsWithText(b) {
			if c := textOrder(a) - textOrder(b); c != 0 {
				return c
			}
			a, b = a[1:], b[1:]
		}
		var c int
		if c, a, b = compareNumbers(a, b); c != 0 {
			return c
		}
	}
	return 0
}

func startsWithText(s string) bool { return s != "" && !isDigit(s[0]) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// textOrder ranks the first character: a tilde before the end of the part, the end before letters, letters before the rest.
func textOrder(s string) int {
	switch {
	case s == "" || isDigit(s[0]):
		return 0
	case s[0] == '~':
		return -1
	case s[0] >= 'a' && s[0] <= 'z', s[0] >= 'A' && s[0] <= 'Z':
		return int(s[0])
	default:
		return int(s[0]) + 256
	}
}

// compareNumbers compares the leading decimal numbers, of any length, and returns what follows them.
func compareNumbers(a, b string) (order int, restA, restB string) {
	numberA, restA := leadingNumber(a)
	numberB, restB := leadingNumber(b)
	if len(numberA) != len(numberB) {
		return len(numberA) - len(numberB), restA, restB
	}
	return strings.Compare(numberA, numberB), restA, restB
}

func leadingNumber(s string) (number, rest string) {
	end := 0
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	return strings.TrimLeft(s[:end], "0"), s[end:]
}
