package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// shape says what may stand at a place of the file. What it allows is the union of its fields: a scalar, a mapping with
// known keys, a mapping with free keys, a sequence, nothing.
type shape struct {
	what   string // for people: `a duration such as 90s`
	scalar scalar
	values []string // the only scalars allowed, if any
	keys   []key    // a mapping with these keys
	each   *shape   // a mapping with free keys, each of this shape
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

// check compares a node with its shape, reports what does not fit, and marks the nodes that cannot be used. at is the key
// that the node belongs to, for a value that is missing; it may be nil.
func (l *loader) check(at, n *yaml.Node, s *shape) {
	if isNull(n) {
		l.checkNull(at, n, s)
		return
	}
	if s == conditionShape && l.tagged(n) {
		return
	}
	if tag := n.ShortTag(); strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") || tag == "!!binary" {
		l.refuse(n, "yaml-tag", fmt.Sprintf("YAML reads %s as a tag, and would drop it", quoted(tag)), "put the value in quotes")
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		l.checkScalar(n, s)
	case yaml.SequenceNode:
		l.checkSequence(at, n, s)
	case yaml.MappingNode:
		l.checkMapping(at, n, s)
	}
}

// refuse reports a node and marks it as one that cannot be used.
func (l *loader) refuse(n *yaml.Node, code, message, hint string) {
	l.fail(n, code, message, hint)
	l.bad[n] = true
}

func (l *loader) wrongType(n *yaml.Node, s *shape) {
	hint := "write " + s.what
	if n.Kind == yaml.ScalarNode && s.items != nil && s.keys == nil {
		hint = fmt.Sprintf("write [%s]", n.Value)
	}
	l.refuse(n, "wrong-type", fmt.Sprintf("this is %s, and should be %s", describe(n), s.what), hint)
}

func (l *loader) checkNull(at, n *yaml.Node, s *shape) {
	if s.bare {
		return
	}
	l.bad[n] = true
	if at == nil {
		l.fail(n, "empty-value", "there is nothing here", "write "+s.what+", or take the line out")
		return
	}
	l.fail(at, "empty-value", fmt.Sprintf("there is nothing after %s", quoted(at.Value)), "write "+s.what+", or take the key out")
}

func (l *loader) checkScalar(n *yaml.Node, s *shape) {
	tag := n.ShortTag()
	switch s.scalar {
	case noScalar:
		l.wrongType(n, s)
	case text:
		if tag != "!!str" {
			l.refuse(n, "wrong-type", fmt.Sprintf("this is %s, and should be %s", describe(n), s.what), fmt.Sprintf("put it in quotes: %q", n.Value))
			return
		}
	case integer:
		if v, err := strconv.Atoi(n.Value); tag != "!!int" || err != nil || v < 0 {
			l.wrongType(n, s)
		}
	case boolean:
		if tag != "!!bool" {
			l.wrongType(n, s)
		}
	}
	if len(s.values) > 0 && !slices.Contains(s.values, n.Value) && !l.bad[n] {
		message, _, _ := strings.Cut(fmt.Sprintf("%s is not %s", quoted(n.Value), s.what), ": ")
		hint := "write " + s.what
		if len(s.values) > 1 {
			hint = l.didYouMean(n.Value, s.values)
		}
		l.refuse(n, "unknown-value", message, hint)
	}
}

func (l *loader) checkSequence(at, n *yaml.Node, s *shape) {
	if s.items == nil {
		l.wrongType(n, s)
		return
	}
	if s.filled && len(n.Content) == 0 {
		l.refuse(n, "empty-value", emptyMessage(at), "write at least one, or take the key out")
	}
	for _, item := range n.Content {
		l.check(nil, item, s.items)
	}
}

func emptyMessage(at *yaml.Node) string {
	if at == nil {
		return "this is empty"
	}
	return fmt.Sprintf("%s is empty", quoted(at.Value))
}

