// SPDX-License-Identifier: Apache-2.0

// Package forktrace is the root of the module: it holds the generate lines, and
// nothing to import. The program is in cmd/forktrace, the library in tracer and decode.
package forktrace

//go:generate scripts/generate
//go:generate scripts/generate-executor
