package source

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// maxExpansion is how many nodes aliases may stand for.
const maxExpansion = 100_000

// expander replaces aliases by what they stand for, and merges merge keys.
type expander struct {
	d        *Document
	open     []*Node // the anchors that are being expanded
	expanded int
	failed   bool
}

func (e *expander) expand(n *Node) *Node {
	if e.failed {
		return n
	}
	if len(e.open) > 0 {
		if e.expanded++; e.expanded > maxExpansion {
			e.fail(e.open[0], "too-many-aliases", fmt.Sprintf("aliases stand for more than %d values", maxExpansion),
				"repeat less")
			return n
		}
	}
	if n.Kind == yaml.AliasNode {
		for _, o := range e.open {
			if o.Alias == n.Alias {
				e.fail(n, "alias-cycle", "the alias refers to something that contains it", "remove one of the two")
				return n
			}
		}
		e.open = append(e.open, n)
		target := e.expand(n.Alias)
		e.open = e.open[:len(e.open)-1]
		return target
	}
	if len(n.Content) == 0 {
		return n
	}
	grown := *n
	grown.Content = make([]*Node, len(n.Content))
	for i, c := range n.Content {
		grown.Content[i] = e.expand(c)
	}
	if n.Kind == MappingNode {
		grown.Content = e.merge(grown.Content)
	}
	return &grown
}

// merge adds, in place of `<<`, the pairs of the mappings it names that are not there already.
func (e *expander) merge(content []*Node) []*Node {
	var own, merged []*Node
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].ShortTag() != "!!merge" {
			own = append(own, content[i], content[i+1])
			continue
		}
		sources := []*Node{content[i+1]}
		if content[i+1].Kind == SequenceNode {
			sources = content[i+1].Content
		}
		for _, s := range sources {
			if s.Kind != MappingNode {
				e.fail(content[i], "wrong-type", "only a mapping can be merged", "name one with `<<: *name`")
				return content
			}
			merged = append(merged, s.Content...)
		}
	}
	has := map[string]bool{}
	for i := 0; i < len(own); i += 2 {
		has[own[i].Value] = true
	}
	for i := 0; i < len(merged); i += 2 {
		if !has[merged[i].Value] {
			has[merged[i].Value] = true
			own = append(own, merged[i], merged[i+1])
		}
	}
	return own
}

func (e *expander) fail(n *Node, code, message, hint string) {
	if !e.failed {
		e.failed = true
		e.d.Fail(n, code, message, hint)
	}
}
