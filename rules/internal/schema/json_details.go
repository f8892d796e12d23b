package schema

import "callrouter/rules/hours"

// What a schema can say of values and that the table of shapes leaves to the loader.

const (
	clockPattern  = `([01]?[0-9]|2[0-3]):[0-5][0-9]`
	windowPattern = clockPattern + `\s*-\s*(` + clockPattern + `|24:00)`
	dayPattern    = `(mon|tue|wed|thu|fri|sat|sun)`
	daysPattern   = `(daily|` + dayPattern + `(\s*-\s*` + dayPattern + `)?)`
	monthDay      = `(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])`
	fullDate      = `[0-9]{4}-` + monthDay

	durationPattern = `^\s*(0|([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)\s*$`
	phonePattern    = `^[^0-9]*([0-9][^0-9]*){7,17}$`
	zonePattern     = `^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`
	timePattern     = `^\s*(` + fullDate + `[T ])?` + clockPattern + `(:[0-5][0-9])?(Z|[+-][0-9]{2}:[0-9]{2})?\s*$`
	untilPattern    = `^` + fullDate + `(T.+)?$`
	datePattern     = `^\s*(` + monthDay + `|` + fullDate + `(\s*\.\.\s*` + fullDate + `)?)\s*$`
)

// valueDetails are the bounds of a scalar that is written in a form of its own.
func valueDetails(s *shape) []member {
	switch s {
	case aName:
		return object{{"pattern", namePattern.String()}}
	case aDuration:
		return object{{"type", []string{"string", "integer"}}, {"pattern", durationPattern}, {"minLength", 1},
			{"maximum", 0}, {"minimum", 0}}
	case aPhone:
		return object{{"type", []string{"string", "integer"}}, {"pattern", phonePattern}}
	case aZone:
		return object{{"pattern", zonePattern}, {"not", object{{"const", "Local"}}}}
	case aWindow:
		return object{{"type", "string"}, {"pattern", `^\s*` + windowPattern + `\s*$`}}
	case someWindows:
		return object{{"type", "string"}, {"pattern", `^(closed|\s*` + windowPattern + `\s*)$`}}
	case conditionShape:
		return object{{"type", []string{"string", "boolean"}}, {"pattern", `\S`}}
	}
	return nil
}

// keyPattern is what free keys that are not names look like.
func keyPattern(path string) string {
	switch path {
	case "hours.*.weekly":
		return `^\s*` + daysPattern + `(\s*,\s*` + daysPattern + `)*\s*$`
	case "hours.*.dates", "calendars.*":
		return datePattern
	}
	return namePattern.String()
}

// leftOut reports whether a key that the shape has makes no sense at a path: the end of a file cannot hand off.
func leftOut(path, key string) bool {
	return (path == "default" || path == "on_error") && key == "handoff"
}

// details are what is known of the scalar, array or object at a path beyond its shape.
func details(path, way string) []member {
	switch path + " " + way {
	case "version scalar":
		return object{{"enum", []int{1}}}
	case "lists.* object", "rules[].then object", "default object", "on_error object":
		return object{{"minProperties", 1}, {"maxProperties", 1}}
	case "lists.*[] object":
		return object{{"oneOf", []object{{{"required", []string{"number"}}}, {{"required", []string{"id"}}}}}}
	case "lists.*[].until scalar":
		return object{{"type", "string"}, {"pattern", untilPattern}}
	case "answers.* object":
		never := object{{"url", false}, {"timeout", false}}
		return object{{"oneOf", []object{
			{{"required", []string{"play"}}, {"properties", never}},
			{{"required", []string{"url"}}, {"properties", object{{"play", false}}}},
		}}}
	case "answers.*.url scalar":
		return object{{"pattern", "^https?://."}}
	case "rules[].name scalar", "messages.* scalar", "messages.*.text scalar", "lists.*[].id scalar":
		return object{{"pattern", `\S`}}
	case "tests[].call.at scalar":
		return object{{"type", "string"}, {"pattern", timePattern}}
	case "hours.*.holidays[] scalar":
		return object{{"pattern", namePattern.String()}, {"examples", hours.PublicCalendars()}}
	case "hours.*.weekly object":
		return object{{"defaultSnippets", []object{snippet("the working week", object{{"mon-fri", "09:00-18:00"}})}}}
	case "rules array":
		return object{{"defaultSnippets", []object{snippet("a rule", []object{{
			{"name", "$1"}, {"when", "$2"}, {"then", object{{"handoff", "$3"}}}}})}}}
	case "tests array":
		return object{{"defaultSnippets", []object{snippet("a test", []object{{
			{"name", "$1"}, {"call", object{{"from", "$2"}, {"at", "$3"}}},
			{"expect", object{{"action", "$4"}, {"rule", "$5"}}}}})}}}
	}
	return nil
}

func snippet(label string, body any) object {
	return object{{"label", label}, {"description", "Write " + label}, {"body", body}}
}
