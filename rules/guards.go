package rules

import "callrouter/rules/internal/condition"

// sharing counts how many rules ask for the same value: the fewer they are, the fewer a call with it has to look at.
type sharing map[sharedPart]int

type sharedPart struct {
	value condition.Value // none for a list
	how   condition.How
	text  string
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
		all[i] = sharedPart{g.Value, g.How, text}
	}
	return all
}

// choice is the guards to enter a rule under. One at least of them is true for every call for which the rule holds.
type choice struct {
	guards []*condition.Guard // none if there is nothing to choose from
	shared int                // how many rules share them
	part   int                // which of the parts they are of
}

// best returns the guards of the part, of those that must all be true, whose guards the fewest rules share.
func (s sharing) best(parts []*condition.Condition) choice {
	best := choice{part: -1}
	rank := 0
	for i, part := range parts {
		g, n := s.guards(part)
		if r := rankOf(g); len(g) > 0 && (best.guards == nil || n < best.shared || n == best.shared && r > rank) {
			best, rank = choice{g, n, i}, r
		}
	}
	return best
}

// guards returns the guards of one part: its own, or those of every arm of an `or`.
func (s sharing) guards(part *condition.Condition) (guards []*condition.Guard, shared int) {
	switch part.Op {
	case condition.Leaf:
		g := part.Atom.Guard
		if g == nil || g.List == "" && guarded[g.Value.Name] == nil {
			return nil, 0
		}
		for _, k := range keysOf(g) {
			shared += s[k]
		}
		return []*condition.Guard{g}, shared
	case condition.And:
		best := s.best(part.Parts)
		return best.guards, best.shared
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

// rankOf orders guards that equally many rules share: few calls have one value, more one beginning of it, and to find
// out what a value contains takes longest.
func rankOf(guards []*condition.Guard) int {
	rank := 5
	for _, g := range guards {
		switch {
		case g.List != "":
			rank = min(rank, 2)
		case g.How == condition.Within:
			rank = min(rank, 1)
		case g.How != condition.Whole:
			rank = min(rank, 3)
		case g.Value.Forms != "":
			rank = min(rank, 4)
		}
	}
	return rank
}

// guarded are the values that rules can be found by, and where a call has them. The number that was called is none of
// them: each has an index of its own.
var guarded = map[string]func(c *Call) string{
	"caller.number":  func(c *Call) string { return c.Caller.Number },
	"caller.country": func(c *Call) string { return c.Caller.Country },
	"caller.area":    func(c *Call) string { return c.Caller.Area },
	"caller.id":      func(c *Call) string { return c.Caller.ID },
	"caller.name":    func(c *Call) string { return c.Caller.Name },
	"payload":        func(c *Call) string { return c.Payload },
}
