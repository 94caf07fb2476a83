// SPDX-License-Identifier: Apache-2.0

package output

import (
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendSafe appends text that a traced program chose, with everything that could move
// a cursor, change a colour or hide: control and format characters, spaces other than
// the plain one, and bytes that are no UTF-8 become \xNN.
func AppendSafe(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r >= ' ' && r < utf8.RuneSelf && r != 0x7f && r != '\\' || r >= utf8.RuneSelf && n > 1 && unicode.IsPrint(r) {
			dst = append(dst, text[:n]...)
		} else if r == '\\' {
			dst = append(dst, `\\`...)
		} else {
			for _, b := range text[:n] {
				dst = append(dst, '\\', 'x', hexDigits[b>>4], hexDigits[b&15])
			}
		}
		text = text[n:]
	}
	return dst
}

// appendJSONString appends text as a JSON string. Bytes that are no UTF-8, which JSON
// cannot hold, become U+FFFD; control characters are escaped.
func appendJSONString(dst, text []byte) []byte {
	dst = append(dst, '"')
	for len(text) > 0 {
		if n := plainASCII(text); n > 0 { // nearly always all of it
			dst, text = append(dst, text[:n]...), text[n:]
			continue
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029':
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		case r == utf8.RuneError:
			dst = append(dst, "\ufffd"...)
		default:
			dst = append(dst, text[:n]...)
		}
		text = text[n:]
	}
	return append(dst, '"')
}

// plainASCII is for how many bytes text is printable ASCII that stands for itself.
func plainASCII(text []byte) int {
	for i, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}
