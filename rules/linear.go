package rules

import (
	"fmt"
	"slices"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

// manyLinear is how many rules that every call has to look at make a file worth a note: to look at as many takes some
// thirty times as long as all the rest of a decision. maxNoted is how many of them are shown.
const (
	manyLinear = 200
	maxNoted   = 5
)

// noteLinear notes the first of very many rules that the index cannot leave out for any call.
func (l *loader) noteLinear() {
	linear, most := make([]bool, len(l.rules)), 0
	for number := range l.f.numbers {
		if all := l.f.linear(number); len(all) >= manyLinear {
			most = max(most, len(all))
			for _, rule := range all {
				linear[rule] = true
			}
		}
	}
	noted := 0
	for i, s := range l.rules {
		if linear[i] && noted < maxNoted {
			noted++
			l.noteLinearRule(s, most-1)
		}
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
