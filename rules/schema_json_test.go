package rules

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"callrouter/rules/internal/source"
)

// The schema that editors fetch is the one that the command prints.
func TestThePublishedSchemaIsTheOneOfTheLoader(t *testing.T) {
	compareWithFile(t, "../docs/rules.schema.json", string(JSONSchema()))
}

func compileSchema(t *testing.T, data []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	if err := c.AddResource("rules.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("rules.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asAnEditor reads a file as an editor does, which knows no dates.
func asAnEditor(t *testing.T, path string) (any, bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l := newLoader(source.New(path), loadedAt)
	if !l.Parse(data) {
		return nil, false
	}
	return plainValue(l.Root), true
}

func plainValue(n *source.Node) any {
	switch n.Kind {
	case source.MappingNode:
		m := map[string]any{}
		for k, v := range source.Pairs(n) {
			m[k.Value] = plainValue(v)
		}
		return m
	case source.SequenceNode:
		all := []any{}
		for _, item := range n.Content {
			all = append(all, plainValue(item))
		}
		return all
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return json.Number(strings.TrimPrefix(strings.ReplaceAll(n.Value, "_", ""), "+"))
	case "!!bool":
		return n.Value == "true"
	case "!!null":
		return nil
	}
	return n.Value
}

func TestEveryFileThatIsLoadedFitsTheSchema(t *testing.T) {
	schema := compileSchema(t, JSONSchema())
	var files []string
	for _, pattern := range []string{
		"../rules.example.yaml", "../examples/*/rules.yaml", "testdata/valid/*/rules.yaml", "testdata/decide/*.yaml",
		"testdata/invalid/warning-*/rules.yaml",
		// what only the loader can see is wrong with these
		"testdata/invalid/failing-tests/rules.yaml", "testdata/invalid/handoff-too-long/rules.yaml",
		"testdata/invalid/rule-never-reached/rules.yaml",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	for _, file := range files {
		v, ok := asAnEditor(t, file)
		if !ok {
			t.Errorf("%s cannot be read", file)
			continue
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// What an editor can see of an author's mistakes it is told of while he writes: all mistakes of shape, and most in the
// forms of single values.
func TestMistakesOfShapeAreRefusedByTheSchema(t *testing.T) {
	schema := compileSchema(t, JSONSchema())
	codes := []string{
		"unknown-key", "missing-key", "wrong-type", "unknown-value", "empty-value", "empty-condition", "bad-name",
		"unsupported-version",
	}
	folders, err := filepath.Glob("testdata/invalid/*")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, folder := range folders {
		path := filepath.Join(folder, "rules.yaml")
		v, ok := asAnEditor(t, path)
		if !ok {
			continue
		}
		_, problems := load(path, loadedAt)
		fits := schema.Validate(v) == nil
		visible := slices.ContainsFunc(problems, func(p Problem) bool { return slices.Contains(codes, p.Code) })
		if fits && visible {
			t.Errorf("%s fits the schema:\n%s", folder, printed(folder, problems))
		}
		if !fits && !problems.HasErrors() {
			t.Errorf("%s does not fit the schema, and is loaded", folder)
		}
		if !fits {
			refused++
		}
	}
	if refused < 20 {
		t.Errorf("%d refused", refused)
	}
	for _, name := range []string{"default-hands-off", "two-actions", "list-of-two-kinds", "impossible-date",
		"impossible-duration", "impossible-time", "unknown-timezone"} {
		if v, ok := asAnEditor(t, filepath.Join("testdata/invalid", name, "rules.yaml")); !ok ||
			schema.Validate(v) == nil {
			t.Errorf("%s fits the schema", name)
		}
	}
}

// Changes of one value each, in a file that fits.
func TestOneWrongValueIsRefusedByTheSchema(t *testing.T) {
	schema := compileSchema(t, JSONSchema())
	v, _ := asAnEditor(t, "testdata/valid/whole/rules.yaml")
	if err := schema.Validate(v); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("testdata/valid/whole/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{"language: pt", "language: fr"},
		{"language: pt", "languages: pt"},
		{"version: 1", "version: 2"},
		{"timezone: America/Sao_Paulo", "timezone: Local"},
		{"strategy: longest_idle", "strategy: longest"},
		{"09:00-18:00", "09:00-25:00"},
		{"09:00-18:00", "9-18"},
		{"mon-thu:", "monday:"},
		{"12-31:", "31/12:"},
		{"ring: 10s", "ring: 10 seconds"},
		{"ring: 10s", "ring: 10"},
		{"{capacity: 2}", "{capacity: -1}"},
		{"{capacity: 2}", "{capacity: two}"},
		{"then: reject", "then: refuse"},
		{"action: reject", "action: refuse"},
		{"{store: true}", "{store: false}"},
		{"{store: true}", "{store: true, file: a.txt}"},
		{"  sales:\n", "  Sales:\n"},
	} {
		text := strings.Replace(string(data), change[0], change[1], 1)
		if text == string(data) {
			t.Errorf("%q is not in the file", change[0])
			continue
		}
		path := filepath.Join(t.TempDir(), "rules.yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if v, ok := asAnEditor(t, path); !ok || schema.Validate(v) == nil {
			t.Errorf("%q fits the schema", change[1])
		}
	}
}

// schemaKeys are the keys that a schema knows by path.
func schemaKeys(node any, path string, keys map[string]bool) {
	s, ok := node.(map[string]any)
	if !ok {
		return
	}
	for _, way := range listOf(s["anyOf"]) {
		schemaKeys(way, path, keys)
	}
	schemaKeys(s["items"], path+"[]", keys)
	for _, of := range []string{"properties", "patternProperties"} {
		members, _ := s[of].(map[string]any)
		for name, value := range members {
			if of == "patternProperties" {
				name = "*"
			}
			child := pathOf(path, name)
			keys[child] = true
			schemaKeys(value, child, keys)
		}
	}
}

func listOf(v any) []any {
	list, _ := v.([]any)
	return list
}

func pathOf(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// The loader itself, and not the table, is asked what it takes: a key that the schema does not know is one that it
// refuses, and what it then says it knows is what the schema knows.
func TestTheLoaderSaysTheKeysOfTheSchema(t *testing.T) {
	var schema any
	if err := json.Unmarshal(JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	schemaKeys(schema, "", keys)
	for path, text := range map[string]string{
		"":                     "zzzzzzzzzzzz: 1\n",
		"limits":               "limits: {zzzzzzzzzzzz: 1}\n",
		"numbers.*":            "numbers: {main: {zzzzzzzzzzzz: 1}}\n",
		"hours.*":              "hours: {a: {zzzzzzzzzzzz: 1}}\n",
		"lists.*":              "lists: {a: {zzzzzzzzzzzz: 1}}\n",
		"lists.*[]":            "lists: {a: [{zzzzzzzzzzzz: 1}]}\n",
		"agents.*":             "agents: {a: {zzzzzzzzzzzz: 1}}\n",
		"queues.*":             "queues: {a: {zzzzzzzzzzzz: 1}}\n",
		"answers.*":            "answers: {a: {zzzzzzzzzzzz: 1}}\n",
		"messages.*":           "messages: {a: {zzzzzzzzzzzz: 1}}\n",
		"rules[]":              "rules: [{zzzzzzzzzzzz: 1}]\n",
		"rules[].then":         "rules: [{then: {zzzzzzzzzzzz: 1}}]\n",
		"rules[].then.handoff": "rules: [{then: {handoff: {zzzzzzzzzzzz: 1}}}]\n",
		"rules[].then.reject":  "rules: [{then: {reject: {zzzzzzzzzzzz: 1}}}]\n",
		"tests[]":              "tests: [{zzzzzzzzzzzz: 1}]\n",
		"tests[].call":         "tests: [{call: {zzzzzzzzzzzz: 1}}]\n",
		"tests[].given":        "tests: [{given: {zzzzzzzzzzzz: 1}}]\n",
		"tests[].expect":       "tests: [{expect: {zzzzzzzzzzzz: 1}}]\n",
	} {
		file := filepath.Join(t.TempDir(), "rules.yaml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, problems := load(file, loadedAt)
		i := slices.IndexFunc(problems, func(p Problem) bool { return p.Code == "unknown-key" })
		if i < 0 {
			t.Errorf("%s: %v", path, problems)
			continue
		}
		var want []string
		for key := range keys {
			if name := strings.TrimPrefix(strings.TrimPrefix(key, path), "."); strings.HasPrefix(key, path) &&
				!strings.ContainsAny(name, ".[*") && name != "" && pathOf(path, name) == key {
				want = append(want, name)
			}
		}
		if got, want := problems[i].Hint, source.KnownList(want); got != want {
			t.Errorf("%s: the loader says %q, the schema has %q", path, got, want)
		}
	}
}
