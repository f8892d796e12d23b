package rules

import (
	"time"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// Compiled is a rules file that was compiled and whose tests were not run, with where its rules stand: what packages
// that test or analyse rules files work on.
type Compiled struct {
	File *File // nil if the file has errors

	l *loader
}

// Compile makes a File of a document that was parsed from data. Mistakes are reported to the document; what has passed
// by now is warned of.
func Compile(doc *source.Document, data []byte, now time.Time) *Compiled {
	l := newLoader(doc, now)
	l.compile(data)
	if doc.Problems.HasErrors() {
		return &Compiled{l: l}
	}
	return &Compiled{File: l.f, l: l}
}

// Cases returns the tests of the rules file itself.
func (c *Compiled) Cases() []Case { return c.File.tests }

// ReadCases reads the tests of another document as if they stood in this file. Mistakes are reported to that document.
func (c *Compiled) ReadCases(doc *source.Document) []Case {
	l := newLoader(doc, c.l.now)
	l.f, l.known = c.File, c.l.known
	return l.readTests()
}

// CompiledRule is a rule with the places of its parts.
type CompiledRule struct {
	Name     string
	At       source.Span // of the name
	Line     int
	Decision Decision
	When     *condition.Condition // nil: none

	place func(from, to int) source.Span
}

// Place returns where a part of the condition stands.
func (r *CompiledRule) Place(part *condition.Condition) source.Span {
	return r.place(part.From, part.To)
}

// Rules returns the rules in file order.
func (c *Compiled) Rules() []CompiledRule {
	all := make([]CompiledRule, len(c.l.rules))
	for i, s := range c.l.rules {
		all[i] = CompiledRule{
			Name: s.rule.name, At: c.l.placeOf(s), Line: s.rule.line, Decision: s.rule.decision, When: s.rule.when,
			place: func(from, to int) source.Span { return c.l.Within(s.when, from, to) },
		}
	}
	return all
}
