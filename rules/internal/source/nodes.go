package source

import (
	"iter"

	"gopkg.in/yaml.v3"
)

// Node is a node of a document: a scalar, a sequence or a mapping.
type Node = yaml.Node

// The kinds of nodes. Aliases are expanded by [Document.Parse].
const (
	ScalarNode   = yaml.ScalarNode
	SequenceNode = yaml.SequenceNode
	MappingNode  = yaml.MappingNode
)

// Usable reports whether the value of a node can be used: nothing has been reported of it that rules this out.
func (d *Document) Usable(n *Node) bool { return !d.bad[n] }

// Spoil marks a node as not usable.
func (d *Document) Spoil(n *Node) { d.bad[n] = true }

// Refuse reports an error at a node and marks it as not usable.
func (d *Document) Refuse(n *Node, code, message, hint string) {
	d.Fail(n, code, message, hint)
	d.bad[n] = true
}

// Pairs ranges over a mapping's keys and values.
func Pairs(n *Node) iter.Seq2[*Node, *Node] {
	return func(yield func(k, v *Node) bool) {
		if n == nil || n.Kind != MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// KeyOf returns the key node of an entry, where problems of the whole entry are reported. It returns n if there is no
// such key.
func KeyOf(n *Node, name string) *Node {
	for k := range Pairs(n) {
		if k.Value == name {
			return k
		}
	}
	return n
}

// Child returns the value of a key, or nil if it is missing or not usable.
func (d *Document) Child(n *Node, name string) *Node {
	for k, v := range Pairs(n) {
		if k.Value == name {
			if d.bad[v] {
				return nil
			}
			return v
		}
	}
	return nil
}

// Has reports whether a mapping has a key, usable or not.
func (d *Document) Has(n *Node, name string) bool {
	for k := range Pairs(n) {
		if k.Value == name {
			return true
		}
	}
	return false
}

// Entries ranges over the usable pairs of a mapping with free keys.
func (d *Document) Entries(n *Node) iter.Seq2[*Node, *Node] {
	return func(yield func(k, v *Node) bool) {
		for k, v := range Pairs(n) {
			if !d.bad[k] && !d.bad[v] && !yield(k, v) {
				return
			}
		}
	}
}

// Items ranges over the usable items of a sequence; a scalar is a sequence of one.
func (d *Document) Items(n *Node) iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		switch {
		case n == nil:
		case n.Kind == SequenceNode:
			for _, item := range n.Content {
				if !d.bad[item] && !yield(item) {
					return
				}
			}
		default:
			yield(n)
		}
	}
}

// IsNull reports whether a node has no value.
func IsNull(n *Node) bool { return n.Kind == ScalarNode && n.ShortTag() == "!!null" }

// Describe returns what an author would call a node.
func Describe(n *Node) string {
	switch n.Kind {
	case MappingNode:
		return "a mapping (key: value)"
	case SequenceNode:
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
		return "the text " + Quoted(n.Value)
	}
}
