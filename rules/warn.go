package rules

import (
	"fmt"
	"slices"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// warnings reports what is not wrong but probably not meant. Only files without errors get warnings.
func (l *loader) warnings() {
	l.checkTimeForAll()
	l.warnOfUnused()
	l.warnOfNeverOpen()
	l.warnOfSameConditions()
	l.warnOfAllowLists()
	l.noteLinear()
}

func (l *loader) warnOfUnused() {
	for _, section := range []struct {
		name string
		kind condition.Kind
	}{
		{"hours", condition.Hours}, {"calendars", condition.Calendar}, {"lists", condition.List},
		{"agents", condition.Agent}, {"queues", condition.Queue},
		{"answers", condition.Answer}, {"messages", condition.Message},
	} {
		for name := range source.Pairs(l.Child(l.Root, section.name)) {
			if !l.used[section.kind][name.Value] {
				l.Warn(l.Of(name), "unused",
					fmt.Sprintf("the %s %s is never used", section.kind, source.Quoted(name.Value)),
					"use it, or remove it")
			}
		}
	}
}

func (l *loader) warnOfNeverOpen() {
	section := l.Child(l.Root, "hours")
	for _, h := range l.f.hours {
		if h.NeverOpens(l.now) {
			l.Warn(l.Of(source.KeyOf(section, h.Name)), "never-open",
				fmt.Sprintf("the hours %s are never open", source.Quoted(h.Name)),
				"give them windows under `weekly` or `dates`")
		}
	}
}

func (l *loader) warnOfSameConditions() {
	for i, s := range l.rules {
		if s.when == nil {
			continue
		}
		same := slices.IndexFunc(l.rules[:i],
			func(o *ruleSource) bool { return o.canonical == s.canonical && o.when != nil && l.shareNumber(o, s) })
		if same < 0 {
			continue
		}
		o := l.rules[same]
		hint := "join them, or change one"
		if !l.terminal(o.rule.decision) {
			hint = "it is only used when the action of the first one fails"
		}
		l.Warn(l.Of(s.when), "same-condition",
			fmt.Sprintf("rule %s has the same condition as rule %s at line %d", source.Quoted(s.rule.name),
				source.Quoted(o.rule.name), o.when.Line), hint)
	}
}

func (l *loader) shareNumber(a, b *ruleSource) bool {
	for i := range l.f.numbers {
		if a.rule.answersFor(i) && b.rule.answersFor(i) {
			return true
		}
	}
	return false
}

// warnOfAllowLists warns of lists that decide who may call, and hold numbers only: a caller who hides the number cannot
// be on them.
func (l *loader) warnOfAllowLists() {
	section := l.Child(l.Root, "lists")
	for _, made := range l.f.lists {
		if made.Store || made.numbers == 0 || made.numbers < made.Size || !l.allows(made.Name) {
			continue
		}
		l.Warn(l.Of(source.KeyOf(section, made.Name)), "allow-list-of-numbers",
			fmt.Sprintf("only callers on %s get through, and it holds only numbers: callers who hide theirs are "+
				"always rejected", source.Quoted(made.Name)),
			"add them by id: {id: \"BR.134...\"}")
	}
}

// allows reports whether a list decides who gets through: who is not on it is rejected by a rule, or everything but
// being on it ends in a reject.
func (l *loader) allows(list string) bool {
	isListed := func(c *condition.Condition) bool {
		return c.Op == condition.Leaf && len(c.Atom.Reads) == 1 && c.Atom.Reads[0].Text == c.Atom.Text &&
			l.asksFor(c.Atom.Text, list)
	}
	others := 0
	for _, s := range l.rules {
		parts := condition.Conjuncts(s.rule.when)
		listed := slices.ContainsFunc(parts, isListed)
		notListed := slices.ContainsFunc(parts,
			func(c *condition.Condition) bool { return c.Op == condition.Not && isListed(c.Parts[0]) })
		switch {
		case s.rule.decision.Action == Reject && notListed:
			return true
		case s.rule.decision.Action != Reject && !listed:
			others++
		}
	}
	return others == 0 && l.f.fallback.Action == Reject && l.used[condition.List][list] &&
		slices.ContainsFunc(l.rules, func(s *ruleSource) bool {
			return s.rule.decision.Action != Reject && slices.ContainsFunc(condition.Conjuncts(s.rule.when), isListed)
		})
}

func (l *loader) asksFor(text, list string) bool {
	return slices.Contains([]string{fmt.Sprintf("listed(%q)", list), fmt.Sprintf("listed('%s')", list)}, text)
}
