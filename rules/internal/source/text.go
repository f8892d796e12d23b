package source

// text is the text of a file, for saying where in it something stands.
type text struct {
	file   string
	runes  []rune
	starts []int // index in text at which each line starts
}

// newText takes the file apart as YAML does: a line ends with LF, CR, CRLF or
// one of Unicode's line breaks, and a byte order mark is no part of the text.
func newText(file string, data []byte) *text {
	s := &text{file: file, runes: []rune(string(data)), starts: []int{0}}
	if len(s.runes) > 0 && s.runes[0] == '\ufeff' {
		s.runes = s.runes[1:]
	}
	for i, r := range s.runes {
		if isBreak(r) && !(r == '\r' && i+1 < len(s.runes) && s.runes[i+1] == '\n') {
			s.starts = append(s.starts, i+1)
		}
	}
	return s
}

// line is the text of a line, counted from 1, without its end; "" past the last.
func (s *text) line(n int) string {
	if n < 1 || n > len(s.starts) {
		return ""
	}
	from := s.starts[n-1]
	to := from
	for to < len(s.runes) && !isBreak(s.runes[to]) {
		to++
	}
	return string(s.runes[from:to])
}

// index is where a 1-based line and column stand in text; ok is false if there
// is no such place.
func (s *text) index(line, col int) (i int, ok bool) {
	if line < 1 || line > len(s.starts) || col < 1 {
		return 0, false
	}
	i = s.starts[line-1] + col - 1
	return i, i <= len(s.runes)
}

func isBreak(r rune) bool {
	return r == '\n' || r == '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }
