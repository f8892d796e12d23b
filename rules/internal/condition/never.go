package condition

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"callrouter/rules/hours"
	"callrouter/rules/internal/source"
	"callrouter/rules/phone"
)

// Comparisons that can never be true, found from what stands in them alone.

var (
	phoneStart = regexp.MustCompile(`^(\+[0-9]*)?$`)
	clockStart = regexp.MustCompile(`^([01]?|2|([01][0-9]|2[0-3])(:([0-5][0-9]?)?)?)$`)
	dayStart   = regexp.MustCompile(
		`^([0-9]{0,4}|[0-9]{4}-([01]?|(0[1-9]|1[0-2])(-([0-3]?|0[1-9]|[12][0-9]|3[01]))?))$`)
)

// checkStart checks what a value is asked to start with.
func (x *expression) checkStart(name string, s *stringNode) {
	text := s.Value
	never := func(right string) {
		hint := fmt.Sprintf("write %q", right)
		if right == "" || right == text {
			hint = "write the beginning of " + exampleValues[name]
		}
		x.refuse(s, "never-equal", fmt.Sprintf("%s never starts with %s", name, source.Quoted(text)), hint)
	}
	switch name {
	case "caller.number":
		if !phoneStart.MatchString(text) {
			never("+" + onlyDigits(text))
		} else if right, impossible := phone.ImpossibleStart(text); impossible {
			never(right)
		}
	case "caller.id":
		if strings.HasPrefix(text, "+") {
			never(onlyDigits(text))
		}
	case "caller.country":
		if !phone.StartsCountry(text) {
			right := strings.ToUpper(text)
			if !phone.StartsCountry(right) {
				right = ""
			}
			never(right)
		}
	case "caller.area":
		if onlyDigits(text) != text || strings.HasPrefix(text, "0") {
			never(strings.TrimLeft(onlyDigits(text), "0"))
		}
	case "clock":
		if !clockStart.MatchString(text) {
			right := "0" + text
			if !clockStart.MatchString(right) {
				right = ""
			}
			never(right)
		}
	case "today":
		if !dayStart.MatchString(text) {
			never("")
		}
	case "weekday":
		if !startsOne(text, hours.Weekdays()) {
			never(nearWeekday(text))
		}
	case "number":
		if !startsOne(text, x.names.Known(Number)) {
			never("")
		}
	}
}

// exampleValues are how values are written, for who wrote another one.
var exampleValues = map[string]string{
	"caller.number": `a number in today's form, such as "+5511"`, "caller.id": "the id as received",
	"caller.country": `an ISO code of two capitals, such as "BR"`, "caller.area": `an area code, such as "11"`,
	"clock": `a clock time, such as "09:"`, "today": `a date, such as "2026-12-"`,
	"weekday": "mon, tue, wed, thu, fri, sat or sun", "number": "a name under numbers",
}

func startsOne(text string, all []string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return strings.HasPrefix(s, text) })
}

// bound is one comparison of a value that grows through the day or the year with a literal.
type bound struct {
	value   string
	at      string // in a form that sorts as the value does
	written string
	lower   bool
	strict  bool
}

// checkWindow reports an `and` whose two sides leave nothing between them, as a window over midnight does.
func (x *expression) checkWindow(n *binaryNode, c context) {
	for _, l := range x.boundsOf(n.Left, c) {
		for _, r := range x.boundsOf(n.Right, c) {
			lo, hi := l, r
			if !lo.lower {
				lo, hi = r, l
			}
			if lo.value != hi.value || !lo.lower || hi.lower || lo.at < hi.at ||
				lo.at == hi.at && !lo.strict && !hi.strict {
				continue
			}
			x.refuse(
				n,
				"never-equal",
				fmt.Sprintf("%s is never both %s and %s", lo.value, lo.written, hi.written),
				fmt.Sprintf(
					"a window over midnight or New Year has `or` between its ends: %s %s or %s %s",
					lo.value,
					lo.written,
					hi.value,
					hi.written,
				),
			)
			return
		}
	}
}

// boundsOf are the bounds that all hold if a condition does.
func (x *expression) boundsOf(n exprNode, c context) []bound {
	b, ok := n.(*binaryNode)
	if !ok {
		return nil
	}
	if b.Operator == "and" || b.Operator == "&&" {
		return append(x.boundsOf(b.Left, c), x.boundsOf(b.Right, c)...)
	}
	value, literal, op := b.Left, b.Right, b.Operator
	if isLiteral(value) {
		value, literal, op = literal, value, mirrored[op]
	}
	if op != "<" && op != "<=" && op != ">" && op != ">=" {
		return nil
	}
	made := bound{value: nameOf(value, c), lower: op[0] == '>', strict: len(op) == 1}
	switch literal := literal.(type) {
	case *stringNode:
		if made.value != "clock" && made.value != "today" {
			return nil
		}
		made.at, made.written = literal.Value, fmt.Sprintf("%s %q", op, literal.Value)
	case *integerNode:
		call, ok := value.(*callNode)
		if !ok || literal.Value < 0 {
			return nil
		}
		callee, ok := call.Callee.(*memberNode)
		if !ok || !readsMinute(callee) || len(call.Arguments) > 0 {
			return nil
		}
		made.value = "now." + callee.Property.(*stringNode).Value + "()"
		made.at, made.written = fmt.Sprintf("%020d", literal.Value), fmt.Sprintf("%s %d", op, literal.Value)
	default:
		return nil
	}
	return []bound{made}
}
