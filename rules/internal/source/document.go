// Package source reads YAML files so that every mistake in them can be reported at its place. A [Document] knows where
// in the file each node and each character of a text stands; a [Problem] is a mistake with that place and a hint.
//
// It is the only place that knows YAML.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"gopkg.in/yaml.v3"
)

// Document is a YAML file while it is read: its text, its nodes, and the problems found in it.
type Document struct {
	Path     string
	Root     *Node    // nil until Parse has succeeded
	Problems Problems // in the order in which they were found

	text *text
	bad  map[*Node]bool // reported already: their values are not used
}

// New returns an empty document for the file at a path. Nothing is read yet.
func New(path string) *Document {
	return &Document{Path: path, text: newText(path, nil), bad: map[*Node]bool{}}
}

// Lines ranges over the lines of the text, counted from 1, without their ends.
func (d *Document) Lines() iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i := range d.text.starts {
			if !yield(i+1, d.text.line(i+1)) {
				return
			}
		}
	}
}

// At returns the place of length characters in a line. Line and column start at 1.
func (d *Document) At(line, column, length int) Span {
	return Span{d.Path, d.text, line, column, length}
}

// Line returns the text of a line, counted from 1, without its end. Past the last line it is empty.
func (d *Document) Line(n int) string { return d.text.line(n) }

// Parse reads data as one YAML document, expands its aliases and merge keys, and sets Root. It returns false, after it
// has reported a problem, if the file cannot be checked any further.
func (d *Document) Parse(data []byte) bool {
	if !d.ReadText(data) || !d.checkNesting() {
		return false
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	document, err := decode(decoder)
	switch {
	case errors.Is(err, io.EOF), err == nil && (len(document.Content) == 0 || IsNull(document.Content[0])):
		d.ErrorAt(d.Start(), "empty-file", "there is nothing in the file", "start with `version: 1`")
		return false
	case err != nil:
		d.syntaxError(err)
		return false
	}
	second, err := decode(decoder)
	switch {
	case err == nil:
		d.ErrorAt(d.secondDocument(second), "second-document", "a second document starts here and would be ignored",
			"remove the line `---`, or move the document to a file of its own")
	case !errors.Is(err, io.EOF):
		d.syntaxError(err)
		return false
	}
	e := expander{d: d}
	root := e.expand(document.Content[0])
	if e.failed {
		return false
	}
	d.Root = root
	return true
}

// ReadText makes data the text of the document without parsing it. It returns false, after it has reported a problem,
// if the data is not UTF-8.
func (d *Document) ReadText(data []byte) bool {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d.text = newText(d.Path, data)
	return d.checkText(data)
}

// decode reads a document as nodes. The library may panic on what it did not expect.
func decode(d *yaml.Decoder) (n *Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: %v", r)
		}
	}()
	n = new(Node)
	return n, d.Decode(n)
}

func (d *Document) secondDocument(n *Node) Span {
	for line := n.Line; line > 0; line-- {
		if strings.HasPrefix(d.Line(line), "---") && line > 1 {
			return d.At(line, 1, 3)
		}
	}
	return d.At(max(1, n.Line), 1, 1)
}

// report adds one problem.
func (d *Document) report(severity Severity, at Span, code, message, hint string) {
	d.Problems = append(d.Problems, at.Problem(severity, code, message, hint))
}

// ErrorAt reports an error at a place.
func (d *Document) ErrorAt(at Span, code, message, hint string) {
	d.report(Error, at, code, message, hint)
}

// Fail reports an error at a node.
func (d *Document) Fail(n *Node, code, message, hint string) {
	d.ErrorAt(d.Of(n), code, message, hint)
}

// FailWith reports an error, whose text ends in what to write, at a node. That end becomes the hint.
func (d *Document) FailWith(n *Node, code string, err error) {
	message, hint := SplitHint(err)
	d.Fail(n, code, message, hint)
}

// SplitHint splits the text of an error into what is wrong and what to write instead.
func SplitHint(err error) (message, hint string) {
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

// Warn reports a warning at a place.
func (d *Document) Warn(at Span, code, message, hint string) {
	d.report(Warning, at, code, message, hint)
}

// Note reports what is worth knowing, and need not be a mistake, at a place.
func (d *Document) Note(at Span, code, message, hint string) {
	d.report(Info, at, code, message, hint)
}

// Start returns the beginning of the file, where missing keys are reported.
func (d *Document) Start() Span { return d.At(1, 1, 1) }
