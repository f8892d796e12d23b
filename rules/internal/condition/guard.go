package condition

import (
	"slices"
	"strings"
)

// Guard is a part of a condition that few calls meet: a value is one of some texts, starts with a text, or the caller
// is on a list of the file.
type Guard struct {
	Value  string // "caller.country"; empty for a list
	Prefix bool
	Texts  []string
	List   string
}

// guardOf reads a guard off an atom, if it is one.
func (x *expression) guardOf(n exprNode) *Guard {
	switch n := n.(type) {
	case *callNode:
		callee, ok := n.Callee.(*identifierNode)
		if !ok || callee.Value != "listed" {
			return nil
		}
		if name, ok := n.Arguments[0].(*stringNode); ok && !x.names.InStore(name.Value) {
			return &Guard{List: name.Value}
		}
	case *binaryNode:
		value, literal := n.Left, n.Right
		if _, turned := value.(*stringNode); turned && n.Operator == "==" {
			value, literal = literal, value
		}
		name := nameOf(value, context{})
		if name != "number" && !isGuarded(name) {
			return nil
		}
		texts, ok := textsOf(literal)
		switch {
		case !ok:
		case n.Operator == "==" && len(texts) == 1 || n.Operator == "in":
			return &Guard{Value: name, Texts: texts}
		case n.Operator == "startsWith" && len(texts) == 1 && name != "number":
			return &Guard{Value: name, Prefix: true, Texts: texts}
		}
	}
	return nil
}

// isGuarded reports whether rules can be found by a value of the call.
func isGuarded(name string) bool {
	return name == "payload" || slices.Contains(callerNames, strings.TrimPrefix(name, "caller.")) &&
		strings.HasPrefix(name, "caller.")
}

func textsOf(n exprNode) ([]string, bool) {
	nodes := []exprNode{n}
	if list, ok := n.(*arrayNode); ok {
		nodes = list.Nodes
	}
	var texts []string
	for _, n := range nodes {
		s, ok := n.(*stringNode)
		if !ok {
			return nil, false
		}
		texts = append(texts, s.Value)
	}
	return texts, len(texts) > 0
}

// isSafe reports whether a part of a condition can neither fail nor ask the store.
func (x *expression) isSafe(n exprNode) bool {
	switch n := n.(type) {
	case *stringNode, *integerNode, *floatNode, *boolNode:
		return true
	case *identifierNode:
		return slices.Contains(valueNames, n.Value)
	case *memberNode:
		return strings.HasPrefix(nameOf(n, context{}), "caller.")
	case *callNode:
		switch callee := n.Callee.(type) {
		case *memberNode:
			return readsMinute(callee) && len(n.Arguments) == 0
		case *identifierNode:
			name, literal := n.Arguments[0].(*stringNode)
			return literal && (callee.Value == "open" || callee.Value == "holiday" || callee.Value == "listed" &&
				!x.names.InStore(name.Value))
		}
		return false
	case *arrayNode, *unaryNode:
	case *binaryNode:
		if !slices.Contains([]string{"==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith",
			"matches", "and", "&&", "or", "||"}, n.Operator) {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(childrenOf(n), func(c exprNode) bool { return !x.isSafe(c) })
}
