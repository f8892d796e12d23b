package ruletest

import (
	"cmp"
	"slices"

	"callrouter/rules"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// Coverage is how much of rules files their tests look at: rules that decided, and both outcomes of every part of every
// condition.
type Coverage struct {
	Percent    float64      `json:"percent"` // of rules and outcomes together
	Rules      CoverageOf   `json:"rules"`
	Conditions CoverageOf   `json:"conditions"` // two for each part: true and false
	Missing    []NotCovered `json:"missing"`    // by file and place; never nil
}

// CoverageOf is how many of a kind were covered. Percent is 100 if there is none.
type CoverageOf struct {
	Covered int     `json:"covered"`
	Total   int     `json:"total"`
	Percent float64 `json:"percent"`
}

func (c *CoverageOf) add(covered bool) {
	c.Total++
	if covered {
		c.Covered++
	}
	c.Percent = percent(c.Covered, c.Total)
}

func percent(covered, total int) float64 {
	if total == 0 {
		return 100
	}
	return 100 * float64(covered) / float64(total)
}

// NotCovered is a rule or a part of a condition that the tests leave out. Line and Column start at 1; Column and Length
// count characters, as those of a [Problem] do.
type NotCovered struct {
	Kind   string `json:"kind"` // "rule" or "condition"
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Length int    `json:"length"`
	Rule   string `json:"rule"`
	Text   string `json:"text"`  // of the part of the condition, on one line; of a rule, its name
	Never  string `json:"never"` // what it never was: "decided"; "true", "false" or, if neither, "evaluated"
}

// coverage gathers what the tests of one rules file looked at.
type coverage struct {
	was     map[*condition.Condition]outcomes
	decided map[string]bool // by name of the rule
}

type outcomes struct{ isTrue, isFalse bool }

func newCoverage() *coverage {
	return &coverage{was: map[*condition.Condition]outcomes{}, decided: map[string]bool{}}
}

// look is the observer of one evaluation.
func (c *coverage) look(part *condition.Condition, t rules.Truth) {
	o := c.was[part]
	o.isTrue, o.isFalse = o.isTrue || t == rules.IsTrue, o.isFalse || t == rules.IsFalse
	c.was[part] = o
}

// note counts the rules that decided, be it that what they wanted could not be carried out.
func (c *coverage) note(s rules.Simulation) {
	for _, t := range s.Trace {
		if t.Result == rules.Decided || t.Result == rules.PassedOn {
			c.decided[t.Rule] = true
		}
	}
}

// addTo adds what was covered, and what was not, of a rules file.
func (c *coverage) addTo(all *Coverage, of *rules.Compiled) {
	for _, r := range of.Rules() {
		decided := c.decided[r.Name]
		all.Rules.add(decided)
		if !decided {
			all.miss("rule", r.At, r.Name, r.Name, "decided")
		}
		for _, part := range partsOf(r.When) {
			o := c.was[part]
			all.Conditions.add(o.isTrue)
			all.Conditions.add(o.isFalse)
			if never := o.never(); never != "" {
				all.miss("condition", r.Place(part), r.Name, inOneLine(part.Atom.Text), never)
			}
		}
	}
	all.Percent = percent(all.Rules.Covered+all.Conditions.Covered, all.Rules.Total+all.Conditions.Total)
}

// never is what a part of a condition never was; empty if it was both true and false.
func (o outcomes) never() string {
	switch {
	case o.isTrue && o.isFalse:
		return ""
	case o.isTrue:
		return "false"
	case o.isFalse:
		return "true"
	}
	return "evaluated"
}

func (c *Coverage) miss(kind string, at source.Span, rule, text, never string) {
	c.Missing = append(c.Missing, NotCovered{
		Kind: kind, File: at.File, Line: at.Line, Column: at.Column, Length: max(1, at.Length), Rule: rule, Text: text,
		Never: never,
	})
}

func (c *Coverage) sort() {
	slices.SortStableFunc(c.Missing, func(a, b NotCovered) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// partsOf are the parts of a condition that can be true and false, in the order in which they stand there. A literal
// can only ever be what it is.
func partsOf(c *condition.Condition) []*condition.Condition {
	switch {
	case c == nil:
		return nil
	case c.Op == condition.Leaf && (c.Atom.Text == "true" || c.Atom.Text == "false"):
		return nil
	case c.Op == condition.Leaf:
		return []*condition.Condition{c}
	}
	var all []*condition.Condition
	for _, p := range c.Parts {
		all = append(all, partsOf(p)...)
	}
	return all
}
