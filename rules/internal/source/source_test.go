package source

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"
)

// valueOf finds the value of the key "k", however deep it is.
func valueOf(n *yaml.Node) *yaml.Node {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && c.Value == "k" {
			return n.Content[i+1]
		}
		if v := valueOf(c); v != nil {
			return v
		}
	}
	return nil
}

func parseForTest(t testing.TB, text string) (*text, *yaml.Node) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	n := valueOf(&doc)
	if n == nil {
		t.Fatalf("no key k in\n%s", text)
	}
	return newText("test.yaml", []byte(text)), n
}

// In each case the ^ stands before the place of the character at offset off.
func TestPositionsInEveryStyle(t *testing.T) {
	for _, c := range []struct {
		name, file, value string
		off               int
	}{
		{"plain", "k: ab^c\n", "abc", 2},
		{"plain in a flow map", "a:\n  - {x: 1, k: a b ^c, y: 2}\n", "a b c", 4},
		{"plain, several lines", "k: one\n  two\n\n  thre^e\n", "one two\nthree", 12},
		{"plain, where it is folded", "k: one^  \n  two\n", "one two", 3},
		{"plain after a tag", "k: !!str ^x\n", "x", 0},
		{"plain after an anchor and a comment", "k: &here # note\n  ^x\n", "x", 0},
		{"not ascii", "ção: {é: 日本, k: são pãé^ç}\n", "são pãéç", 7},
		{"single", "k: 'it''s ^x'\n", "it's x", 5},
		{"a doubled quote", "k: 'it^''s'\n", "it's", 2},
		{"single, several lines", "k: 'one  \n\n   two^'''\n", "one\ntwo'", 7},
		{"double", `k: "a\tb\u00e9\x41^c"` + "\n", "a\tbéAc", 5},
		{"an escape", `k: "a^\u00e9"` + "\n", "aé", 1},
		{"an escaped break", "k: \"one \\\n    \\ tw^o\"\n", "one  two", 7},
		{"literal", "k: |\n  one\n    two\n  thr^ee\n", "one\n  two\nthree\n", 13},
		{"the break of a literal", "k: |\n  one^\n  two\n", "one\ntwo\n", 3},
		{"literal after empty lines", "k: |\n\n  \n  o^ne\n", "\n\none\n", 3},
		{"literal at the end of the file", "k: |\n  one\n  ^x", "one\nx", 4},
		{"folded", "k: > # note\n  one\n  two\n   more\n  thr^ee\n", "one two\n more\nthree\n", 17},
		{"folded and stripped", "k: >-\n  one\n  two\n\n  ^x\n\nb: 1\n", "one two\nx", 8},
		{"kept", "k: |+\n  one\n\n^\nb: 1\n", "one\n\n\n", 5},
		{"carriage returns", "a: 1\r\nk: >-\r\n  one\r\n  two\r\n\r\n  ^x\r\nb: 2\r\n", "one two\nx", 8},
		{"byte order mark", "\ufeffk: 'a^b'\n", "ab", 1},
		{"tabs", "k:\t'a\t\t^b'\n", "a\t\tb", 3},
		{"indentation indicator", "a:\n  k: |2-\n      one\n    ^x\n", "  one\nx", 6},
		{"indentation indicator after chomping", "k: >-1\n   one\n\n ^x\n", "  one\n\nx", 7},
		{"behind the end", "k: 'abc^'\n", "abc", 3},
		{"far behind the end", "k: abc^\n", "abc", 99},
		{"nothing there", "k: ^''\n", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, _, _ := strings.Cut(strings.TrimPrefix(c.file, "\ufeff"), "^")
			wantLine := strings.Count(before, "\n") + 1
			wantCol := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
			src, n := parseForTest(t, strings.Replace(c.file, "^", "", 1))
			if n.Value != c.value {
				t.Fatalf("the value is %q, want %q", n.Value, c.value)
			}
			if line, col := scalarPos(src, n, c.off); line != wantLine || col != wantCol {
				t.Errorf("at %d:%d, want %d:%d", line, col, wantLine, wantCol)
			}
		})
	}
}

func TestSpansHaveTheLengthTheyHaveInTheFile(t *testing.T) {
	for _, c := range []struct {
		file              string
		from, to          int
		line, col, length int
	}{
		{"k: open(x)\n", 5, 6, 1, 9, 1},
		{`k: "a \"bé\" c"` + "\n", 2, 6, 1, 7, 6},
		{"k: 'it''s'\n", 0, 4, 1, 5, 5},
		{"k: 'it''s'\n", 2, 3, 1, 7, 2},
		{"k: |\n  one two\n  three\n", 4, 7, 2, 7, 3},
		{"k: |\n  one two\n  three\n", 4, 11, 2, 7, 3}, // as far as the line goes
		{"k: abc\n", 3, 3, 1, 7, 1},
		{"k: abc\n", 1, 1, 1, 5, 1},
		{"k: ''\n", 0, 0, 1, 4, 1},
	} {
		src, n := parseForTest(t, c.file)
		line, col, length := scalarSpan(src, n, c.from, c.to)
		if line != c.line || col != c.col || length != c.length {
			t.Errorf("%q [%d,%d): %d:%d length %d, want %d:%d length %d", c.file, c.from, c.to, line, col, length,
				c.line, c.col, c.length)
		}
	}
}

