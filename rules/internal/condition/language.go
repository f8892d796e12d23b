// Package condition compiles the conditions of rules, and the expressions in messages. A [Condition] is a tree of and,
// or and not over [Atom]s; each atom is a [Program] of the expression language, with what it reads and needs.
//
// Reading downwards: language.go is what a rules file uses; expression.go is one text, its tokens, its tree and its
// places; names.go and literals.go refuse what the type checker would accept; compile.go splits the tree into atoms;
// traits.go, reads.go, guard.go, pattern.go and reading.go find out what an atom asks for; words.go says the library's
// errors in an author's words; library.go is the only file that knows the library's inner packages.
package condition

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"callrouter/rules/internal/source"
)

// Language compiles the expressions of one file. Equal atoms are compiled once, and shared by all conditions that have
// them.
type Language struct {
	doc    *source.Document
	names  Names
	now    time.Time // in the file's time zone: dates before it are past
	config *config

	atoms map[string]*Atom
	Atoms []*Atom // in the order in which they were compiled
	uses  map[*Atom]int
	reads map[string]*Read

	Clocks    int                      // how many atoms read nothing but the clock
	Memos     int                      // how many others several rules share; set by Finish
	Durations map[string]time.Duration // literals of calls(), parsed
}

// Names are what a file defines and its conditions refer to.
type Names interface {
	// Known lists the names of a kind, in the order of the file.
	Known(Kind) []string
	// Use notes that a condition refers to a name, and reports whether the name is known.
	Use(k Kind, name string) bool
	// InStore reports whether a list is kept in the store, so that it has to be fetched.
	InStore(list string) bool
	// NumberOf returns the name of the business number with a phone number in normal form.
	NumberOf(phone string) (name string, ok bool)
}

// NewLanguage returns the language of one document. Mistakes are reported to doc. now is in the time zone of the file.
func NewLanguage(doc *source.Document, names Names, now time.Time) *Language {
	return &Language{
		doc: doc, names: names, now: now, config: newConfig(Environment{}, maxConditionNodes, allowedBuiltins),
		atoms: map[string]*Atom{}, uses: map[*Atom]int{}, reads: map[string]*Read{},
		Durations: map[string]time.Duration{},
	}
}

// Text is the text of an expression, and where in the file its characters stand.
type Text struct {
	Text      string
	Place     func(from, to int) source.Span // of the characters from from to to
	Commented bool                           // YAML drops the rest of its line as a comment
}

// Condition compiles a condition. canonical is the same for conditions that differ only in how they are written.
// Mistakes are reported to the document: the condition is nil then.
func (l *Language) Condition(t Text) (c *Condition, canonical string) {
	x := &expression{Language: l, Text: t, what: theCondition}
	if !x.read() {
		return nil, ""
	}
	x.inspect(x.root, context{})
	c = x.split(x.root, 0, len(x.tokens))
	if x.failed {
		return nil, x.root.String()
	}
	return c, x.root.String()
}

// Placeholder compiles the expression in a ${} of a message, and returns what it needs. Mistakes are reported to the
// document: the program is nil then.
func (l *Language) Placeholder(text Text) (*Program, Needs) {
	x := &expression{Language: l, Text: text, what: "the placeholder"}
	if !x.read() {
		return nil, Needs{}
	}
	x.inspect(x.root, context{})
	if x.failed {
		return nil, Needs{}
	}
	first, last := x.tokens[0].From, x.tokens[len(x.tokens)-1].To
	program, t, err := compileText(x.Text.Text, x.config, reflect.Invalid)
	switch {
	case err != nil:
		x.typeError(x.root, 0, last, err)
		return nil, Needs{}
	case t == nil || t.Kind() != reflect.String && t.Kind() != reflect.Int || t.PkgPath() != "":
		x.fail(first, last, "message-type", unsupported(t), "turn it into one with string(...) or int(...)")
		return nil, Needs{}
	}
	return program, x.traitsOf(x.root).needs
}

// Finish numbers the atoms that several rules share, so that an evaluation can remember their truths. Call it after the
// last condition was compiled.
func (l *Language) Finish() {
	for _, a := range l.Atoms {
		if l.uses[a] > 1 && a.Clock < 0 {
			a.Memo = l.Memos
			l.Memos++
		}
	}
}

const theCondition = "the condition"

func unsupported(t reflect.Type) string {
	return fmt.Sprintf("a message holds texts and whole numbers, and this is %s", typeWord(t.String()))
}

// EndsInQuote reports whether the text of an expression ends inside a quoted text.
func EndsInQuote(text string) bool {
	_, err := lex(text)
	return err != nil && strings.Contains(err.Error(), "not terminated")
}
