package source

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxNesting is how deep brackets may go, so that no file takes YAML long or deep.
const maxNesting = 100

// checkText refuses what is not text, with the place of the first byte that is not.
func (d *Document) checkText(data []byte) bool {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		d.ErrorAt(Span{File: d.Path, Line: 1, Column: 1}, "not-utf8", "the file is UTF-16", "save it as UTF-8")
		return false
	}
	if utf8.Valid(data) {
		return true
	}
	line, column := 1, 1
	for rest := data; ; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		rest = rest[size:]
	}
	d.ErrorAt(d.At(line, column, 1), "not-utf8", "this is not UTF-8", "save the file as UTF-8")
	return false
}

// checkNesting bounds how deep brackets and indentation go, before the YAML library sees them.
func (d *Document) checkNesting() bool {
	depth, line := 0, 1
	var quote rune
	start := true // of a line or a token, where a quote begins a quoted scalar
	for i := 0; i < len(d.text.runes); i++ {
		r := d.text.runes[i]
		if isBreak(r) {
			line++
			if i+1 < len(d.text.runes) && isKeyStart(d.text.runes[i+1]) {
				depth, quote = 0, 0 // a new key of the file: what was open stood in a text
			}
		}
		switch {
		case quote == '"' && r == '\\':
			i++
			continue
		case quote != 0:
			if r == quote {
				quote = 0
			}
			continue
		case r == '#' && start:
			for i+1 < len(d.text.runes) && !isBreak(d.text.runes[i+1]) {
				i++
			}
			continue
		case (r == '"' || r == '\'') && start:
			quote = r
			continue
		case r == '[' || r == '{':
			depth++
		case (r == ']' || r == '}') && depth > 0:
			depth--
		}
		if depth > maxNesting {
			d.ErrorAt(d.At(line, 1, 1), "too-deep", fmt.Sprintf("brackets are nested more than %d deep", maxNesting),
				"close a bracket")
			return false
		}
		start = isBlank(r) || isBreak(r) || strings.ContainsRune("[{,:-", r)
	}
	return true
}

func isKeyStart(r rune) bool { return 'a' <= r && r <= 'z' }
