package source

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrUnreadable is what [Problems.Err] wraps when the rules file itself could not be read, as opposed to being wrong.
// Such a problem has the code "unreadable-file".
var ErrUnreadable = errors.New("the file cannot be read")

// CodeUnreadable is the code of a problem that stands for a file that cannot be read.
const CodeUnreadable = "unreadable-file"

// Severity is error, which keeps a file from being loaded, warning, or info.
type Severity string

// The severities. A file without errors is loaded. Info is worth knowing, and need not be a mistake: nothing counts it.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// Problem is one thing that is wrong with a rules file, at its place. Line and Column start at 1; Column and Length
// count characters (not bytes) of the offending text itself, a literal with its quotes.
type Problem struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"` // a stable word in kebab case
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Length   int      `json:"length"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint"` // what to do; may be empty
	Source   string   `json:"-"`    // the line itself, for the underline
}

// Problems is everything that is wrong with a file, sorted by file, line and column.
type Problems []Problem

// HasErrors reports whether any of the problems keeps the file from being loaded.
func (ps Problems) HasErrors() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// Err is nil when there are no errors, wraps [ErrUnreadable] when a file could not be read, and is otherwise an
// error that holds every problem as it is printed.
func (ps Problems) Err() error {
	if !ps.HasErrors() {
		return nil
	}
	var b strings.Builder
	for i, p := range ps {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	if slices.ContainsFunc(ps, func(p Problem) bool { return p.Code == CodeUnreadable }) {
		return fmt.Errorf("%w\n%s", ErrUnreadable, b.String())
	}
	return errors.New(b.String())
}

// String is the problem as it is printed for people: place, message, the line with the offending text underlined, and
// the hint.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	fmt.Fprintf(&b, ": %s[%s]: %s", p.Severity, p.Code, p.Message)
	if p.Source != "" && p.Column > 0 {
		line, underline := excerpt(p.Source, p.Column, p.Length)
		fmt.Fprintf(&b, "\n  %s\n  %s", line, underline)
	}
	if p.Hint != "" {
		fmt.Fprintf(&b, "\n  hint: %s", p.Hint)
	}
	return b.String()
}

// maxExcerpt is how many characters of a line are printed: lines may be as long as the file.
const maxExcerpt = 120

// excerpt cuts a window out of a long line and draws the underline below it.
func excerpt(line string, column, length int) (shown, underline string) {
	runes := []rune(line)
	from := 0
	if len(runes) > maxExcerpt && column > maxExcerpt/2 {
		from = min(column-1-maxExcerpt/4, len(runes)-maxExcerpt/2)
	}
	to := min(len(runes), from+maxExcerpt)
	at := min(max(column-1-from, 0), to-from)
	length = max(1, min(length, to-from-at))

	before, after := "", ""
	if from > 0 {
		before = "…"
	}
	if to < len(runes) {
		after = "…"
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", utf8.RuneCountInString(before)))
	for _, r := range runes[from : from+at] {
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
	}
	b.WriteString(strings.Repeat("^", length))
	return before + string(runes[from:to]) + after, b.String()
}

// Sorted orders problems by place and drops those that say the same of the same place.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(ps, func(a, b Problem) bool { return a == b })
}
