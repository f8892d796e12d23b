package condition

import (
	"errors"
	"reflect"
	"slices"
)

// split takes the tokens from lo to hi, which make the node, apart at and, or and not.
func (x *expression) split(n exprNode, lo, hi int) *Condition {
	for hi-lo > 2 && x.tokens[lo].Is(bracketToken, "(") && x.closing(lo) == hi-1 {
		lo, hi = lo+1, hi-1
	}
	switch n := n.(type) {
	case *binaryNode:
		op, ok := booleanOperators[n.Operator]
		at := x.tokenAt(n.Location().From)
		// A chain such as 9 <= x < 18 is an `and` that is not written.
		if ok && at > lo && at < hi-1 && x.tokens[at].Is(operatorToken, n.Operator) {
			return join(op, x.split(n.Left, lo, at), x.split(n.Right, at+1, hi))
		}
	case *unaryNode:
		written := x.tokens[lo].From == n.Location().From // or else it is `x not in y`
		if written && hi-lo > 1 && x.tokens[lo].Is(operatorToken, "not", "!") {
			return &Condition{Op: Not, Parts: []*Condition{x.split(n.Node, lo+1, hi)}}
		}
	}
	from, to := x.tokens[lo].From, x.tokens[hi-1].To
	return &Condition{Op: Leaf, Atom: x.atom(n, from, to), From: from, To: to}
}

var booleanOperators = map[string]Operator{"and": And, "&&": And, "or": Or, "||": Or}

// join makes one node of nested ones of the same operator.
func join(op Operator, parts ...*Condition) *Condition {
	c := &Condition{Op: op}
	for _, p := range parts {
		if p.Op == op {
			c.Parts = append(c.Parts, p.Parts...)
		} else {
			c.Parts = append(c.Parts, p)
		}
	}
	return c
}

// atom compiles a part of a condition, once for all rules that have it.
func (x *expression) atom(n exprNode, from, to int) *Atom {
	text := x.slice(from, to)
	if a, ok := x.atoms[text]; ok {
		x.uses[a]++
		return a
	}
	a := &Atom{Text: text, Clock: -1, Memo: -1}
	if x.isBroken(n) {
		return a
	}
	program, _, err := compileText(text, x.config, reflect.Bool)
	if err != nil {
		x.typeError(n, from, to, err)
		return a
	}
	a.Program = program
	traits := x.traitsOf(n)
	a.Needs, a.Hours = traits.needs, traits.hours
	if traits.clockOnly {
		a.Clock = x.Clocks
		x.Clocks++
	}
	a.Reads = x.readsOf(n, nil)
	a.sure, a.Guard = isSure(n), x.guardOf(n)
	x.atoms[text] = a
	x.uses[a]++
	x.Atoms = append(x.Atoms, a)
	return a
}

func (x *expression) isBroken(n exprNode) bool {
	return anywhere(n, func(c exprNode) bool { return slices.Contains(x.broken, c) })
}

// typeError reports what the type checker said of a part, at its place.
func (x *expression) typeError(n exprNode, from, to int, err error) {
	machine := (*machineError)(nil)
	if !errors.As(err, &machine) {
		message, hint := typeError(err.Error())
		if x.what != theCondition {
			message = "this cannot stand in a message: " + message
		}
		x.fail(from, to, "condition-type", message, hint)
		return
	}
	at := from + machine.From
	culprit := n
	anywhere(n, func(c exprNode) bool {
		if c.Location().From == at {
			culprit = c
			return true
		}
		return false
	})
	from, to = x.extent(culprit)
	message, hint := typeError(machine.Message)
	x.fail(from, to, "condition-type", message, hint)
}
