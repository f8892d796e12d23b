package source

import (
	"strconv"

	"gopkg.in/yaml.v3"
)

// scalarPos is the 1-based line and column, in characters, at which the file has the character at a rune offset of a
// scalar's value. It reads the file again as YAML does, so folded lines, escapes, doubled quotes and block indentation
// are accounted for. An offset at or past the end is the place behind the last character. If the file does not say how
// the value came about the place is that of the node.
func scalarPos(src *text, n *Node, off int) (line, col int) {
	line, col, _ = scalarSpan(src, n, off, off)
	return line, col
}

// scalarSpan is scalarPos for the first of the characters [from, to) of a value, with the length they have in the file:
// as far as they stand on that line, escapes as they are written, and never less than 1.
func scalarSpan(src *text, n *Node, from, to int) (line, col, length int) {
	marks, ok := scalarMarks(src, n)
	if !ok || len(marks) == 0 {
		return n.Line, n.Column, 1
	}
	from = min(max(from, 0), len(marks))
	to = min(max(to, from), len(marks))
	if from == len(marks) {
		last := marks[from-1]
		return last.line, last.to, 1
	}
	first := marks[from]
	end := first.from
	for _, m := range marks[from:to] {
		if m.line == first.line {
			end = m.to
		}
	}
	return first.line, first.from, max(1, end-first.from)
}

// nodeSpan is where a node stands in the file and how long it is there, as far as it stands on its first line: a scalar
// with its quotes, an alias with its star, of a mapping the first key, of anything else its first character.
func nodeSpan(src *text, n *Node) (line, col, length int) {
	line, col, length = n.Line, n.Column, 1
	switch {
	case n.Kind == yaml.AliasNode:
		return line, col, 1 + len([]rune(n.Value))
	case n.Kind == MappingNode && n.Style&yaml.FlowStyle == 0 && len(n.Content) > 0 && n.Anchor == "":
		return nodeSpan(src, n.Content[0])
	case n.Kind != ScalarNode:
		return line, col, length
	}
	marks, ok := scalarMarks(src, n)
	if ok && len(marks) == 0 && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 &&
		n.Style&yaml.TaggedStyle == 0 && n.Anchor == "" {
		return line, col, len(`""`)
	}
	if !ok || len(marks) == 0 || n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return line, col, length
	}
	end := marks[0].to
	for _, m := range marks {
		if m.line == line {
			end = m.to
		}
	}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 && marks[len(marks)-1].line == line {
		end++ // the closing quote
	}
	return line, col, max(1, end-col)
}

// mark is where one character of a value is in the file.
type mark struct {
	line, from, to int // 1-based; columns [from, to)
}

// scalarMarks has a mark for each character of a scalar's value. ok is false
// unless reading the file gave that very value.
func scalarMarks(src *text, n *Node) (marks []mark, ok bool) {
	start, ok := src.index(n.Line, n.Column)
	if !ok || n.Kind != ScalarNode {
		return nil, false
	}
	want := []rune(n.Value)
	w := walker{src: src, i: start, line: n.Line}
	w.skipProperties()
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return w.block(want)
	case n.Style&yaml.SingleQuotedStyle != 0:
		w.singleQuoted()
	case n.Style&yaml.DoubleQuotedStyle != 0:
		w.doubleQuoted()
	default:
		w.plain(len(want))
	}
	return w.marks, string(w.value) == n.Value
}

// walker reads a scalar from the file, noting where each character came from.
type walker struct {
	src   *text
	i     int // next in src.text
	line  int // of i, 1-based
	value []rune
	marks []mark
}

// peek is the next character, 0 at the end of the file.
func (w *walker) peek() rune {
	if w.i >= len(w.src.runes) {
		return 0
	}
	return w.src.runes[w.i]
}

func (w *walker) more() bool { return w.i < len(w.src.runes) }

func (w *walker) column() int { return w.i - w.src.starts[w.line-1] + 1 }

// here is an empty mark at the next character.
func (w *walker) here() mark { return mark{w.line, w.column(), w.column()} }

