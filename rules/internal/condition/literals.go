package condition

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/source"
	"callrouter/rules/phone"
)

// methodsOf names the exported methods of values and of pointers to them.
func methodsOf(values ...any) map[string]bool {
	all := map[string]bool{}
	for _, v := range values {
		t := reflect.PointerTo(reflect.TypeOf(v))
		for i := range t.NumMethod() {
			all[t.Method(i).Name] = true
		}
	}
	return all
}

// compare checks literals against what they are compared with: one that can never be equal to it is a mistake.
func (x *expression) compare(n *binaryNode, c context) {
	switch n.Operator {
	case "==", "!=", "<", "<=", ">", ">=", "in", "startsWith":
	case "endsWith", "contains", "matches":
		x.checkText(n.Left, n.Right, n.Operator, c)
		return
	default:
		return
	}
	x.checkRange(n, c)
	if literals, ok := n.Right.(*arrayNode); ok && n.Operator == "in" {
		for _, item := range literals.Nodes {
			x.compareWith(n.Left, item, n.Operator, c)
			x.checkText(n.Left, item, n.Operator, c)
		}
		x.allPast(n, literals, c)
		return
	}
	x.compareWith(n.Left, n.Right, n.Operator, c)
	if n.Operator != "startsWith" {
		x.compareWith(n.Right, n.Left, mirrored[n.Operator], c)
		x.checkText(n.Right, n.Left, mirrored[n.Operator], c)
	}
	x.checkText(n.Left, n.Right, n.Operator, c)
}

var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=", "in": "in"}

// nameOf is the name of a value of the environment: clock, caller.country.
func nameOf(n exprNode, c context) string {
	switch n := n.(type) {
	case *identifierNode:
		if !slices.Contains(c.variables, n.Value) {
			return n.Value
		}
	case *memberNode:
		base, ok1 := n.Node.(*identifierNode)
		property, ok2 := n.Property.(*stringNode)
		if ok1 && ok2 && base.Value == "caller" && !slices.Contains(c.variables, "caller") {
			return "caller." + property.Value
		}
	}
	return ""
}

func (x *expression) compareWith(value, literal exprNode, op string, c context) {
	s, ok := literal.(*stringNode)
	name := nameOf(value, c)
	if !ok || name == "" {
		return
	}
	never := func(right, why string) {
		hint := why
		if right != "" {
			hint = fmt.Sprintf("write %q", right)
			if why != "" {
				hint += ": " + why
			}
		}
		x.refuse(s, "never-equal", fmt.Sprintf("%s is never %s", name, source.Quoted(s.Value)), hint)
	}
	if op == "startsWith" {
		x.checkStart(name, s)
		return
	}
	switch name {
	case "clock":
		neverClock(s.Value, never)
	case "today":
		x.checkToday(s, op, c, never)
	case "weekday":
		if !slices.Contains(hours.Weekdays(), s.Value) {
			never(nearWeekday(s.Value), "days are mon, tue, wed, thu, fri, sat, sun")
		}
	case "number":
		x.checkNumberName(s)
	case "caller.number":
		neverPhone(s.Value, never)
	case "caller.country":
		neverCountry(s.Value, never)
	case "caller.area":
		if s.Value != "" && onlyDigits(s.Value) != strings.TrimLeft(s.Value, "0") {
			never(strings.TrimLeft(onlyDigits(s.Value), "0"), "")
		}
	case "caller.id":
		if s.Value != "" && (strings.HasPrefix(s.Value, "+") || strings.ContainsAny(s.Value, " ()")) {
			never(onlyDigits(s.Value), "as received, digits alone")
		}
	}
}

