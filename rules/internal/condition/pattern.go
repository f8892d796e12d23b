package condition

import (
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// inEveryMatch returns texts of which one stands in every value that a pattern matches, and where. There are none if
// the pattern says too little: one that ignores case, or begins with a choice of anything.
func inEveryMatch(pattern string) (How, []string) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return Whole, nil
	}
	re = re.Simplify()
	if re.Op != syntax.OpConcat {
		return Within, textsIn(re)
	}
	subs := re.Sub
	last := len(subs) - 1
	begins, ends := subs[0].Op == syntax.OpBeginText, subs[last].Op == syntax.OpEndText
	switch {
	case begins && ends && last == 2 && isPlain(subs[1]):
		return Whole, textsIn(subs[1])
	case begins && isPlain(subs[1]):
		return Beginning, textsIn(subs[1])
	case ends && isPlain(subs[last-1]):
		return Ending, textsIn(subs[last-1])
	}
	return Within, textsIn(re)
}

// isPlain reports whether a part of a pattern matches texts that are written in it, and nothing else.
func isPlain(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		// This character also matches bytes that are no character.
		return re.Flags&syntax.FoldCase == 0 && !slices.Contains(re.Rune, utf8.RuneError)
	case syntax.OpCapture:
		return isPlain(re.Sub[0])
	case syntax.OpAlternate:
		for _, arm := range re.Sub {
			if !isPlain(arm) {
				return false
			}
		}
		return true
	}
	return false
}

// textsIn returns texts of which one stands in whatever a part of a pattern matches. Of the parts of a sequence it
// takes the one whose shortest text is the longest.
func textsIn(re *syntax.Regexp) []string {
	var texts []string
	switch re.Op {
	case syntax.OpLiteral:
		if isPlain(re) {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return textsIn(re.Sub[0])
	case syntax.OpAlternate:
		for _, arm := range re.Sub {
			of := textsIn(arm)
			if len(of) == 0 {
				return nil
			}
			texts = append(texts, of...)
		}
	case syntax.OpConcat:
		for _, part := range re.Sub {
			if of := textsIn(part); shortest(of) > shortest(texts) {
				texts = of
			}
		}
	}
	return texts
}

// shortest is the length of the shortest text, 0 if there is none.
func shortest(texts []string) int {
	n := 0
	for i, text := range texts {
		if i == 0 || len(text) < n {
			n = len(text)
		}
	}
	return n
}
