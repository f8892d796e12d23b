package source

import (
	"strings"
)

// Span is a stretch of one line of a file, in characters.
type Span struct {
	File         string
	src          *text // nil if the file could not be read
	Line, Column int   // from 1
	Length       int
}

// Problem returns a problem at this place.
func (at Span) Problem(severity Severity, code, message, hint string) Problem {
	p := Problem{
		Severity: severity, Code: code, File: at.File, Line: at.Line, Column: at.Column, Length: max(1, at.Length),
		Message: message, Hint: hint,
	}
	if at.src != nil {
		p.Source = at.src.line(at.Line)
	}
	return p
}

// Of returns the place of a node: a scalar with its quotes, a flow collection with its brackets, anything else by its
// first key or character.
func (d *Document) Of(n *Node) Span {
	at := Span{File: d.Path, src: d.text}
	at.Line, at.Column, at.Length = nodeSpan(d.text, n)
	at.Line, at.Column = max(1, at.Line), max(1, at.Column)
	rest := []rune(d.Line(at.Line))
	if at.Column > len(rest) {
		return at
	}
	rest = rest[at.Column-1:]
	switch {
	case rest[0] == '!':
		at.Length = len([]rune(withoutComment(string(rest))))
	case n.Kind != ScalarNode && (rest[0] == '[' || rest[0] == '{'):
		at.Length = bracketedLength(rest)
	}
	return at
}

// Within returns the place of the characters from from to to of the value of a scalar.
func (d *Document) Within(n *Node, from, to int) Span {
	line, column, length := scalarSpan(d.text, n, from, to)
	return d.At(line, column, length)
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
