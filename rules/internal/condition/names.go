package condition

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/source"
)

// Names that conditions can use. environment defines the same for the type checker.
var (
	valueNames  = []string{"caller", "number", "payload", "now", "today", "clock", "weekday"}
	callerNames = []string{"number", "id", "name", "country", "area"}

	// functionNames are the functions, with the kind of name they take; calls takes a duration.
	functionNames = map[string]Kind{
		"open": Hours, "opens": Hours, "closes": Hours, "holiday": Calendar, "listed": List,
		"free": Queue, "online": Queue, "waiting": Queue, "calls": "",
	}

	// readingMethods are the methods of a time, a month or a day of the week that only read it, and give the same on
	// every machine.
	readingMethods = []string{
		"Year", "Month", "Day", "Hour", "Minute", "Second", "Nanosecond", "Weekday", "YearDay", "Unix", "UnixMilli",
		"Format", "String",
	}

	// allowedBuiltins are the functions of the expression language that conditions may use: those whose result depends
	// on their arguments alone and is no larger than they are.
	allowedBuiltins = []string{
		"all", "any", "one", "none", "filter", "map", "count", "sum", "find", "findIndex", "findLast", "findLastIndex",
		"len", "abs", "ceil", "floor", "round", "int", "float", "string", "min", "max", "mean", "median",
		"trim", "trimPrefix", "trimSuffix", "upper", "lower", "split", "indexOf", "lastIndexOf", "hasPrefix",
		"hasSuffix",
		"first", "last", "take", "reverse", "sort", "uniq", "get", "keys", "values", "replace", "join",
	}

	clockBuiltins = []string{"date", "timezone", "duration"}
	growing       = []string{"replace", "join"}
)

// Bounds on what an expression may do, so that none takes long or much memory.
const (
	maxPredicates = 2    // nested in each other
	maxRange      = 1000 // elements of a..b
)

// context is what surrounds a node.
type context struct {
	variables  []string // declared with let
	predicates int
	grows      bool // inside of something that makes a text longer
	negated    bool
}

// inspect reports what the type checker would not: unknown names with the nearest one, what is not allowed, literals
// that can never be equal to what they are compared with.
func (x *expression) inspect(n exprNode, c context) {
	switch n := n.(type) {
	case *identifierNode:
		x.inspectName(n, c)
		return
	case *memberNode:
		x.inspectMember(n, c)
		return
	case *callNode:
		x.inspectCall(n, c)
		return
	case *builtinNode:
		c = x.inspectBuiltin(n, c)
	case *binaryNode:
		c = x.inspectBinary(n, c)
	case *unaryNode:
		c.negated = c.negated != (n.Operator == "not" || n.Operator == "!")
	case *declarationNode:
		x.inspect(n.Value, c)
		c.variables = append(slices.Clone(c.variables), n.Name)
		x.inspect(n.Expr, c)
		return
	}
	for _, child := range childrenOf(n) {
		x.inspect(child, c)
	}
}

func (x *expression) inspectName(n *identifierNode, c context) {
	_, function := functionNames[n.Value]
	switch {
	case slices.Contains(c.variables, n.Value), slices.Contains(valueNames, n.Value):
	case function:
		x.refuse(n, "condition-type", fmt.Sprintf("%s is a function", n.Value),
			fmt.Sprintf("write %s", exampleOf(n.Value)))
	default:
		x.refuse(n, "unknown-name", fmt.Sprintf("there is no %s", source.Quoted(n.Value)),
			source.DidYouMean(n.Value, x.everyName(c)))
	}
}

func (x *expression) everyName(c context) []string {
	all := append(slices.Clone(c.variables), valueNames...)
	return append(all, slices.Sorted(maps.Keys(functionNames))...)
}

