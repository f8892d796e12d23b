package condition

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// What the expression language calls things, in words that are not those of Go.
var typeWords = []struct {
	pattern *regexp.Regexp
	word    string
}{
	{regexp.MustCompile(`func\([^()]*\)( [a-zA-Z.]+| \([^()]*\))?`), "a function"},
	{regexp.MustCompile(`\*?condition\.Caller`), "the caller"},
	{regexp.MustCompile(`\*?condition\.Environment`), "the call"},
	{regexp.MustCompile(`\btime\.Time\b`), "a time"},
	{regexp.MustCompile(`\btime\.Duration\b`), "a duration"},
	{regexp.MustCompile(`\btime\.Weekday\b`), "a day of the week"},
	{regexp.MustCompile(`\btime\.Month\b`), "a month"},
	{regexp.MustCompile(`\*?\btime\.Location\b`), "a time zone"},
	{regexp.MustCompile(`map\[[a-z]+\](interface ?\{\}|any|[a-z0-9]+)`), "a mapping"},
	{regexp.MustCompile(`\[\](interface ?\{\}|any|[a-z0-9]+)`), "a list"},
	{regexp.MustCompile(`interface ?\{\}`), "a value of unknown kind"},
	{regexp.MustCompile(`\b(string|char)\b`), "a text"},
	{regexp.MustCompile(`\b(u?int(8|16|32|64)?|float(32|64)|integer)\b`), "a number"},
	{regexp.MustCompile(`\b(bool|boolean)\b`), "true or false"},
	{regexp.MustCompile(`\b(unknown|any)\b`), "a value of unknown kind"},
	{regexp.MustCompile(`\bnil\b`), "nothing"},
}

// typeWord is one type in words.
func typeWord(name string) string {
	for _, t := range typeWords {
		if t.pattern.MatchString(name) {
			return t.word
		}
	}
	return "something else"
}

// plainWords is a message of the expression language without Go in it.
func plainWords(message string) string {
	message, _, _ = strings.Cut(strings.TrimSpace(message), "\n")
	switch {
	case strings.Contains(message, "divide by zero"):
		return "this divides by zero"
	case strings.Contains(message, "<nil>"):
		return "this uses a value that is not there"
	case mixedOperands.MatchString(message):
		return "this compares values of different kinds"
	case notANumber.MatchString(message):
		return "this text is not a number"
	case strings.Contains(message, "memory budget"):
		return "this takes too much memory"
	case strings.Contains(message, "index out of range"):
		return "there is no element at this place"
	case strings.HasPrefix(message, "runtime error"), strings.Contains(message, "reflect"),
		strings.Contains(message, "interface conversion"):
		return "this cannot be worked out"
	}
	for _, t := range typeWords {
		message = t.pattern.ReplaceAllString(message, t.word)
	}
	return message
}

var (
	notANumber      = regexp.MustCompile(`^invalid operation: (int|float)\(`)
	mixedOperands   = regexp.MustCompile(`^invalid operation: [a-z0-9]+ [<>]=? [a-z0-9]+$`)
	badArgument     = regexp.MustCompile(`^invalid argument for (\S+) \(type (.+)\)`)
	notOfTheList    = regexp.MustCompile(`^cannot use (.+) as type (.+) in array`)
	noElement       = regexp.MustCompile(`^type (.+)\[(.+)\] is undefined`)
	mismatchedTypes = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched types (.+) and (.+)\)`)
	mismatchedType  = regexp.MustCompile(`^invalid operation: (\S+) \(mismatched type (.+)\)`)
	wrongArgument   = regexp.MustCompile(`^cannot use (.+) as argument \(type (.+)\) to call (\S+)`)
	argumentCount   = regexp.MustCompile(`^(too many|not enough) arguments to call (\S+)`)
	wrongResult     = regexp.MustCompile(`^expected \S+, but got (.+)`)
	noSuchMember    = regexp.MustCompile(`^type (.+) has no (?:field|method) (\S+)`)
	notCallable     = regexp.MustCompile(`^(.+) is not callable`)
)

// typeError is a message of the type checker in words, with a hint.
func typeError(message string) (string, string) {
	message = strings.TrimSpace(message)
	if m := mismatchedTypes.FindStringSubmatch(message); m != nil {
		l, r := typeWord(m[2]), typeWord(m[3])
		hint := ""
		switch {
		case m[1] == "in" && l == "true or false":
			hint = "write `x not in [...]`, not `not x in [...]`"
		case l == "a text" && r == "a number" || l == "a number" && r == "a text":
			hint = "put quotes around a text, and none around a number"
		case l == "true or false" || r == "true or false":
			hint = "put brackets around what belongs together"
		default:
			hint = "compare values of the same kind"
		}
		return fmt.Sprintf("cannot use %s between %s and %s", m[1], l, r), hint
	}
	if m := mismatchedType.FindStringSubmatch(message); m != nil {
		hint := "put brackets around what belongs together"
		if m[1] == "not" || m[1] == "!" {
			hint = "put brackets around what is negated, `not (...)`, or write `x not in [...]`"
		}
		return fmt.Sprintf("%s cannot be used on %s", m[1], typeWord(m[2])), hint
	}
	if m := wrongArgument.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s takes %s, and this is %s", m[3], typeWord(m[2]), typeWord(m[1])), ""
	}
	if m := badArgument.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s cannot be used on %s", m[1], typeWord(m[2])), "give it a value of another kind"
	}
	if m := notOfTheList.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s cannot be in a list of what is %s", typeWord(m[1]), typeWord(m[2])),
			"compare values of the same kind"
	}
	if m := noElement.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s has no elements", typeWord(m[1])), "a part of a text is written payload[0:1]"
	}
	if m := argumentCount.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s was given %s arguments", m[2], m[1]), ""
	}
	if m := wrongResult.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("a condition must be true or false, and this is %s", typeWord(m[1])),
			"compare it with something: == ..."
	}
	if m := noSuchMember.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s has no %s", typeWord(m[1]), m[2]), ""
	}
	if m := notCallable.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("%s is not a function", typeWord(m[1])), ""
	}
	return plainWords(message), ""
}

// Reason returns the error of a program in words that an author understands.
func Reason(err error) error {
	machine := (*machineError)(nil)
	switch {
	case !errors.As(err, &machine):
		return err
	case machine.Prev != nil && !isGoError(machine.Prev) && !strings.HasPrefix(machine.Prev.Error(), "reflect: "):
		return machine.Prev
	}
	return errors.New(plainWords(machine.Message))
}

// isGoError reports whether an error comes from the Go runtime: its text would tell an author nothing.
func isGoError(err error) bool {
	var runtime interface{ RuntimeError() }
	return errors.As(err, &runtime)
}
