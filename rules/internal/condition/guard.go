package condition

import (
	"slices"
	"strings"
)

// Guard is a part of a condition that few calls meet: a value is one of some texts, or begins with, ends with or
// contains one; or the caller is on a list of the file. The part may ask for more: it is false wherever its guard is.
type Guard struct {
	Value Value
	How   How
	Texts []string
	List  string // if it is set, nothing else is
}

// How says where the texts of a guard stand in its value.
type How uint8

// The places of a text in a value.
const (
	Whole How = iota
	Beginning
	Ending
	Within
)

// Value is a value of a call that rules can be found by.
type Value struct {
	Name  string // "caller.country"
	Forms string // functions it goes through, the first one first: "trim lower"; empty if it is taken as it is
}

// Of returns the value as the condition has it, from the value as the call has it.
func (v Value) Of(text string) string {
	for form := range strings.FieldsSeq(v.Forms) {
		text = forms[form](text)
	}
	return text
}

// Admits reports whether the guard is true of its value, as the call has it.
func (g *Guard) Admits(value string) bool {
	value = g.Value.Of(value)
	return slices.ContainsFunc(g.Texts, func(text string) bool {
		switch g.How {
		case Beginning:
			return strings.HasPrefix(value, text)
		case Ending:
			return strings.HasSuffix(value, text)
		case Within:
			return strings.Contains(value, text)
		}
		return value == text
	})
}

// forms are the functions of the expression language that values may go through, as the language has them. What went
// through one of them once is not changed by it again.
var forms = map[string]func(string) string{
	"lower": strings.ToLower, "upper": strings.ToUpper, "trim": strings.TrimSpace,
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
	case *builtinNode:
		if operator := builtinOperators[n.Name]; operator != "" && len(n.Arguments) == 2 {
			return comparison(operator, n.Arguments[0], n.Arguments[1])
		}
	case *binaryNode:
		if _, turned := n.Left.(*stringNode); turned && n.Operator == "==" {
			return comparison(n.Operator, n.Right, n.Left)
		}
		return comparison(n.Operator, n.Left, n.Right)
	}
	return nil
}

// builtinOperators are the operators that the language has as functions, too.
var builtinOperators = map[string]string{"hasPrefix": "startsWith", "hasSuffix": "endsWith"}

// comparison is the guard that a comparison of a value with literals is; nil if it is none.
func comparison(operator string, value, literal exprNode) *Guard {
	v, ok1 := valueOf(value)
	texts, ok2 := textsOf(literal, operator == "in")
	if !ok1 || !ok2 {
		return nil
	}
	g := &Guard{Value: v, Texts: texts}
	switch operator {
	case "==", "in":
		return g
	case "startsWith":
		g.How = Beginning
	case "endsWith":
		g.How = Ending
	case "contains":
		g.How = Within
	case "matches":
		g.How, g.Texts = inEveryMatch(texts[0])
	default:
		return nil
	}
	if len(g.Texts) == 0 || slices.Contains(g.Texts, "") {
		return nil // every value begins with nothing
	}
	return g
}

// valueOf reads the value that a guard compares: payload, or lower(trim(payload)).
func valueOf(n exprNode) (Value, bool) {
	if b, ok := n.(*builtinNode); ok && forms[b.Name] != nil && len(b.Arguments) == 1 {
		v, ok := valueOf(b.Arguments[0])
		v.Forms = strings.TrimSpace(v.Forms + " " + b.Name)
		return v, ok
	}
	name := nameOf(n, context{})
	property, ofCaller := strings.CutPrefix(name, "caller.")
	return Value{Name: name},
		name == "payload" || name == "number" || ofCaller && slices.Contains(callerNames, property)
}

func textsOf(n exprNode, several bool) ([]string, bool) {
	nodes := []exprNode{n}
	if several {
		list, ok := n.(*arrayNode)
		if !ok {
			return nil, false
		}
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

func isText(n exprNode) bool {
	_, ok := n.(*stringNode)
	return ok
}

// sureOperators and sureFunctions fail for no operands that the type checker lets through. `+` is not among them: what
// it makes of texts can be large.
var (
	sureOperators = []string{"==", "!=", "<", "<=", ">", ">=", "in", "contains", "startsWith", "endsWith", "matches",
		"and", "&&", "or", "||"}
	sureFunctions = []string{"lower", "upper", "trim", "hasPrefix", "hasSuffix", "trimPrefix", "trimSuffix", "len"}
)

// isSure reports whether a part of a condition cannot fail once the facts that it asks for are known.
func isSure(n exprNode) bool {
	switch n := n.(type) {
	case *stringNode, *integerNode, *floatNode, *boolNode:
		return true
	case *identifierNode:
		return slices.Contains(valueNames, n.Value)
	case *memberNode:
		return strings.HasPrefix(nameOf(n, context{}), "caller.")
	case *callNode:
		return isSureCall(n)
	case *arrayNode, *unaryNode:
	case *builtinNode:
		if !slices.Contains(sureFunctions, n.Name) {
			return false
		}
	case *binaryNode:
		switch n.Operator {
		case "..": // its ends are literals, and not far apart
			return true
		case "+", "-", "*":
			return isCount(n)
		}
		if !slices.Contains(sureOperators, n.Operator) {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(childrenOf(n), func(c exprNode) bool { return !isSure(c) })
}

// isSureCall reports whether a call reads the time, or is of one of our functions with a literal, which is a name that
// the file has.
func isSureCall(n *callNode) bool {
	switch callee := n.Callee.(type) {
	case *memberNode:
		base, isNow := callee.Node.(*identifierNode)
		method, named := callee.Property.(*stringNode)
		return isNow && base.Value == "now" && named && slices.Contains(readingMethods, method.Value) &&
			!slices.ContainsFunc(n.Arguments, func(a exprNode) bool { return !isLiteral(a) })
	case *identifierNode:
		_, ours := functionNames[callee.Value]
		return ours && isText(n.Arguments[0])
	}
	return false
}

// isCount reports whether a part is a sum, difference or product of whole numbers and of facts that are counts.
func isCount(n exprNode) bool {
	switch n := n.(type) {
	case *integerNode:
		return true
	case *binaryNode:
		return slices.Contains([]string{"+", "-", "*"}, n.Operator) && isCount(n.Left) && isCount(n.Right)
	case *callNode:
		callee, ok := n.Callee.(*identifierNode)
		return ok && slices.Contains([]string{"free", "online", "waiting", "calls"}, callee.Value) && isSureCall(n)
	}
	return false
}
