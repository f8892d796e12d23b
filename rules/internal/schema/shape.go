// Package schema is the shape of rules files and test files: which keys may stand where, and what kind of value each
// has. One table makes both the check of a file and the JSON Schema for editors.
package schema

import (
	"regexp"
)

// shape says what may stand at a place of the file. What it allows is the union of its fields: a scalar, a mapping with
// known keys, a mapping with free keys, a sequence, nothing.
type shape struct {
	what   string // for people: `a duration such as 90s`
	scalar scalar
	values []string // the only scalars allowed, if any
	keys   []key    // a mapping with these keys
	each   *shape   // a mapping with free keys, each of this shape, or with the keys above instead
	named  bool     // the free keys are names
	items  *shape   // a sequence of these
	filled bool     // not an empty mapping or sequence
	bare   bool     // nothing is allowed, too
	noun   string   // what an item is called, where the key does not say it
}

// key is one key of a mapping.
type key struct {
	name     string
	shape    *shape
	required bool
	doc      string
}

type scalar uint8

const (
	noScalar scalar = iota
	text            // a string
	word            // taken as it is written, even where YAML would read a number, a date or a truth value
	integer         // zero or more
	boolean
)

// namePattern is what names look like. Rule names are free text.
var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
