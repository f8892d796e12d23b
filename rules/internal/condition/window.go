package condition

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/source"
)

// Comparisons of values that are numbers, or count as such, which leave nothing: alone, as `now.Hour() > 23`, or two
// that are joined by `and`, as a window over midnight.

// bound is one side of what a comparison leaves of a value.
type bound struct {
	value   string
	at      int // the last that is left: of a day in minutes, of dates in days, of other values the number itself
	literal int // what the value is compared with
	lower   bool
	written string // `>= "22:00"`
	end     bool   // it is one end of a window, not both
}

// ranges are the least and the greatest of a value. What is not among them is a count.
var ranges = map[string][2]int{
	"clock": {0, hours.MinutesPerDay - 1}, "now.Hour()": {0, 23}, "now.Minute()": {0, 59}, "now.Second()": {0, 59},
	"now.Day()": {1, 31}, "now.YearDay()": {1, 366}, "now.Nanosecond()": {0, 999_999_999},
	"int(now.Weekday())": {0, 6}, "int(now.Month())": {1, 12},
	"today": {math.MinInt, math.MaxInt}, "now.Year()": {1, 9999},
	"now.Unix()": {math.MinInt, math.MaxInt}, "now.UnixMilli()": {math.MinInt, math.MaxInt},
}

func rangeOf(value string) (least, greatest int) {
	if r, ok := ranges[value]; ok {
		return r[0], r[1]
	}
	return 0, math.MaxInt
}

// checkRange reports a comparison with what its value never is.
func (x *expression) checkRange(n *binaryNode, c context) {
	if list, ok := n.Right.(*arrayNode); ok && n.Operator == "in" {
		for _, item := range list.Nodes {
			x.checkBounds(item, x.compared(n.Left, item, "==", c))
		}
		return
	}
	x.checkBounds(n, x.boundsOf(n, c))
}

func (x *expression) checkBounds(n exprNode, bounds []bound) {
	for _, b := range bounds {
		least, greatest := rangeOf(b.value)
		if b.lower && b.at <= greatest || !b.lower && b.at >= least {
			continue
		}
		hint := fmt.Sprintf("%s is between %d and %d", b.value, least, greatest)
		switch {
		case b.value == "clock":
			hint = "a clock shows 00:00 to 23:59"
		case greatest == math.MaxInt:
			hint = fmt.Sprintf("%s is %d or more", b.value, least)
		}
		x.refuse(n, "never-equal", fmt.Sprintf("%s is never %s", b.value, strings.TrimPrefix(b.written, "== ")), hint)
		return
	}
}

// checkWindow reports an `and` whose two sides leave nothing between them.
func (x *expression) checkWindow(n *binaryNode, c context) {
	for _, l := range x.boundsOf(n.Left, c) {
		for _, r := range x.boundsOf(n.Right, c) {
			lo, hi := l, r
			if !lo.lower {
				lo, hi = r, l
			}
			if lo.value != hi.value || !lo.lower || hi.lower || lo.at <= hi.at {
				continue
			}
			hint := "join them with `or`, or correct one of them"
			if !lo.end || !hi.end {
				lo, hi = l, r
			} else if _, turns := ranges[lo.value]; turns && lo.literal >= hi.literal {
				hint = fmt.Sprintf("a window over midnight or New Year has `or` between its ends: %s %s or %s %s",
					lo.value, lo.written, hi.value, hi.written)
			}
			x.refuse(n, "never-equal",
				fmt.Sprintf("%s is never both %s and %s", lo.value, lo.written, hi.written), hint)
			return
		}
	}
	x.checkChoices(n, c)
}

// boundsOf are the bounds that all hold if a condition does.
func (x *expression) boundsOf(n exprNode, c context) []bound {
	b, ok := n.(*binaryNode)
	if !ok {
		return nil
	}
	switch b.Operator {
	case "and", "&&":
		return append(x.boundsOf(b.Left, c), x.boundsOf(b.Right, c)...)
	case "in":
		r, ok := b.Right.(*binaryNode)
		if !ok || r.Operator != ".." {
			return nil
		}
		all := append(x.compared(b.Left, r.Left, ">=", c), x.compared(b.Left, r.Right, "<=", c)...)
		for i := range all {
			from, to := x.extent(r)
			all[i].written, all[i].end = "in "+x.slice(from, to), false
		}
		return all
	}
	if isConstant(b.Left) {
		return x.compared(b.Right, b.Left, mirrored[b.Operator], c)
	}
	return x.compared(b.Left, b.Right, b.Operator, c)
}

