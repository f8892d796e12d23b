package rules

import (
	"fmt"
	"slices"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// manyLinear is how many rules that every call has to look at make a file worth a note: to look at as many takes some
// twenty-five times as long as all the rest of a decision. maxNoted is how many of them are shown.
const (
	manyLinear = 200
	maxNoted   = 5
)

// noteLinear notes the first of very many rules that the index cannot leave out for any call, or for any with one
// value.
func (l *loader) noteLinear() {
	linear, most := make([]bool, len(l.rules)), 0
	crowds := map[int32]crowd{}
	for number := range l.f.numbers {
		l.f.findCrowds(number, crowds)
		if all := l.f.linear(number); len(all) >= manyLinear {
			most = max(most, len(all))
			for _, rule := range all {
				linear[rule] = true
			}
		}
	}
	noted := 0
	for i, s := range l.rules {
		c, crowded := crowds[int32(i)]
		switch {
		case noted == maxNoted:
			return
		case linear[i]:
			l.noteLinearRule(s, most-1)
		case crowded:
			l.noteCrowded(s, c)
		default:
			continue
		}
		noted++
	}
}

// linear returns the rules that every call to a number looks at. A rule that asks for nothing but the clock is none of
// them: it decides whenever it is looked at.
func (f *File) linear(number int) []int32 {
	var all []int32
	for _, g := range f.indexes[number].fixed.groups {
		for _, rule := range g.rules {
			if len(f.clockParts[rule]) < len(condition.Conjuncts(f.rules[rule].when)) {
				all = append(all, rule)
			}
		}
	}
	return all
}

func (l *loader) noteLinearRule(s *ruleSource, others int) {
	part, why, hint := whyLinear(s.rule.when)
	from, to := part.Extent()
	l.Note(l.Within(s.when, from, to), "linear-condition",
		fmt.Sprintf("every call looks at rule %s and at %d others: %s", source.Quoted(s.rule.name), others, why), hint)
}

// crowd is very many rules that are found by one text of one value.
type crowd struct {
	by    sharedPart
	rules int
}

// findCrowds adds the crowds among the rules of a number, by rule.
func (f *File) findCrowds(number int, crowds map[int32]crowd) {
	add := func(by sharedPart, rules []int32) {
		if len(rules) < manyLinear {
			return
		}
		for _, rule := range rules {
			known := crowds[rule]
			larger := len(rules) > known.rules || len(rules) == known.rules && by.text < known.by.text
			if larger && len(condition.Conjuncts(f.rules[rule].when)) > 1 {
				crowds[rule] = crowd{by, len(rules)}
			}
		}
	}
	for _, set := range []*ruleSet{&f.indexes[number].fixed, &f.indexes[number].known} {
		for i := range set.values {
			v := &set.values[i]
			for how, byText := range []map[string][]int32{
				condition.Whole: v.equal, condition.Beginning: v.beginning.rules,
				condition.Ending: v.ending.rules, condition.Within: v.within.rules,
			} {
				for text, rules := range byText {
					add(sharedPart{v.value, condition.How(how), text}, rules)
				}
			}
		}
		for _, list := range set.lists {
			add(sharedPart{text: list.name}, list.rules)
		}
	}
}

func (l *loader) noteCrowded(s *ruleSource, c crowd) {
	part := partWith(s.rule.when, c.by)
	l.Note(l.Within(s.when, part.From, part.To), "linear-condition",
		fmt.Sprintf("every call for which this is true looks at rule %s and at %d others: nothing rarer in the "+
			"condition can be looked up", source.Quoted(s.rule.name), c.rules-1),
		"join to it, with `and`, a part that fewer calls meet, such as payload == \"sales\" or listed(\"vip\")")
}

// partWith returns the part of a condition by which a rule is found.
func partWith(c *condition.Condition, by sharedPart) *condition.Condition {
	if c.Op == condition.Leaf {
		if c.Atom.Guard != nil && slices.Contains(keysOf(c.Atom.Guard), by) {
			return c
		}
		return nil
	}
	for _, part := range c.Parts {
		if found := partWith(part, by); found != nil {
			return found
		}
	}
	return nil
}

// whyLinear says why the index does not find a rule by its condition, and what would make it so.
func whyLinear(c *condition.Condition) (at *condition.Condition, why, hint string) {
	s := sharing{}
	found := func(c *condition.Condition) bool {
		guards, _ := s.guards(c)
		return len(guards) > 0
	}
	parts, sure := condition.Conjuncts(c), c.SureParts()
	if len(sure) < len(parts) {
		for _, behind := range parts[len(sure)+1:] {
			if found(behind) && behind.Op == condition.Leaf && len(behind.SureParts()) > 0 {
				return parts[len(sure)], "this part might fail, and so no part behind it can be looked up",
					fmt.Sprintf("write `%s and` before it", oneLine(behind.Atom.Text))
			}
		}
	}
	const few = `a part that few calls meet, such as payload == "sales" or listed("vip")`
	for _, part := range sure {
		if part.Op != condition.Or {
			continue
		}
		without := slices.IndexFunc(part.Parts, func(arm *condition.Condition) bool { return !found(arm) })
		if without >= 0 && slices.ContainsFunc(part.Parts, found) {
			return part.Parts[without], "this arm of the `or` has nothing that can be looked up",
				"make it a rule of its own, or join to it, with `and`, " + few
		}
	}
	return c, "nothing in this condition can be looked up", "join to it, with `and`, " + few
}
