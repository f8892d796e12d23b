package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"callrouter/rules/internal/source"
)

// CheckRules compares a document with the shape of a rules file, reports what does not fit, and marks the nodes that
// cannot be used.
func CheckRules(d *source.Document) { checker{d}.check(nil, d.Root, fileShape) }

// CheckTests is checkRules for a test file.
func CheckTests(d *source.Document) { checker{d}.check(nil, d.Root, testFileShape) }

// checker compares a document with a shape.
type checker struct{ *source.Document }

// check compares a node with its shape, reports what does not fit, and marks the nodes that cannot be used. at is the
// key that the node belongs to, for a value that is missing; it may be nil.
func (c checker) check(at, n *source.Node, s *shape) {
	if source.IsNull(n) {
		c.checkNull(at, n, s)
		return
	}
	if s == conditionShape && c.RefuseTag(n) {
		return
	}
	if tag := n.ShortTag(); strings.HasPrefix(tag, "!") && !strings.HasPrefix(tag, "!!") || tag == "!!binary" {
		c.Refuse(n, "yaml-tag", fmt.Sprintf("YAML reads %s as a tag and would drop it", source.Quoted(tag)),
			"put the value in quotes")
		return
	}
	switch n.Kind {
	case source.ScalarNode:
		c.checkScalar(n, s)
	case source.SequenceNode:
		c.checkSequence(at, n, s)
	case source.MappingNode:
		c.checkMapping(at, n, s)
	}
}

func (c checker) checkNull(at, n *source.Node, s *shape) {
	if s.bare {
		return
	}
	c.Spoil(n)
	if at == nil {
		c.Fail(n, "empty-value", "there is nothing here", "write "+s.what+", or remove the line")
		return
	}
	c.Fail(at, "empty-value", fmt.Sprintf("there is nothing after %s", source.Quoted(at.Value)),
		"write "+s.what+", or remove the key")
}

func (c checker) checkScalar(n *source.Node, s *shape) {
	tag := n.ShortTag()
	switch s.scalar {
	case noScalar:
		c.wrongType(n, s)
	case text:
		if tag != "!!str" {
			c.Refuse(n, "wrong-type", fmt.Sprintf("this is %s, and should be %s", source.Describe(n), s.what),
				fmt.Sprintf("put it in quotes: %q", n.Value))
			return
		}
	case integer:
		if v, err := strconv.Atoi(n.Value); tag != "!!int" || err != nil || v < 0 {
			c.wrongType(n, s)
		}
	case boolean:
		if tag != "!!bool" {
			c.wrongType(n, s)
		}
	}
	if len(s.values) > 0 && !slices.Contains(s.values, n.Value) && c.Usable(n) {
		message, _, _ := strings.Cut(fmt.Sprintf("%s is not %s", source.Quoted(n.Value), s.what), ": ")
		hint := "write " + s.what
		if len(s.values) > 1 {
			hint = source.DidYouMean(n.Value, s.values)
		}
		c.Refuse(n, "unknown-value", message, hint)
	}
}

func (c checker) wrongType(n *source.Node, s *shape) {
	hint := "write " + s.what
	if n.Kind == source.ScalarNode && s.items != nil && s.keys == nil {
		hint = fmt.Sprintf("write [%s]", n.Value)
	}
	c.Refuse(n, "wrong-type", fmt.Sprintf("this is %s, and should be %s", source.Describe(n), s.what), hint)
}

func (c checker) checkSequence(at, n *source.Node, s *shape) {
	if s.items == nil {
		c.wrongType(n, s)
		return
	}
	if s.filled && len(n.Content) == 0 {
		c.Refuse(n, "empty-value", emptyMessage(at), "write at least one, or remove the key")
	}
	for _, item := range n.Content {
		c.check(nil, item, s.items)
	}
}

func emptyMessage(at *source.Node) string {
	if at == nil {
		return "this is empty"
	}
	return fmt.Sprintf("%s is empty", source.Quoted(at.Value))
}

func (c checker) checkMapping(at, n *source.Node, s *shape) {
	if s.keys == nil && s.each == nil {
		c.wrongType(n, s)
		return
	}
	if s.filled && len(n.Content) == 0 {
		c.Refuse(n, "empty-value", emptyMessage(at), "write at least one, or remove the key")
		return
	}
	first := map[string]*source.Node{}
	for k, v := range source.Pairs(n) {
		if k.Kind != source.ScalarNode || source.IsNull(k) {
			c.Refuse(k, "wrong-type", fmt.Sprintf("a key should be a word, and this is %s", source.Describe(k)),
				"write a word, or put it in quotes")
			continue
		}
		if before, twice := first[k.Value]; twice {
			c.Refuse(k, "duplicate-key",
				fmt.Sprintf("%s is already there, at line %d", source.Quoted(k.Value), before.Line),
				"remove one of them")
		} else {
			first[k.Value] = k
		}
		c.checkPair(k, v, s)
	}
	for _, want := range s.keys {
		if want.required && first[want.name] == nil {
			c.missing(at, n, s, want)
		}
	}
}

func (c checker) checkPair(k, v *source.Node, s *shape) {
	i := slices.IndexFunc(s.keys, func(want key) bool { return want.name == k.Value })
	if s.each != nil && i < 0 {
		if s.named && !namePattern.MatchString(k.Value) {
			c.Fail(k, "bad-name", fmt.Sprintf("%s is not a name", source.Quoted(k.Value)),
				"names start with a letter from a to z; letters, digits, _ and - follow")
		}
		c.check(k, v, s.each)
		return
	}
	if i < 0 {
		c.Spoil(k)
		known := make([]string, len(s.keys))
		for i, want := range s.keys {
			known[i] = want.name
		}
		c.Fail(k, "unknown-key", fmt.Sprintf("there is no key %s here", source.Quoted(k.Value)),
			source.DidYouMean(k.Value, known))
		return
	}
	c.check(k, v, s.keys[i].shape)
}

func (c checker) missing(at, n *source.Node, s *shape, want key) {
	where, place := "the file", c.Start()
	if at != nil {
		where, place = source.Quoted(at.Value), c.Of(at)
	} else if n != c.Root {
		where, place = "this "+s.noun, c.Of(n)
	}
	c.ErrorAt(place, "missing-key", fmt.Sprintf("%s has no %q", where, want.name),
		fmt.Sprintf("add `%s:` and %s", want.name, want.shape.what))
}
