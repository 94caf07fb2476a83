// SPDX-License-Identifier: Apache-2.0

package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/forktrace/forktrace/decode"
	"github.com/forktrace/forktrace/docs"
	"github.com/forktrace/forktrace/internal/testkit"
)

// renderJSON writes all synthetic records, losses and summaries as JSON.
func renderJSON(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	j := NewJSON(&out, Cgroups{V2: paths}, nil)
	for _, r := range allRecords() {
		if err := j.Creation(&r); err != nil {
			t.Fatal(err)
		}
	}
	full := Summary{Created: 1 << 63, Failed: 2, Restarted: 3, Received: 4, Shown: 5, Lost: 6, TreeFull: 7,
		SeenCreated: 8, KernelForks: [2]uint64{9, 9}, Elapsed: time.Second}
	for _, step := range []func() error{
		func() error {
			return j.Resumed(&decode.Resumed{Time: 7, Suspended: 1_000, Pid: 5, Tid: 6, Child: 9, CPU: 1})
		},
		func() error { return j.Livelock(aLivelock()) },
		func() error { return j.Lost(1, 12) },
		func() error { return j.Lost(^uint32(0), 1<<63) },
		j.Flush,
		func() error { return full.WriteJSON(&out) },
		func() error { return (&Summary{ForksErr: errors.New("no /proc")}).WriteJSON(&out) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

var dayTime = regexp.MustCompile(`"time":"[^"]*"`)

func TestJSONGolden(t *testing.T) {
	golden(t, "json", string(dayTime.ReplaceAll(renderJSON(t), []byte(`"time":"…"`))))
}

// TestJSONSchema validates every shape of object, and requires that the schema lets no
// other field pass.
func TestJSONSchema(t *testing.T) {
	schema := testkit.Schema(t)
	for line := range bytes.Lines(renderJSON(t)) {
		testkit.ValidateLine(t, schema, line)
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			t.Fatal(err)
		}
		object["unheard_of"] = 1
		if schema.Validate(object) == nil {
			t.Errorf("the schema takes any field in %s", line)
		}
	}
}

// schemaNode is what these tests look at in a JSON Schema.
type schemaNode struct {
	Ref         string                `json:"$ref"`
	Defs        map[string]schemaNode `json:"$defs"`
	Properties  map[string]schemaNode `json:"properties"`
	Additional  *bool                 `json:"additionalProperties"`
	Enum        []string              `json:"enum"`
	Description string                `json:"description"`
}

func schemaDefs(t *testing.T) map[string]schemaNode {
	t.Helper()
	var root schemaNode
	if err := json.Unmarshal(docs.Schema, &root); err != nil {
		t.Fatal(err)
	}
	return root.Defs
}

// TestSchemaDescribes: every field has a description, and no object is open.
func TestSchemaDescribes(t *testing.T) {
	for name, def := range schemaDefs(t) {
		if def.Properties != nil && (def.Additional == nil || *def.Additional) {
			t.Errorf("%s takes additional properties", name)
		}
		if def.Description == "" {
			t.Errorf("%s has no description", name)
		}
		for field, f := range def.Properties {
			if f.Description == "" && f.Ref == "" {
				t.Errorf("%s.%s has no description", name, field)
			}
		}
	}
}

// TestSchemaTables: the schema lists what the tables of decode list.
func TestSchemaTables(t *testing.T) {
	defs := schemaDefs(t)
	creation := defs["creation"].Properties
	var entries, layers []string
	for e := decode.EntryUnknown; e == 0 || e.String() != decode.EntryUnknown.String(); e++ {
		entries = append(entries, e.String())
	}
	for l := decode.LayerNone + 1; l.String() != decode.LayerUnknown.String(); l++ {
		layers = append(layers, l.String())
	}
	for name, c := range map[string]struct{ want, got []string }{
		"entry": {entries, creation["entry"].Enum},
		"kind":  {decode.KindNames(), creation["kind"].Enum},
		"layer": {layers, creation["layer"].Enum},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-table +schema):\n%s", name, diff)
		}
	}
	compareFacts(t, decode.FactShared, defs["shares"].Properties, len(defs["shares"].Properties))
	compareFacts(t, decode.FactOfChild, defs["child"].Properties, -1)
	compareFacts(t, decode.FactOfCreator, defs["creator"].Properties, -1)
}

// compareFacts requires that all facts of a group are in an object, which has nothing else
// if n is its size.
func compareFacts(t *testing.T, group decode.FactGroup, object map[string]schemaNode, n int) {
	t.Helper()
	var names []string
	for _, f := range decode.Facts {
		if f.Group == group {
			names = append(names, f.Name)
		}
	}
	for _, name := range names {
		if _, ok := object[name]; !ok {
			t.Errorf("the schema has no fact %s", name)
		}
	}
	if n >= 0 && n != len(names) {
		t.Errorf("%d facts in the table, %d in the schema", len(names), n)
	}
}

// TestJSONRequestTable: each argument of the table of the printer is in the schema.
func TestJSONRequestTable(t *testing.T) {
	request := schemaDefs(t)["request"].Properties
	names := []string{"function", "cgroup_fd", "set_tid_size", "set_tid", "reread"}
	for _, f := range requestFields {
		names = append(names, f.name)
	}
	for name := range request {
		if !slices.Contains(names, name) {
			t.Errorf("%s is in the schema only", name)
		}
	}
	if len(names) != len(request) {
		t.Errorf("%d arguments are written, the schema has %d", len(names), len(request))
	}
}