func TestNodesAreUnderlinedWithTheirQuotes(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"k: abc # x\n", "abc"},
		{"k: 'it''s' # x\n", "'it''s'"},
		{`{k: "a\n", b: 1}` + "\n", `"a\n"`},
		{"k: \"one\n  two\"\n", `"one`},
		{"k: !vip abc\n", "!vip abc"},
		{"k: |\n  abc\n", "|"},
		{"k: ''\n", "''"},
		{"k: {a: 1}\n", "{"},
		{"k:\n  other: 1\n", "other"},
		{"a: &x 1\nk: *x\n", "*x"},
	} {
		src, n := parseForTest(t, c.file)
		line, col, length := nodeSpan(src, n)
		if got := string([]rune(src.line(line))[col-1 : col-1+length]); got != c.want {
			t.Errorf("%q: underlined %q, want %q", c.file, got, c.want)
		}
	}
}

func TestAValueThatTheFileDoesNotShowIsWhereItsNodeIs(t *testing.T) {
	src, n := parseForTest(t, "k: abc\n")
	n.Value = "xyz"
	if line, col, length := scalarSpan(src, n, 2, 3); line != 1 || col != 4 || length != 1 {
		t.Errorf("at %d:%d length %d", line, col, length)
	}
	n.Line = 99
	if line, col := scalarPos(src, n, 0); line != 99 || col != 4 {
		t.Errorf("at %d:%d", line, col)
	}
}

func TestLinesOfAFile(t *testing.T) {
	src := newText("x", []byte("\ufeffone\r\ntwo\nção\rfour\n"))
	for n, want := range map[int]string{0: "", 1: "one", 2: "two", 3: "ção", 4: "four", 5: "", 6: ""} {
		if got := src.line(n); got != want {
			t.Errorf("line %d is %q, want %q", n, got, want)
		}
	}
}

// scribe writes a scalar in some style, noting for each character of the value where it puts it. Every letter it writes
// is another one, so that none can be taken for its neighbour.
type scribe struct {
	t         *rapid.T
	lineBreak string
	text      strings.Builder
	line, col int
	value     []rune
	places    [][2]int // line and column by offset
	next      rune
}

func (s *scribe) raw(text string) {
	for _, r := range text {
		s.text.WriteRune(r)
		s.col++
	}
}

func (s *scribe) newline() {
	s.text.WriteString(s.lineBreak)
	s.line++
	s.col = 1
}

func (s *scribe) char(r rune, written string) {
	s.value = append(s.value, r)
	s.places = append(s.places, [2]int{s.line, s.col})
	s.raw(written)
}

func (s *scribe) chance(label string) bool { return rapid.Bool().Draw(s.t, label) }

func (s *scribe) spaces(n int) { s.raw(strings.Repeat(" ", n)) }

// letter is the next letter, now and then from outside the first plane.
func (s *scribe) letter() rune {
	s.next++
	switch {
	case s.next%7 == 0:
		return 0x1F300 + s.next
	case s.next%3 == 0:
		return 0x4E00 + s.next
	}
	return 0xC0 + s.next%0x100
}

// words writes words with whatever may stand between them, in a flow style.
func (s *scribe) words(indent int, word func()) {
	word()
	for range rapid.IntRange(0, 6).Draw(s.t, "words") {
		switch rapid.IntRange(0, 3).Draw(s.t, "between") {
		case 0:
			s.char(' ', " ")
		case 1:
			s.char(' ', " ")
			s.char('\t', "\t")
		default: // a break, with blanks that do not count on both sides
			breaks := rapid.IntRange(1, 3).Draw(s.t, "breaks")
			if breaks == 1 {
				s.char(' ', "")
			}
			s.spaces(rapid.IntRange(0, 2).Draw(s.t, "trailing"))
			s.newline()
			for range breaks - 1 {
				s.spaces(rapid.IntRange(0, indent+2).Draw(s.t, "empty"))
				s.char('\n', "")
				s.newline()
			}
			s.spaces(indent + rapid.IntRange(0, 2).Draw(s.t, "more"))
		}
		word()
	}
}

func (s *scribe) letters(special func()) {
	for i := range rapid.IntRange(1, 4).Draw(s.t, "letters") {
		if special != nil && i > 0 && s.chance("special") {
			special()
			continue
		}
		r := s.letter()
		s.char(r, string(r))
	}
}

