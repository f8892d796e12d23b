package schema

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// RulesJSON returns the JSON Schema (draft-07) of the rules file, for editors. It is made from the very shape that
// [CheckRules] checks files against.
func RulesJSON() []byte {
	return printSchema("callrouter rules file",
		"Routes WhatsApp calls. `callrouter check` finds what this schema cannot see.", fileShape)
}

// TestsJSON returns the JSON Schema (draft-07) of a test file.
func TestsJSON() []byte {
	return printSchema("callrouter test file", "Tests of a callrouter rules file, for `callrouter test`.",
		testFileShape)
}

func printSchema(title, description string, s *shape) []byte {
	head := object{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title},
		{"description", description}}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(append(head, schemaOf(s, "")...)); err != nil {
		panic(err) // it is made of texts, numbers and lists alone
	}
	return b.Bytes()
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(m.name))
		b.WriteByte(':')
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// with is the object with members set.
func (o object) with(more ...member) object {
	o = slices.Clone(o)
	for _, m := range more {
		if i := slices.IndexFunc(o, func(have member) bool { return have.name == m.name }); i >= 0 {
			o[i] = m
		} else {
			o = append(o, m)
		}
	}
	return o
}

// schemaOf is the schema of what may stand at a path. A path is made of keys, "*" for a free key and "[]" for an item.
func schemaOf(s *shape, path string) object {
	var ways []object
	if s.scalar != noScalar {
		ways = append(ways, scalarSchema(s).with(details(path, "scalar")...))
	}
	if s.items != nil {
		array := object{{"type", "array"}, {"items", describedSchema(s.items, path+"[]", s.items.what)}}
		if s.filled {
			array = append(array, member{"minItems", 1})
		}
		ways = append(ways, array.with(details(path, "array")...))
	}
	if s.keys != nil && s.each != nil { // one or the other
		keys, each := *s, *s
		keys.each, each.keys = nil, nil
		ways = append(ways, mappingSchema(&keys, path), mappingSchema(&each, path))
	} else if s.keys != nil || s.each != nil {
		ways = append(ways, mappingSchema(s, path).with(details(path, "object")...))
	}
	if s.bare {
		ways = append(ways, object{{"type", "null"}})
	}
	if len(ways) == 1 {
		return ways[0]
	}
	return object{{"anyOf", ways}}
}

func describedSchema(s *shape, path, description string) object {
	return append(object{{"description", description}}, schemaOf(s, path)...)
}

func mappingSchema(s *shape, path string) object {
	o := object{{"type", "object"}, {"additionalProperties", false}}
	if s.filled {
		o = append(o, member{"minProperties", 1})
	}
	if s.each != nil {
		pattern := keyPattern(path)
		if s.named {
			pattern = namePattern.String()
		}
		return append(o, member{"patternProperties",
			object{{pattern, describedSchema(s.each, pathTo(path, "*"), s.each.what)}}})
	}
	var required []string
	properties := object{}
	for _, k := range s.keys {
		if leftOut(path, k.name) {
			continue
		}
		properties = append(properties, member{k.name, describedSchema(k.shape, pathTo(path, k.name), k.doc)})
		if k.required {
			required = append(required, k.name)
		}
	}
	if required != nil {
		o = append(o, member{"required", required})
	}
	return append(o, member{"properties", properties})
}

func pathTo(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// scalarSchema is the schema of one value as an editor reads it, which is not always as Load does: YAML 1.2 knows no
// dates.
func scalarSchema(s *shape) object {
	var o object
	switch s.scalar {
	case text:
		o = object{{"type", "string"}}
	case word:
		o = object{{"type", []string{"string", "number", "boolean"}}}
	case integer:
		o = object{{"type", "integer"}, {"minimum", 0}}
	case boolean:
		o = object{{"type", "boolean"}}
	}
	if len(s.values) > 0 {
		var values []any
		for _, v := range s.values {
			if s.scalar == boolean {
				values = append(values, v == "true")
			} else {
				values = append(values, v)
			}
		}
		o = append(o, member{"enum", values})
	}
	return o.with(valueDetails(s)...)
}
