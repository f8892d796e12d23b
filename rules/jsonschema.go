package rules

import "callrouter/rules/internal/schema"

// JSONSchema returns the JSON Schema (draft-07) of the rules file, for editors. It is made from the very shape that
// [Load] checks files against: what it knows is what a file may hold. What only Load can see (names, times that
// overlap, types in conditions) it does not refuse.
func JSONSchema() []byte { return schema.RulesJSON() }
