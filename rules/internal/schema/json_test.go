package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// keysOfSchema are the keys that a schema knows by path, and the paths of those that say nothing about themselves.
func keysOfSchema(t *testing.T, node any, path string, keys, silent map[string]bool) {
	t.Helper()
	s, ok := node.(map[string]any)
	if !ok {
		return
	}
	for _, way := range anyList(s["anyOf"]) {
		keysOfSchema(t, way, path, keys, silent)
	}
	if s["type"] == "object" && s["additionalProperties"] != false {
		t.Errorf("%s takes any key", path)
	}
	keysOfSchema(t, s["items"], path+"[]", keys, silent)
	for _, of := range []string{"properties", "patternProperties"} {
		members, _ := s[of].(map[string]any)
		for name, value := range members {
			if of == "patternProperties" {
				name = "*"
			}
			child := pathTo(path, name)
			keys[child] = true
			if member, ok := value.(map[string]any); !ok || len(fmt.Sprint(member["description"])) < 3 ||
				member["description"] == nil {
				silent[child] = true
			}
			keysOfSchema(t, value, child, keys, silent)
		}
	}
}

func anyList(v any) []any {
	list, _ := v.([]any)
	return list
}

// keysOfShape are the keys that the loader takes.
func keysOfShape(s *shape, path string, keys map[string]bool) {
	if s == nil {
		return
	}
	keysOfShape(s.items, path+"[]", keys)
	if s.each != nil {
		keys[pathTo(path, "*")] = true
		keysOfShape(s.each, pathTo(path, "*"), keys)
	}
	for _, k := range s.keys {
		keys[pathTo(path, k.name)] = true
		keysOfShape(k.shape, pathTo(path, k.name), keys)
	}
}

func TestTheSchemaKnowsTheKeysOfTheLoaderAndNoOthers(t *testing.T) {
	for name, of := range map[string]struct {
		schema []byte
		shape  *shape
	}{"rules": {RulesJSON(), fileShape}, "tests": {TestsJSON(), testFileShape}} {
		var schema any
		if err := json.Unmarshal(of.schema, &schema); err != nil {
			t.Fatal(err)
		}
		got, silent, want := map[string]bool{}, map[string]bool{}, map[string]bool{}
		keysOfSchema(t, schema, "", got, silent)
		keysOfShape(of.shape, "", want)
		for path := range want { // the end of a file cannot hand off, and the loader says so
			if strings.HasPrefix(path, "default.handoff") || strings.HasPrefix(path, "on_error.handoff") {
				delete(want, path)
			}
		}
		if g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(g, w) || len(g) < 20 {
			t.Errorf("%s: the schema has\n%v\nand the loader\n%v", name, g, w)
		}
		if len(silent) > 0 {
			t.Errorf("%s: without a description: %v", name, slices.Sorted(maps.Keys(silent)))
		}
	}
}
