// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bufio"
	"bytes"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/forktrace/forktrace/docs"
)

// Schema compiles docs/schema.json.
func Schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	return compile(t, docs.Schema)
}

// ActivitySchema compiles docs/schema-activity.json.
func ActivitySchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	return compile(t, docs.ActivitySchema)
}

// DoctorSchema compiles docs/schema-doctor.json.
func DoctorSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	return compile(t, docs.DoctorSchema)
}

func compile(t testing.TB, text []byte) *jsonschema.Schema {
	t.Helper()
	const name = "schema.json"
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// Validate requires that each line of a file is as the schema says. It returns how many
// lines there are.
func Validate(t testing.TB, schema *jsonschema.Schema, file string) (n int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for ; lines.Scan(); n++ {
		ValidateLine(t, schema, lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// ValidateLine requires that one line is as the schema says.
func ValidateLine(t testing.TB, schema *jsonschema.Schema, line []byte) {
	t.Helper()
	object, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		t.Errorf("%v\n%s", err, line)
		return
	}
	if err := schema.Validate(object); err != nil {
		t.Errorf("%v\n%s", err, line)
	}
}
