package rules

import (
	"slices"

	"callrouter/rules/internal/condition"
)

// sharing counts how many rules ask for the same value: the fewer they are, the fewer a call with it has to look at.
type sharing map[sharedPart]int

type sharedPart struct {
	value, text string // value is "" for a list
	prefix      bool
}

// count counts the guards of one rule.
func (s sharing) count(parts []*condition.Condition) {
	for _, part := range parts {
		part.Each(func(a *condition.Atom) {
			if a.Guard != nil {
				for _, k := range keysOf(a.Guard) {
					s[k]++
				}
			}
		})
	}
}

func keysOf(g *condition.Guard) []sharedPart {
	if g.List != "" {
		return []sharedPart{{text: g.List}}
	}
	all := make([]sharedPart, len(g.Texts))
	for i, text := range g.Texts {
		all[i] = sharedPart{g.Value, text, g.Prefix}
	}
	return all
}

// best returns the guards to enter a rule under, all parts of which must be true: one at least of the guards is true for
// every call for which the parts are. None if there are none. shared is how many rules share them.
func (s sharing) best(parts []*condition.Condition) (guards []*condition.Guard, shared int) {
	rank := 0
	for _, part := range parts {
		g, n := s.guards(part)
		if r := rankOf(g); len(g) > 0 && (guards == nil || n < shared || n == shared && r > rank) {
			guards, shared, rank = g, n, r
		}
	}
	return guards, shared
}

// guards returns the guards of one part: its own, or those of every arm of an `or`.
func (s sharing) guards(part *condition.Condition) (guards []*condition.Guard, shared int) {
	switch part.Op {
	case condition.Leaf:
		g := part.Atom.Guard
		if g == nil || g.List == "" && valueOf(g) < 0 {
			return nil, 0
		}
		for _, k := range keysOf(g) {
			shared += s[k]
		}
		return []*condition.Guard{g}, shared
	case condition.And:
		return s.best(part.Parts)
	case condition.Or:
		for _, arm := range part.Parts {
			g, n := s.guards(arm)
			if len(g) == 0 {
				return nil, 0
			}
			guards, shared = append(guards, g...), shared+n
		}
	}
	return guards, shared
}

// rankOf orders guards that equally many rules share: few calls have one value, more one beginning of it.
func rankOf(guards []*condition.Guard) int {
	rank := 3
	for _, g := range guards {
		switch {
		case g.List != "":
			rank = min(rank, 1)
		case g.Prefix:
			rank = min(rank, 2)
		}
	}
	return rank
}

// valueOf is the place of a guard's value among those that can be looked up, -1 for the number that was called.
func valueOf(g *condition.Guard) int {
	return slices.IndexFunc(guarded, func(v guardedValue) bool { return v.name == g.Value })
}