func (w *walker) emit(r rune, m mark) {
	w.value = append(w.value, r)
	w.marks = append(w.marks, m)
}

// take consumes n characters of the line, which stand for r.
func (w *walker) take(n int, r rune) {
	m := w.here()
	m.to += n
	w.emit(r, m)
	w.i += n
}

// newline consumes a line break.
func (w *walker) newline() {
	if w.peek() == '\r' && w.i+1 < len(w.src.runes) && w.src.runes[w.i+1] == '\n' {
		w.i++
	}
	w.i++
	w.line++
}

func (w *walker) skipBlanks() {
	for isBlank(w.peek()) {
		w.i++
	}
}

// skipProperties goes past the anchor and tag in front of a scalar.
func (w *walker) skipProperties() {
	for w.peek() == '&' || w.peek() == '!' {
		for w.more() && !isBlank(w.peek()) && !isBreak(w.peek()) {
			w.i++
		}
		for w.more() {
			w.skipBlanks()
			if w.peek() == '#' {
				for w.more() && !isBreak(w.peek()) {
					w.i++
				}
			}
			if !isBreak(w.peek()) {
				break
			}
			w.newline()
		}
	}
}

// fold reads blanks and line breaks between words: blanks stay, one break is a
// space, and of more breaks all but the first stay.
func (w *walker) fold() {
	start := *w
	w.skipBlanks()
	if !isBreak(w.peek()) {
		end := w.i
		for w.i = start.i; w.i < end; {
			w.take(1, w.peek())
		}
		return
	}
	space := start.here()
	w.newline()
	if w.emptyLines() == 0 {
		w.emit(' ', space)
	}
}

// emptyLines reads the empty lines and the indentation that follow a break.
func (w *walker) emptyLines() (n int) {
	for w.skipBlanks(); isBreak(w.peek()); w.skipBlanks() {
		w.emit('\n', w.here())
		w.newline()
		n++
	}
	return n
}

func (w *walker) plain(length int) {
	for w.more() && len(w.value) < length {
		if r := w.peek(); isBlank(r) || isBreak(r) {
			w.fold()
		} else {
			w.take(1, r)
		}
	}
}

func (w *walker) singleQuoted() {
	for w.i++; w.more(); {
		switch r := w.peek(); {
		case r == '\'' && w.i+1 < len(w.src.runes) && w.src.runes[w.i+1] == '\'':
			w.take(2, r)
		case r == '\'':
			return
		case isBlank(r) || isBreak(r):
			w.fold()
		default:
			w.take(1, r)
		}
	}
}

func (w *walker) doubleQuoted() {
	for w.i++; w.more(); {
		switch r := w.peek(); {
		case r == '"':
			return
		case r == '\\':
			w.escape()
		case isBlank(r) || isBreak(r):
			w.fold()
		default:
			w.take(1, r)
		}
	}
}

// escapes are the one-letter escapes of a double-quoted scalar.
var escapes = map[rune]rune{
	'0': 0, 'a': '\a', 'b': '\b', 't': '\t', '\t': '\t', 'n': '\n', 'v': '\v', 'f': '\f', 'r': '\r', 'e': '\x1b',
	' ': ' ', '"': '"', '\'': '\'', '/': '/', '\\': '\\', 'N': '\u0085', '_': '\u00a0', 'L': '\u2028', 'P': '\u2029',
}

// escapeDigits is how many digits follow the letter of a numeric escape.
var escapeDigits = map[rune]int{'x': 2, 'u': 4, 'U': 8}

func (w *walker) escape() {
	if w.i+1 >= len(w.src.runes) {
		w.i++
		return
	}
	letter := w.src.runes[w.i+1]
	if isBreak(letter) {
		w.i++
		w.newline()
		w.emptyLines()
		return
	}
	digits := escapeDigits[letter]
	if digits == 0 {
		w.take(2, escapes[letter])
		return
	}
	end := min(w.i+2+digits, len(w.src.runes))
	code, err := strconv.ParseUint(string(w.src.runes[w.i+2:end]), 16, 32)
	if err != nil {
		code = '\ufffd'
	}
	w.take(end-w.i, rune(code))
}
