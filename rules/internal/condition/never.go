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

// What a value can never start with, found from what stands in the condition alone.

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
			right := "+" + onlyDigits(text)
			if better, impossible := phone.ImpossibleStart(right); impossible {
				right = better
			}
			never(right)
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
