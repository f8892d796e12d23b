package condition

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/source"
	"callrouter/rules/phone"
)

// What a value can never contain, end with, match, or be after it went through a function: found by trying, where a
// value has few values, and by what stands in it otherwise.

// textOperators are the operators between a value and a text, in words and as functions.
var textOperators = map[string]struct {
	never string
	is    func(value, text string) bool
}{
	"==":         {"is never", func(value, text string) bool { return value == text }},
	"in":         {"is never", func(value, text string) bool { return value == text }},
	"startsWith": {"never starts with", strings.HasPrefix},
	"endsWith":   {"never ends with", strings.HasSuffix},
	"contains":   {"never contains", strings.Contains},
	"matches":    {"never matches", nil},
}

// checkText reports a comparison with a text that its value can never have. What is equal to a value or starts it is
// checked elsewhere, unless the value went through a function.
func (x *expression) checkText(value exprNode, literal exprNode, operator string, c context) {
	s, ok := literal.(*stringNode)
	operation, known := textOperators[operator]
	if !ok || !known || slices.Contains(x.broken, exprNode(s)) {
		return
	}
	from, to := x.extent(value)
	never := func(hint string) {
		x.refuse(s, "never-equal",
			fmt.Sprintf("%s %s %s", x.slice(from, to), operation.never, source.Quoted(s.Value)), hint)
	}
	if cut, ok := value.(*sliceNode); ok && isStart(cut) && (operator == "==" || operator == "in") {
		x.checkStart(nameOf(cut.Node, c), s)
		return
	}
	direct := nameOf(value, c) != "" && slices.Contains([]string{"==", "in", "startsWith"}, operator)
	if all := x.valuesOf(value, c); len(all) > 0 && !direct {
		is := operation.is
		if is == nil {
			pattern, err := regexp.Compile(s.Value)
			if err != nil {
				return
			}
			is = func(value, _ string) bool { return pattern.MatchString(value) }
		}
		if !slices.ContainsFunc(all, func(value string) bool { return is(value, s.Value) }) {
			never(someOf(all))
		}
		return
	}
	texts, how := []string{s.Value}, operator
	if operator == "matches" {
		var place How
		if place, texts = inEveryMatch(s.Value); len(texts) == 0 {
			return
		}
		how = [...]string{Whole: "==", Beginning: "startsWith", Ending: "endsWith", Within: "contains"}[place]
	}
	if direct {
		return
	}
	hint := ""
	if !slices.ContainsFunc(texts, func(text string) bool {
		possible, why := x.possible(value, text, how, c)
		hint = why
		return possible
	}) {
		never(hint)
	}
}

// isStart reports whether a slice begins where its text begins.
func isStart(n *sliceNode) bool {
	from, literal := n.From.(*integerNode)
	return n.From == nil || literal && from.Value == 0
}

var digitsWithin = regexp.MustCompile(`^\+?[0-9]*$`)

// possible reports whether a value of which there are many can have a text, and else what to do.
func (x *expression) possible(value exprNode, text, how string, c context) (is bool, hint string) {
	if b, ok := value.(*builtinNode); ok && forms[b.Name] != nil && len(b.Arguments) == 1 {
		right := forms[b.Name](text)
		if right == text || b.Name == "trim" && how != "==" && how != "in" {
			return true, ""
		}
		return false, fmt.Sprintf("write %q", right)
	}
	switch nameOf(value, c) {
	case "caller.number":
		if how == "startsWith" || how == "contains" && strings.HasPrefix(text, "+") {
			right, impossible := phone.ImpossibleStart(text)
			hint = "write the beginning of " + exampleValues["caller.number"]
			if impossible && right != "" {
				hint = fmt.Sprintf("write %q", right)
			}
			return !impossible && phoneStart.MatchString(text), hint
		}
		if digitsWithin.MatchString(text) && text != "+" {
			return true, ""
		}
		if right := onlyDigits(text); right != "" {
			return false, fmt.Sprintf("write %q", right)
		}
		return false, "a number is + and digits"
	case "caller.area":
		return onlyDigits(text) == text, "an area code is digits alone"
	case "today":
		hint = `a date is written "2026-12-24"`
		switch how {
		case "startsWith":
			return dayStart.MatchString(text), hint
		case "endsWith":
			monthAndDay := text[max(0, len(text)-len("-12-24")):]
			return datePart.MatchString(text) && slices.ContainsFunc(daysOfYear(),
				func(day string) bool { return strings.HasSuffix(day, monthAndDay) }), hint
		}
		return datePart.MatchString(text), hint
	}
	return true, ""
}

var datePart = regexp.MustCompile(`^[0-9-]*$`)

// daysOfYear are the days of a leap year, as the end of a date has them.
var daysOfYear = sync.OnceValue(func() (all []string) {
	for day := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == 2024; day = day.AddDate(0, 0, 1) {
		all = append(all, day.Format("-01-02"))
	}
	return all
})

// valuesOf are all values that a node can have, if they are few.
func (x *expression) valuesOf(n exprNode, c context) []string {
	switch n := n.(type) {
	case *builtinNode:
		if form := forms[n.Name]; form != nil && len(n.Arguments) == 1 {
			all := slices.Clone(x.valuesOf(n.Arguments[0], c))
			for i, value := range all {
				all[i] = form(value)
			}
			return all
		}
	case *callNode:
		from, to := x.extent(n)
		switch x.slice(from, to) {
		case "now.Weekday().String()":
			return namesOf(time.Sunday, time.Saturday)
		case "now.Month().String()":
			return namesOf(time.January, time.December)
		}
	default:
		switch nameOf(n, c) {
		case "clock":
			return clockTimes()
		case "weekday":
			return hours.Weekdays()
		case "number":
			return x.names.Known(Number)
		case "caller.country":
			return append([]string{""}, phone.Countries()...)
		}
	}
	return nil
}

func namesOf[T interface {
	~int
	String() string
}](first, last T) (all []string) {
	for v := first; v <= last; v++ {
		all = append(all, v.String())
	}
	return all
}

// clockTimes are all that a clock shows.
var clockTimes = sync.OnceValue(func() (all []string) {
	for minute := range hours.MinutesPerDay {
		all = append(all, fmt.Sprintf("%02d:%02d", minute/60, minute%60))
	}
	return all
})

// someOf says what values there are.
func someOf(all []string) string {
	all = slices.DeleteFunc(slices.Clone(all), func(value string) bool { return value == "" })
	if len(all) > 12 {
		return fmt.Sprintf("it is %q to %q", all[0], all[len(all)-1])
	}
	return "it is one of " + quotedTexts(all)
}
