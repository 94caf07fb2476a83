// SPDX-License-Identifier: Apache-2.0

package decode

// Truth is the answer to a question that may be open. The zero value says nothing.
type Truth uint8

// The three answers.
const (
	Open Truth = iota // not known
	No
	Yes
)

// TruthOf is the answer that b is.
func TruthOf(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// either is the answer to "one of the two".
func either(a, b Truth) Truth {
	switch {
	case a == Yes || b == Yes:
		return Yes
	case a == No && b == No:
		return No
	}
	return Open
}
