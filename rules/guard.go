package rules

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// guard is a part of a condition that few calls meet: a value is one of some texts, starts with a text, or the caller is on
// a list of the file.
type guard struct {
	value  string // "caller.country"; empty for a list
	prefix bool
	texts  []string
	list   string
}

// guardOf reads a guard off an atom, if it is one.
func guardOf(n ast.Node, lists map[string]*list) *guard {
	switch n := n.(type) {
	case *ast.CallNode:
		callee, ok := n.Callee.(*ast.IdentifierNode)
		if !ok || callee.Value != "listed" {
			return nil
		}
		if name, ok := n.Arguments[0].(*ast.StringNode); ok && !lists[name.Value].Store {
			return &guard{list: name.Value}
		}
	case *ast.BinaryNode:
		value, literal := n.Left, n.Right
		if _, turned := value.(*ast.StringNode); turned && n.Operator == "==" {
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
			return &guard{value: name, texts: texts}
		case n.Operator == "startsWith" && len(texts) == 1 && name != "number":
			return &guard{value: name, prefix: true, texts: texts}
		}
	}
	return nil
}

func isGuarded(name string) bool {
	for i := range guarded {
		if guarded[i].name == name {
			return true
		}
	}
	return false
}

func textsOf(n ast.Node) ([]string, bool) {
	nodes := []ast.Node{n}
	if list, ok := n.(*ast.ArrayNode); ok {
		nodes = list.Nodes
	}
	var texts []string
	for _, n := range nodes {
		s, ok := n.(*ast.StringNode)
		if !ok {
			return nil, false
		}
		texts = append(texts, s.Value)
	}
	return texts, len(texts) > 0
}

// isSafe says whether a part of a condition can neither fail nor ask the store.
func isSafe(n ast.Node, lists map[string]*list) bool {
	switch n := n.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return true
	case *ast.IdentifierNode:
		return slices.Contains(valueNames, n.Value)
	case *ast.MemberNode:
		return strings.HasPrefix(nameOf(n, context{}), "caller.")
	case *ast.CallNode:
		switch callee := n.Callee.(type) {
		case *ast.MemberNode:
			return readsMinute(callee) && len(n.Arguments) == 0
		case *ast.IdentifierNode:
			name, literal := n.Arguments[0].(*ast.StringNode)
			return literal && (callee.Value == "open" || callee.Value == "holiday" || callee.Value == "listed" && !lists[name.Value].Store)
		}
		return false
	case *ast.ArrayNode, *ast.UnaryNode:
	case *ast.BinaryNode:
		if !slices.Contains([]string{"==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches", "and", "&&", "or", "||"}, n.Operator) {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(childrenOf(n), func(c ast.Node) bool { return !isSafe(c, lists) })
}