func (l *loader) checkMapping(at, n *yaml.Node, s *shape) {
	if s.keys == nil && s.each == nil {
		l.wrongType(n, s)
		return
	}
	if s.filled && len(n.Content) == 0 {
		l.refuse(n, "empty-value", emptyMessage(at), "write at least one, or take the key out")
		return
	}
	first := map[string]*yaml.Node{}
	for k, v := range pairs(n) {
		if k.Kind != yaml.ScalarNode || isNull(k) {
			l.refuse(k, "wrong-type", fmt.Sprintf("a key should be a word, and this is %s", describe(k)), "write a word, or put it in quotes")
			continue
		}
		if before, twice := first[k.Value]; twice {
			l.refuse(k, "duplicate-key", fmt.Sprintf("%s is already there, at line %d", quoted(k.Value), before.Line), "take one of them out")
		} else {
			first[k.Value] = k
		}
		l.checkPair(k, v, s)
	}
	for _, want := range s.keys {
		if want.required && first[want.name] == nil {
			l.missing(at, n, s, want)
		}
	}
}

func (l *loader) checkPair(k, v *yaml.Node, s *shape) {
	if s.each != nil {
		if s.named && !namePattern.MatchString(k.Value) {
			l.fail(k, "bad-name", fmt.Sprintf("%s is not a name", quoted(k.Value)),
				"names start with a letter from a to z; letters, digits, _ and - follow")
		}
		l.check(k, v, s.each)
		return
	}
	i := slices.IndexFunc(s.keys, func(want key) bool { return want.name == k.Value })
	if i < 0 {
		l.bad[k] = true
		known := names(s.keys, func(want key) string { return want.name })
		l.fail(k, "unknown-key", fmt.Sprintf("there is no key %s here", quoted(k.Value)), l.didYouMean(k.Value, known))
		return
	}
	l.check(k, v, s.keys[i].shape)
}

func (l *loader) missing(at, n *yaml.Node, s *shape, want key) {
	where, place := "the file", l.start()
	if at != nil {
		where, place = quoted(at.Value), l.of(at)
	} else if n != l.root {
		where, place = "this "+s.noun, l.of(n)
	}
	l.errorAt(place, "missing-key", fmt.Sprintf("%s has no %q", where, want.name), fmt.Sprintf("add `%s:` and %s", want.name, want.shape.what))
}

func (l *loader) didYouMean(name string, known []string) string {
	if near, ok := nearest(name, known); ok {
		return fmt.Sprintf("did you mean %q? (%s)", near, knownList(known))
	}
	return knownList(known)
}

// pairs ranges over a mapping's keys and values.
func pairs(n *yaml.Node) func(func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// child is the value of a key, or nil if it is missing or cannot be used.
func (l *loader) child(n *yaml.Node, name string) *yaml.Node {
	for k, v := range pairs(n) {
		if k.Value == name {
			if l.bad[v] {
				return nil
			}
			return v
		}
	}
	return nil
}

// keyOf is the key itself, for problems that are about a whole entry.
func keyOf(n *yaml.Node, name string) *yaml.Node {
	for k := range pairs(n) {
		if k.Value == name {
			return k
		}
	}
	return n
}

// entries ranges over the usable pairs of a mapping with free keys.
func (l *loader) entries(n *yaml.Node) func(func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		for k, v := range pairs(n) {
			if !l.bad[k] && !l.bad[v] && !yield(k, v) {
				return
			}
		}
	}
}

// items ranges over the usable items of a sequence; a scalar is a sequence of one.
func (l *loader) items(n *yaml.Node) func(func(*yaml.Node) bool) {
	return func(yield func(*yaml.Node) bool) {
		switch {
		case n == nil:
		case n.Kind == yaml.SequenceNode:
			for _, item := range n.Content {
				if !l.bad[item] && !yield(item) {
					return
				}
			}
		default:
			yield(n)
		}
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describe is a node as an author would call it.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping (key: value)"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	case "!!timestamp":
		return "the date " + n.Value
	default:
		return "the text " + quoted(n.Value)
	}
}