// escaped writes something with a backslash.
func (s *scribe) escaped(indent int) {
	switch rapid.IntRange(0, 5).Draw(s.t, "escape") {
	case 0:
		s.char('\n', `\n`)
	case 1:
		s.char('"', `\"`)
	case 2:
		r := 0xC0 + s.letter()%0x40
		s.char(r, fmt.Sprintf(`\x%02X`, r))
	case 3:
		s.char('日', `\u65e5`)
	case 4:
		s.char('😀', `\U0001F600`)
	case 5:
		s.raw(`\`)
		s.newline()
		s.spaces(indent)
		r := s.letter() // blanks here would not count
		s.char(r, string(r))
	}
}

// block writes the lines of a block scalar. What they come to is left to YAML.
func (s *scribe) block(indent int, explicit bool) {
	s.raw(rapid.SampledFrom([]string{"", " ", " # note"}).Draw(s.t, "comment"))
	s.newline()
	lines := rapid.IntRange(1, 8).Draw(s.t, "lines")
	for i := range lines {
		switch kind := rapid.IntRange(0, 3).Draw(s.t, "kind"); {
		case kind == 0 && i > 0:
			s.spaces(rapid.IntRange(0, indent).Draw(s.t, "empty"))
		default:
			s.spaces(indent)
			if kind == 1 && (i > 0 || explicit) {
				s.raw(rapid.SampledFrom([]string{" ", "  ", "\t"}).Draw(s.t, "lead"))
			}
			for j := range rapid.IntRange(1, 5).Draw(s.t, "letters") {
				if j > 0 && s.chance("blank") {
					s.raw(" ")
				}
				s.raw(string(s.letter()))
			}
		}
		if i < lines-1 || s.chance("last break") {
			s.newline()
		}
	}
}

// TestEachOffsetIsAtItsVeryCharacter writes random values in every style and compares each position with where the
// character was put; in block styles, where YAML says what the value is, with the letters, each of which is unique.
func TestEachOffsetIsAtItsVeryCharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &scribe{t: t, line: 1, col: 1, lineBreak: rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "line break")}
		style := rapid.SampledFrom([]string{"plain", "'", `"`, "|", ">"}).Draw(t, "style")
		block := style == "|" || style == ">"
		s.raw(rapid.SampledFrom([]string{"", "# ção"}).Draw(t, "before"))
		s.newline()
		depth := rapid.IntRange(0, 2).Draw(t, "depth")
		for i := range depth {
			s.spaces(2 * i)
			s.raw("é:")
			s.newline()
		}
		s.spaces(2 * depth)
		inFlow := !block && s.chance("in a flow map")
		if inFlow {
			s.raw("é: {日: 1, ")
		}
		s.raw("k: ")
		s.raw(rapid.SampledFrom([]string{"", "!!str ", "&a ", "&a !!str "}).Draw(t, "properties"))
		indent := 2*depth + rapid.IntRange(1, 3).Draw(t, "indent")
		switch style {
		case "plain":
			s.words(indent, func() { s.letters(func() { s.char('"', `"`) }) })
		case "'":
			s.raw("'")
			s.words(indent, func() { s.letters(func() { s.char('\'', "''") }) })
			s.raw("'")
		case `"`:
			s.raw(`"`)
			s.words(indent, func() { s.letters(func() { s.escaped(indent) }) })
			s.raw(`"`)
		default:
			s.raw(style)
			header := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "chomp")
			explicit := s.chance("explicit")
			if explicit {
				header = rapid.SampledFrom([]string{fmt.Sprint(indent-2*depth) + header,
					header + fmt.Sprint(indent-2*depth)}).Draw(t, "header")
			}
			s.raw(header)
			s.block(indent, explicit)
		}
		if inFlow {
			s.raw(", x: 1}")
		}
		if !block || s.col == 1 {
			s.newline()
			s.spaces(2 * depth)
			s.raw("z: 1")
			s.newline()
		}
		check(t, s, block)
	})
}

func check(t *rapid.T, s *scribe, block bool) {
	text := s.text.String()
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	src, n := newText("test.yaml", []byte(text)), valueOf(&doc)
	value := []rune(n.Value)
	if !block && string(s.value) != n.Value {
		t.Fatalf("YAML reads %q, %q was written, in\n%s", n.Value, string(s.value), text)
	}
	before := [2]int{}
	for off, r := range value {
		line, col := scalarPos(src, n, off)
		if !block {
			if at := s.places[off]; at != [2]int{line, col} {
				t.Fatalf("offset %d (%q) of %q is at %d:%d, want %v, in\n%s", off, r, n.Value, line, col, at, text)
			}
			continue
		}
		row := []rune(src.line(line))
		found := '\n'
		if col <= len(row) {
			found = row[col-1]
		}
		if found != r && !(found == '\n' && r == ' ') {
			t.Fatalf("offset %d (%q) of %q is at %d:%d, where %q is, in\n%s", off, r, n.Value, line, col, found, text)
		}
		if line < before[0] || line == before[0] && col <= before[1] {
			t.Fatalf("offset %d of %q is at %d:%d, not behind %v, in\n%s", off, n.Value, line, col, before, text)
		}
		before = [2]int{line, col}
	}
}
