// SPDX-License-Identifier: Apache-2.0

package output

// Escape sequences of the few colours that are used (ECMA-48, select graphic rendition).
// Red and bold for failures is backed by a sign, so that colour alone carries nothing.
const (
	colorFail  = "\x1b[1;31m"
	colorDim   = "\x1b[2m"
	colorReset = "\x1b[0m"
)