var (
	clockForm   = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	looseClock  = regexp.MustCompile(`^\s*([0-9]{1,2})[:h.]([0-9]{1,2})(:[0-9]{2})?\s*$`)
	looseDate   = regexp.MustCompile(`^\s*([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})\s*$`)
	europeDate  = regexp.MustCompile(`^\s*([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})\s*$`)
	wordCountry = map[string]string{"UK": "GB", "EN": "GB", "BRA": "BR", "BRAZIL": "BR", "BRASIL": "BR", "USA": "US",
		"PORTUGAL": "PT", "MEXICO": "MX", "ARGENTINA": "AR"}
)

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func neverClock(s string, never func(right, why string)) {
	if clockForm.MatchString(s) {
		return
	}
	if m := looseClock.FindStringSubmatch(s); m != nil {
		if right := fmt.Sprintf("%02s:%02s", m[1], m[2]); clockForm.MatchString(right) {
			never(right, "")
			return
		}
	}
	never("", "a clock shows 00:00 to 23:59")
}

func (x *expression) checkToday(s *stringNode, op string, c context, never func(right, why string)) {
	day, err := time.ParseInLocation(time.DateOnly, s.Value, x.now.Location())
	if err == nil {
		x.warnOfPast(s, day, op, c)
		return
	}
	if m := looseDate.FindStringSubmatch(s.Value); m != nil {
		if right := fmt.Sprintf("%s-%02s-%02s", m[1], m[2], m[3]); validDate(right) {
			never(right, "")
			return
		}
	}
	if m := europeDate.FindStringSubmatch(s.Value); m != nil {
		if right := fmt.Sprintf("%s-%02s-%02s", m[3], m[2], m[1]); validDate(right) {
			never(right, "")
			return
		}
	}
	never("", `a date is written "2026-12-24"`)
}

func validDate(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// warnOfPast warns of a date that is past, where that makes the comparison false for ever.
func (x *expression) warnOfPast(s *stringNode, day time.Time, op string, c context) {
	if c.negated || op != "==" && op != "<" && op != "<=" {
		return
	}
	end := day.AddDate(0, 0, 1)
	if op == "<" {
		end = day
	}
	if x.now.Before(end) {
		return
	}
	from, to := x.extent(s)
	x.doc.Warn(x.Place(from, to), "past-date", s.Value+" is past: this can never be true again",
		"remove it, or write the next date")
}

// allPast warns when every date of `today in [...]` is past.
func (x *expression) allPast(n *binaryNode, dates *arrayNode, c context) {
	if c.negated || nameOf(n.Left, c) != "today" || len(dates.Nodes) == 0 {
		return
	}
	today := x.now.Format(time.DateOnly)
	for _, d := range dates.Nodes {
		if s, ok := d.(*stringNode); !ok || s.Value >= today {
			return
		}
	}
	from, to := x.extent(dates)
	x.doc.Warn(x.Place(from, to), "past-date", "all of these dates are past: this can never be true again",
		"remove it, or write the next dates")
}

func nearWeekday(s string) string {
	lower := strings.ToLower(strings.TrimSpace(s))
	for _, day := range hours.Weekdays() {
		if strings.HasPrefix(lower, day) {
			return day
		}
	}
	return ""
}

// checkNumberName checks what `number` is compared with: a name under numbers.
func (x *expression) checkNumberName(s *stringNode) {
	if x.names.Use(Number, s.Value) {
		return
	}
	hint := source.DidYouMean(s.Value, x.names.Known(Number))
	if normal, err := phone.Normalize(s.Value); err == nil {
		if name, ok := x.names.NumberOf(normal); ok {
			hint = fmt.Sprintf("write its name: %q", name)
		}
	}
	x.refuse(s, "unknown-name", NoSuch(Number, s.Value), hint)
}

func neverPhone(s string, never func(right, why string)) {
	if s == "" {
		return
	}
	normal, err := phone.Normalize(s)
	if err != nil {
		_, hint := source.SplitHint(err)
		never("", hint)
		return
	}
	if normal != s {
		never(normal, "")
	}
}

func neverCountry(s string, never func(right, why string)) {
	if s == "" || phone.IsCountry(s) {
		return
	}
	upper := strings.ToUpper(strings.TrimSpace(s))
	switch {
	case phone.IsCountry(upper):
		never(upper, "")
	case wordCountry[upper] != "":
		never(wordCountry[upper], "")
	default:
		never("", `a country is its ISO code of two capitals, such as "BR"`)
	}
}