// compared are the bounds of a value that is compared with a literal.
func (x *expression) compared(value, literal exprNode, operator string, c context) []bound {
	name := x.measured(value, c)
	at, ok := positionOf(name, literal)
	if name == "" || !ok {
		return nil
	}
	from, to := x.extent(literal)
	b := bound{value: name, at: at, literal: at, written: operator + " " + x.slice(from, to), end: true}
	switch operator {
	case ">", ">=":
		b.lower = true
		if operator == ">" {
			b.at++
		}
	case "<":
		b.at--
	case "<=":
	case "==":
		b.end = false
		lower := b
		lower.lower = true
		return []bound{lower, b}
	default:
		return nil
	}
	return []bound{b}
}

// measured is the name of a value that is a number or counts as one; "" if it is none.
func (x *expression) measured(n exprNode, c context) string {
	switch n := n.(type) {
	case *identifierNode:
		if name := nameOf(n, c); name == "clock" || name == "today" {
			return name
		}
	case *callNode:
		if callee, ok := n.Callee.(*memberNode); ok {
			base, isNow := callee.Node.(*identifierNode)
			method, named := callee.Property.(*stringNode)
			if !isNow || !named || base.Value != "now" || len(n.Arguments) > 0 {
				return ""
			}
			if name := "now." + method.Value + "()"; ranges[name] != [2]int{} {
				return name
			}
			return ""
		}
		if !isCount(n) {
			return ""
		}
		from, to := x.extent(n)
		return x.slice(from, to)
	case *builtinNode:
		from, to := x.extent(n)
		name := x.slice(from, to)
		if _, known := ranges[name]; known || n.Name == "len" {
			return name
		}
	}
	return ""
}

// isConstant reports whether a node is a literal, which may be a negative number.
func isConstant(n exprNode) bool {
	if minus, ok := n.(*unaryNode); ok && minus.Operator == "-" {
		n = minus.Node
	}
	return isLiteral(n)
}

// positionOf is where a literal stands among the values of a name.
func positionOf(name string, n exprNode) (at int, ok bool) {
	if text, isText := n.(*stringNode); isText {
		switch name {
		case "clock":
			minute, err := hours.ParseClock(text.Value)
			return minute, err == nil && clockForm.MatchString(text.Value)
		case "today":
			day, err := time.Parse(time.DateOnly, text.Value)
			return int(day.Unix() / (24 * 60 * 60)), err == nil
		}
		return 0, false
	}
	sign := 1
	if minus, ok := n.(*unaryNode); ok && minus.Operator == "-" {
		n, sign = minus.Node, -1
	}
	number, ok := n.(*integerNode)
	if !ok || name == "clock" || name == "today" || number.Value == math.MaxInt || number.Value == math.MinInt {
		return 0, false
	}
	return sign * number.Value, true
}

// choice is the texts of which a value is one.
type choice struct {
	value string
	texts []string
}

// checkChoices reports an `and` whose sides ask for different texts of one value, where `or` is meant.
func (x *expression) checkChoices(n *binaryNode, c context) {
	for _, l := range x.choicesOf(n.Left, c) {
		for _, r := range x.choicesOf(n.Right, c) {
			if l.value != r.value ||
				slices.ContainsFunc(l.texts, func(t string) bool { return slices.Contains(r.texts, t) }) {
				continue
			}
			x.refuse(n, "never-equal",
				fmt.Sprintf("%s is never both %s and %s", l.value, oneOf(l.texts), oneOf(r.texts)),
				"join them with `or`, or correct one of them")
			return
		}
	}
}

func oneOf(texts []string) string {
	if len(texts) == 1 {
		return source.Quoted(texts[0])
	}
	return "in [" + quotedTexts(texts) + "]"
}

func quotedTexts(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = source.Quoted(t)
	}
	return strings.Join(quoted, ", ")
}

// choicesOf are the choices that all hold if a condition does.
func (x *expression) choicesOf(n exprNode, c context) []choice {
	b, ok := n.(*binaryNode)
	if !ok {
		return nil
	}
	value, literal := b.Left, b.Right
	switch b.Operator {
	case "and", "&&":
		return append(x.choicesOf(b.Left, c), x.choicesOf(b.Right, c)...)
	case "==":
		if isText(value) {
			value, literal = literal, value
		}
	case "in":
	default:
		return nil
	}
	texts, ok := textsOf(literal, b.Operator == "in")
	name := nameOf(value, c)
	if _, known := valueOf(value); !ok || name == "" && !known {
		return nil
	}
	if name == "" {
		from, to := x.extent(value)
		name = x.slice(from, to)
	}
	return []choice{{name, texts}}
}
