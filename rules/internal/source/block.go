package source

import "slices"

// block reads a block scalar. How far its lines are indented depends on what is around it, and with an indentation
// indicator the lines themselves do not tell: the indentation that gives the value is the right one.
func (w *walker) block(want []rune) (marks []mark, ok bool) {
	folded := w.peek() == '>'
	chomp := rune(0)
	for w.more() && !isBreak(w.peek()) && !isBlank(w.peek()) {
		if r := w.peek(); r == '-' || r == '+' {
			chomp = r
		}
		w.i++
	}
	for w.more() && !isBreak(w.peek()) { // a comment
		w.i++
	}
	if w.more() {
		w.newline()
	}
	for indent := w.indentOfFirstLine(); indent >= 1; indent-- {
		b := blockWalker{walker: *w, indent: indent, folded: folded, chomp: chomp}
		b.value, b.marks = nil, nil
		b.read()
		if slices.Equal(b.value, want) {
			return b.marks, true
		}
	}
	return nil, false
}

// indentOfFirstLine counts the spaces before the first line that has more than
// spaces, or in the longest line before it.
func (w *walker) indentOfFirstLine() int {
	longest := 1
	for ahead := *w; ; ahead.newline() {
		spaces := 0
		for ahead.peek() == ' ' {
			ahead.i++
			spaces++
		}
		longest = max(longest, spaces)
		if !isBreak(ahead.peek()) {
			return longest
		}
	}
}

type blockWalker struct {
	walker
	indent int
	folded bool
	chomp  rune // '-', '+' or 0
}

// read goes through the lines. A line's break is held back until it is known
// what follows: another line, with which it may be folded, or the end.
func (b *blockWalker) read() {
	var held, empty []mark
	afterBlank := false
	breaks := func(ms []mark) {
		for _, m := range ms {
			b.emit('\n', m)
		}
	}
	inside, empty := b.toContent()
	for inside {
		blank := isBlank(b.peek())
		if b.folded && !afterBlank && !blank && len(held) > 0 {
			if len(empty) == 0 {
				b.emit(' ', held[0])
			}
		} else {
			breaks(held)
		}
		breaks(empty)
		afterBlank = blank
		for b.more() && !isBreak(b.peek()) {
			b.take(1, b.peek())
		}
		held = nil
		if b.more() {
			held = []mark{b.here()}
			b.newline()
		}
		inside, empty = b.toContent()
	}
	if b.chomp != '-' {
		breaks(held)
	}
	if b.chomp == '+' {
		breaks(empty)
	}
}

// toContent goes past empty lines and indentation to the next line of the
// block; inside is false where the block has ended.
func (b *blockWalker) toContent() (inside bool, empty []mark) {
	for {
		for b.column() <= b.indent && b.peek() == ' ' {
			b.i++
		}
		if !isBreak(b.peek()) {
			return b.more() && b.column() == b.indent+1, empty
		}
		empty = append(empty, b.here())
		b.newline()
	}
}
