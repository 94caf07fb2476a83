// SPDX-License-Identifier: Apache-2.0

// Package docs holds the description of forktrace's JSON, for programs and tests.
package docs

import _ "embed"

// Schema is the JSON Schema (draft 2020-12) of every line that --format json writes.
//
//go:embed schema.json
var Schema []byte

// ActivitySchema is the one of every line that top and storm write with --format json.
//
//go:embed schema-activity.json
var ActivitySchema []byte

// DoctorSchema is the one of what doctor writes with --format json.
//
//go:embed schema-doctor.json
var DoctorSchema []byte

// Verifier is docs/verifier.md: what each kernel's verifier makes of the programs.
//
//go:embed verifier.md
var Verifier string
