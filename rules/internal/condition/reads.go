package condition

import (
	"reflect"
	"slices"
)

// readsOf finds the largest pieces of a part that only read.
func (x *expression) readsOf(n exprNode, variables []string) []*Read {
	if declared, ok := n.(*declarationNode); ok {
		variables = append(slices.Clone(variables), declared.Name)
	}
	if isRead(n, variables) {
		from, to := x.extent(n)
		if r := x.compileRead(x.slice(from, to)); r != nil {
			r.Hours = hoursAsked(n)
			return []*Read{r}
		}
	}
	var all []*Read
	for _, c := range childrenOf(n) {
		addTo(&all, x.readsOf(c, variables)...)
	}
	return all
}

// hoursAsked is the name of the hours that a node asks for, if it is open("NAME").
func hoursAsked(n exprNode) string {
	call, ok := n.(*callNode)
	if !ok || len(call.Arguments) != 1 {
		return ""
	}
	callee, ok := call.Callee.(*identifierNode)
	if !ok || callee.Value != "open" {
		return ""
	}
	if name, ok := call.Arguments[0].(*stringNode); ok {
		return name.Value
	}
	return ""
}

func (x *expression) compileRead(text string) *Read {
	if r, ok := x.reads[text]; ok {
		return r
	}
	program, _, err := compileText(text, x.config, reflect.Invalid)
	if err != nil {
		return nil
	}
	r := &Read{Text: text, Program: program}
	x.reads[text] = r
	return r
}

// isRead reports whether a node is a value of the environment, a member of one, or a call of one of our functions or of
// a method with arguments that are literals or reads.
func isRead(n exprNode, variables []string) bool {
	switch n := n.(type) {
	case *identifierNode:
		return slices.Contains(valueNames, n.Value) && !slices.Contains(variables, n.Value)
	case *memberNode:
		_, named := n.Property.(*stringNode)
		return named && isRead(n.Node, variables)
	case *callNode:
		for _, a := range n.Arguments {
			if !isLiteral(a) && !isRead(a, variables) {
				return false
			}
		}
		if callee, ok := n.Callee.(*identifierNode); ok {
			_, ours := functionNames[callee.Value]
			return ours
		}
		return isRead(n.Callee, variables)
	}
	return false
}
