package rules

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// span is a stretch of one line of a file, in characters.
type span struct {
	file         string
	src          *source
	line, column int
	length       int
}

// report adds one problem.
func (l *loader) report(severity Severity, at span, code, message, hint string) {
	l.problems = append(l.problems, at.problem(severity, code, message, hint))
}

func (at span) problem(severity Severity, code, message, hint string) Problem {
	p := Problem{
		Severity: severity, Code: code, File: at.file, Line: at.line, Column: at.column, Length: max(1, at.length),
		Message: message, Hint: hint,
	}
	if at.src != nil {
		p.Source = at.src.line(at.line)
	}
	return p
}

func (l *loader) errorAt(at span, code, message, hint string) {
	l.report(Error, at, code, message, hint)
}

// fail reports an error in a value.
func (l *loader) fail(n *yaml.Node, code, message, hint string) {
	l.errorAt(l.of(n), code, message, hint)
}

// failWith reports an error that says at its end what to write.
func (l *loader) failWith(n *yaml.Node, code string, err error) {
	message, hint := splitHint(err)
	l.fail(n, code, message, hint)
}

// splitHint cuts what to do off the end of an error.
func splitHint(err error) (message, hint string) {
	text := err.Error()
	for _, start := range []string{"write ", "join ", "let ", "name ", "keep ", "hours go ", "days are "} {
		for _, cut := range []string{"; ", ": "} {
			if i := strings.LastIndex(text, cut+start); i >= 0 {
				return text[:i], text[i+len(cut):]
			}
		}
	}
	return text, ""
}

func (l *loader) warn(at span, code, message, hint string) {
	l.report(Warning, at, code, message, hint)
}

// start is the beginning of the file, for what is missing from it.
func (l *loader) start() span { return span{l.src.file, l.src, 1, 1, 1} }

// of is where a node stands: a scalar with its quotes, a flow collection with its brackets, any other by its first key or
// character.
func (l *loader) of(n *yaml.Node) span {
	at := span{file: l.src.file, src: l.src}
	at.line, at.column, at.length = nodeSpan(l.src, n)
	at.line, at.column = max(1, at.line), max(1, at.column)
	rest := []rune(l.src.line(at.line))
	if at.column > len(rest) {
		return at
	}
	rest = rest[at.column-1:]
	switch {
	case rest[0] == '!':
		at.length = len([]rune(withoutComment(string(rest))))
	case n.Kind != yaml.ScalarNode && (rest[0] == '[' || rest[0] == '{'):
		at.length = bracketedLength(rest)
	}
	return at
}

// within is where a stretch of a scalar's value stands in the file.
func (l *loader) within(n *yaml.Node, from, to int) span {
	line, column, length := scalarSpan(l.src, n, from, to)
	return span{l.src.file, l.src, line, column, length}
}

// quotedLength is the length of a quoted scalar with its quotes, or of the rest of the line if it does not end there.
func quotedLength(rest []rune) int {
	quote := rest[0]
	for i := 1; i < len(rest); i++ {
		switch {
		case quote == '"' && rest[i] == '\\':
			i++
		case quote == '\'' && rest[i] == quote && i+1 < len(rest) && rest[i+1] == quote:
			i++
		case rest[i] == quote:
			return i + 1
		}
	}
	return len([]rune(strings.TrimRight(string(rest), " \t\r")))
}

// bracketedLength is the length of a flow collection, or of the rest of the line if it does not end there.
func bracketedLength(rest []rune) int {
	depth := 0
	for i := 0; i < len(rest); i++ {
		switch rest[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"', '\'':
			if previous := rest[i-1]; strings.ContainsRune(" [{,:", previous) {
				i += quotedLength(rest[i:]) - 1
			}
		}
	}
	return len([]rune(withoutComment(string(rest))))
}

// withoutComment cuts a trailing comment and blanks off a line.
func withoutComment(line string) string {
	if i := strings.Index(line, " #"); i >= 0 {
		line = line[:i]
	}
	return strings.TrimRight(line, " \t\r")
}

// quoted is a name as messages write it, cut if it is long.
func quoted(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
