package rules

import (
	"fmt"
	"slices"
	"strings"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

func (l *loader) readMessages() {
	for name, n := range l.Entries(l.Child(l.Root, "messages")) {
		m := &message{Message: Message{Name: name.Value}}
		body := n
		if n.Kind == source.MappingNode {
			body = l.Child(n, "text")
			m.AtMostEvery = l.duration(n, "at_most_every", 0, hours.ParseDurationOrZero)
		}
		if body != nil {
			l.readMessage(m, body)
		}
		l.f.messages = append(l.f.messages, m)
	}
}

// readMessage takes a message apart into texts and expressions: `${EXPR}`; `$${` is a literal `${`.
func (l *loader) readMessage(m *message, n *source.Node) {
	if strings.TrimSpace(n.Value) == "" {
		l.Fail(n, "empty-value", "the message is empty", "write a text")
		return
	}
	runes := []rune(n.Value)
	var literal strings.Builder
	length := 0
	for i := 0; i < len(runes); {
		rest := string(runes[i:min(i+3, len(runes))])
		switch {
		case rest == "$${":
			literal.WriteString("${")
			i += 3
		case strings.HasPrefix(rest, "${"):
			end := closingBrace(runes, i+2)
			if end < 0 {
				l.ErrorAt(l.Within(n, i, len(runes)), "message-syntax", "this ${ has no }",
					"close it, or write $${ for a literal ${")
				return
			}
			m.parts = append(m.parts, part{literal: literal.String()})
			literal.Reset()
			l.readPlaceholder(m, n, runes, i+2, end)
			i = end + 1
		default:
			literal.WriteRune(runes[i])
			length++
			i++
		}
	}
	m.parts = append(m.parts, part{literal: literal.String()})
	m.parts = slices.DeleteFunc(m.parts, func(p part) bool { return p.program == nil && p.literal == "" })
	if length > maxMessage {
		l.Fail(n, "message-too-long",
			fmt.Sprintf("the text has %d characters, and WhatsApp takes %d", length, maxMessage), "shorten it")
	}
}

// closingBrace is where the `}` stands that ends an expression which starts at i: not one in quotes, or of a pair.
func closingBrace(runes []rune, i int) int {
	depth := 0
	var quote rune
	for ; i < len(runes); i++ {
		switch r := runes[i]; {
		case quote != 0 && r == '\\' && quote != '`':
			i++
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'' || r == '`':
			quote = r
		case r == '{':
			depth++
		case r == '}':
			if depth == 0 {
				return i
			}
			depth--
		}
	}
	return -1
}

func (l *loader) readPlaceholder(m *message, n *source.Node, runes []rune, from, to int) {
	text := strings.TrimSpace(string(runes[from:to]))
	if text == "" {
		l.ErrorAt(l.Within(n, from-2, to+1), "empty-condition", "there is nothing in this ${}",
			"write an expression, or $${ for a literal ${")
		return
	}
	program, needs := l.language.Placeholder(condition.Text{
		Text: string(runes[from:to]), Place: func(a, b int) source.Span { return l.Within(n, from+a, from+b) },
	})
	if program != nil {
		m.needs.Merge(needs)
		m.parts = append(m.parts, part{text: text, program: program})
	}
}

// cutByComment reports whether a condition on one line lost its end to a ` #`, which begins a comment in YAML: a quote
// is open where it ends.
func (l *loader) cutByComment(n *source.Node) bool {
	if !l.Commented(n) || !condition.EndsInQuote(n.Value) {
		return false
	}
	at := l.Of(n)
	at.Length = len([]rune(strings.TrimRight(l.Line(at.Line), " \t"))) - at.Column + 1
	l.ErrorAt(at, "comment-cuts-text",
		"YAML reads everything after ` #` as a comment, which cuts the quoted text short",
		"write the condition after `|`, on a line of its own")
	l.Spoil(n)
	return true
}