func (x *expression) inspectMember(n *memberNode, c context) {
	property, named := n.Property.(*stringNode)
	if base, ok := n.Node.(*identifierNode); ok && named && base.Value == "caller" &&
		!slices.Contains(c.variables, "caller") {
		if !slices.Contains(callerNames, property.Value) {
			x.refuse(n.Property, "unknown-name", fmt.Sprintf("a caller has no %s", source.Quoted(property.Value)),
				source.DidYouMean(property.Value, callerNames))
		}
		return
	}
	if named && timeMethods[property.Value] && !slices.Contains(readingMethods, property.Value) {
		x.refuse(n.Property, "not-allowed",
			fmt.Sprintf("%s cannot be used in a condition", source.Quoted(property.Value)),
			"use "+strings.Join(readingMethods, ", "))
		return
	}
	if named && timeMethods[property.Value] && !n.Method {
		x.refuse(n.Property, "condition-type", fmt.Sprintf("%s is a function", source.Quoted(property.Value)),
			fmt.Sprintf("write %s()", property.Value))
		return
	}
	x.inspect(n.Node, c)
	if !named {
		x.inspect(n.Property, c)
	}
}

func (x *expression) inspectCall(n *callNode, c context) {
	callee, ok := n.Callee.(*identifierNode)
	if !ok {
		x.inspect(n.Callee, c)
		for _, a := range n.Arguments {
			x.inspect(a, c)
		}
		return
	}
	name := callee.Value
	_, function := functionNames[name]
	switch {
	case function:
		x.inspectArgument(name, n, c)
		return
	case slices.Contains(valueNames, name) && name != "now":
		x.refuse(callee, "condition-type", fmt.Sprintf("%s is not a function", name),
			fmt.Sprintf("write %s without brackets", name))
	case name == "now" || slices.Contains(clockBuiltins, name):
		x.refuse(n, "not-allowed", fmt.Sprintf("%s() cannot be used: a decision has one instant", name),
			"use now, today, clock or weekday, without brackets")
	case isBuiltin(name):
		x.refuseBuiltin(n, name)
	default:
		hint := source.DidYouMean(name, slices.Sorted(maps.Keys(functionNames)))
		if _, ours := source.Nearest(name, slices.Sorted(maps.Keys(functionNames))); !ours {
			if near, ok := source.Nearest(name, allowedBuiltins); ok {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
		}
		x.refuse(callee, "unknown-name", fmt.Sprintf("there is not a function %s", source.Quoted(name)), hint)
	}
	for _, a := range n.Arguments {
		x.inspect(a, c)
	}
}

func (x *expression) refuseBuiltin(n exprNode, name string) {
	x.refuse(n, "not-allowed", fmt.Sprintf("%s cannot be used in a condition", source.Quoted(name)),
		"its result could be large, or change from call to call")
}

// inspectArgument checks what one of our own functions is given.
func (x *expression) inspectArgument(name string, n *callNode, c context) {
	if len(n.Arguments) != 1 {
		x.refuse(n, "wrong-arguments", fmt.Sprintf("%s takes one argument, and has %d", name, len(n.Arguments)),
			fmt.Sprintf("write %s", exampleOf(name)))
		for _, a := range n.Arguments {
			x.inspect(a, c)
		}
		return
	}
	switch a := n.Arguments[0].(type) {
	case *stringNode:
		if name == "calls" {
			x.checkDuration(a)
		} else {
			x.checkReference(functionNames[name], a)
		}
	case *identifierNode:
		if slices.Contains(x.everyName(c), a.Value) {
			x.inspect(a, c)
			return
		}
		x.refuse(a, "unknown-name", fmt.Sprintf("there is no %s", source.Quoted(a.Value)),
			fmt.Sprintf("put the name in quotes: %s(%q)", name, a.Value))
	case *integerNode, *floatNode, *boolNode, *nilNode:
		x.refuse(n.Arguments[0], "condition-type", fmt.Sprintf("%s takes a text", name),
			fmt.Sprintf("write %s", exampleOf(name)))
	default:
		x.inspect(n.Arguments[0], c)
	}
}

func exampleOf(function string) string {
	switch functionNames[function] {
	case Hours:
		return function + `("office")`
	case Calendar:
		return function + `("br")`
	case List:
		return function + `("vip")`
	case Queue:
		return function + `("sales")`
	}
	return function + `("1h")`
}

func (x *expression) checkDuration(n *stringNode) {
	d, err := hours.ParseDuration(n.Value)
	if err != nil {
		message, hint := source.SplitHint(err)
		x.refuse(n, "bad-duration", message, hint)
		return
	}
	x.Durations[n.Value] = d
}

// checkReference checks a name that stands as a literal.
func (x *expression) checkReference(k Kind, n *stringNode) {
	if !x.names.Use(k, n.Value) {
		x.refuse(n, "unknown-name", NoSuch(k, n.Value), source.DidYouMean(n.Value, x.names.Known(k)))
	}
}

func (x *expression) inspectBuiltin(n *builtinNode, c context) context {
	switch {
	case slices.Contains(clockBuiltins, n.Name):
		x.refuse(n, "not-allowed", fmt.Sprintf("%s() cannot be used: a decision has one instant", n.Name),
			"use now, today, clock or weekday")
	case !slices.Contains(allowedBuiltins, n.Name):
		x.refuseBuiltin(n, n.Name)
	}
	if operator := builtinOperators[n.Name]; operator != "" && len(n.Arguments) == 2 {
		if operator == "startsWith" {
			x.compareWith(n.Arguments[0], n.Arguments[1], operator, c)
		}
		x.checkText(n.Arguments[0], n.Arguments[1], operator, c)
	}
	if slices.Contains(growing, n.Name) {
		if c.grows || c.predicates > 0 || len(c.variables) > 0 || n.Name == "replace" && len(n.Arguments) > 2 &&
			!isLiteral(n.Arguments[2]) {
			x.refuse(n, "not-allowed", fmt.Sprintf("%s cannot be used here: its result could be large", n.Name),
				"use it once, on a value, outside let, all, any and similar functions")
		}
		c.grows = true
	}
	if len(n.Arguments) > 1 {
		if _, ok := n.Arguments[1].(*predicateNode); ok {
			if c.predicates++; c.predicates > maxPredicates {
				x.refuse(n, "not-allowed", fmt.Sprintf("%s is nested more than %d deep", n.Name, maxPredicates),
					"put the values in a list and use listed(\"NAME\")")
			}
		}
	}
	return c
}

func isLiteral(n exprNode) bool {
	switch n.(type) {
	case *stringNode, *integerNode, *floatNode, *boolNode:
		return true
	}
	return false
}

func (x *expression) inspectBinary(n *binaryNode, c context) context {
	switch n.Operator {
	case "matches":
		if !isLiteral(n.Right) {
			x.refuse(n.Right, "not-allowed", "the pattern of matches must be a literal",
				"it is read once, when the file is loaded")
		}
	case "and", "&&":
		x.checkWindow(n, c)
	case "..":
		from, ok1 := n.Left.(*integerNode)
		to, ok2 := n.Right.(*integerNode)
		if !ok1 || !ok2 || to.Value-from.Value >= maxRange || to.Value-from.Value < 0 && from.Value-to.Value < 0 {
			x.refuse(n, "not-allowed",
				fmt.Sprintf("a range must lie between two numbers no more than %d apart", maxRange),
				"compare with >= and <= instead")
		} else if from.Value > to.Value {
			x.refuse(n, "never-equal", fmt.Sprintf("nothing is in %d..%d", from.Value, to.Value),
				fmt.Sprintf("a range begins with the smaller number; over midnight write now.Hour() >= %d or "+
					"now.Hour() <= %d", from.Value, to.Value))
		}
	case "+":
		if (len(c.variables) > 0 || c.predicates > 0) && !x.isArithmetic(n) {
			x.refuse(n, "not-allowed", "texts cannot be joined after let, or inside all, any and similar functions",
				"the result could be large")
		}
		return c
	}
	x.compare(n, c)
	return c
}

// isArithmetic reports whether a sum is surely one of numbers: a number stands in it.
func (x *expression) isArithmetic(n *binaryNode) bool {
	for _, side := range []exprNode{n.Left, n.Right} {
		switch side := side.(type) {
		case *integerNode, *floatNode:
			return true
		case *binaryNode:
			if x.isArithmetic(side) {
				return true
			}
		case *callNode:
			if callee, ok := side.Callee.(*identifierNode); ok &&
				slices.Contains([]string{"free", "online", "waiting", "calls"}, callee.Value) {
				return true
			}
		}
	}
	return false
}

// timeMethods are all methods that a time or a part of one has.
var timeMethods = methodsOf(time.Time{}, time.Duration(0), time.Weekday(0), time.Month(0), time.Location{})
