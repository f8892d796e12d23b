package rules

import (
	"cmp"
	"slices"
	"sync/atomic"

	"callrouter/rules/internal/condition"
)

// Of many rules few can hold for a call. A rule that asks for `payload == "a"` is only looked at when the payload is
// "a"; one that asks for the night is not looked at by day. Order is kept: the lowest rule that holds wins, and what is
// looked at is looked at as a whole. A rule is only ever left out because of a part that is false and that stands
// behind nothing that could fail or ask the store: so leaving it out changes neither the decision nor what is fetched.
// Explain looks at every rule, and tests compare the two.

// guarded are the values that can be looked up, and where a call has them.
var guarded = []guardedValue{
	{"caller.number", func(c *Call) string { return c.Caller.Number }},
	{"caller.country", func(c *Call) string { return c.Caller.Country }},
	{"caller.area", func(c *Call) string { return c.Caller.Area }},
	{"caller.id", func(c *Call) string { return c.Caller.ID }},
	{"caller.name", func(c *Call) string { return c.Caller.Name }},
	{"payload", func(c *Call) string { return c.Payload }},
}

type guardedValue struct {
	name string
	of   func(*Call) string
}

// maxGroups bounds what is tried one after the other for each call, and minGroup what is worth it.
const (
	maxGroups = 32
	minGroup  = 4
)

// index makes the indexes of all numbers, and of a number that the file does not know, which comes last.
func (f *File) index() {
	f.clockParts = make([][]*condition.Condition, len(f.rules))
	for i := range f.rules {
		for _, p := range f.rules[i].when.SafeParts() {
			if p.OfClock() {
				f.clockParts[i] = append(f.clockParts[i], p)
			}
		}
	}
	f.indexes = make([]numberIndex, len(f.numbers)+1)
	for number := range f.indexes {
		name := ""
		if number < len(f.numbers) {
			name = f.numbers[number].Name
		} else {
			number = -1
		}
		f.indexOf(number).fill(f, number, name)
	}
}

func (f *File) indexOf(number int) *numberIndex {
	if number < 0 {
		return &f.indexes[len(f.indexes)-1]
	}
	return &f.indexes[number]
}

func (p *numberIndex) fill(f *File, number int, name string) {
	p.values = make([]valueIndex, len(guarded))
	rest := map[*condition.Atom][]int32{} // by the atom they share first
	for i := range f.rules {
		r := &f.rules[i]
		if !r.answersFor(number) {
			continue
		}
		p.all = append(p.all, int32(i))
		parts := r.when.SafeParts()
		if p.excluded(parts, name) || p.enter(parts, int32(i)) {
			continue
		}
		var shared *condition.Atom
		if all := condition.Conjuncts(r.when); len(parts) < len(all) && len(f.clockParts[i]) == len(parts) &&
			all[len(parts)].Op == condition.Leaf {
			shared = all[len(parts)].Atom
		}
		rest[shared] = append(rest[shared], int32(i))
	}
	p.group(rest)
}

// excluded reports whether the rule asks for another number.
func (p *numberIndex) excluded(parts []*condition.Condition, number string) bool {
	return slices.ContainsFunc(parts, func(c *condition.Condition) bool {
		return c.Op == condition.Leaf && c.Atom.Guard != nil && c.Atom.Guard.Value == "number" &&
			!slices.Contains(c.Atom.Guard.Texts, number)
	})
}

// enter puts a rule where its best guard says, if it has one.
func (p *numberIndex) enter(parts []*condition.Condition, rule int32) bool {
	best, rank := (*condition.Guard)(nil), 0
	for _, c := range parts {
		if c.Op != condition.Leaf || c.Atom.Guard == nil || c.Atom.Guard.Value == "number" {
			continue
		}
		g := c.Atom.Guard
		r := 1 // a list
		if g.Prefix {
			r = 2
		} else if g.Value != "" {
			r = 3
		}
		if r > rank {
			best, rank = g, r
		}
	}
	if best == nil {
		return false
	}
	if best.List != "" {
		i := slices.IndexFunc(p.lists, func(l listIndex) bool { return l.name == best.List })
		if i < 0 {
			i = len(p.lists)
			p.lists = append(p.lists, listIndex{name: best.List})
		}
		p.lists[i].rules = append(p.lists[i].rules, rule)
		return true
	}
	i := slices.IndexFunc(guarded, func(g guardedValue) bool { return g.name == best.Value })
	if i < 0 {
		return false
	}
	p.values[i].add(best, rule)
	return true
}

func (v *valueIndex) add(g *condition.Guard, rule int32) {
	if g.Prefix {
		if v.prefixed == nil {
			v.prefixed = map[string][]int32{}
		}
		v.prefixed[g.Texts[0]] = append(v.prefixed[g.Texts[0]], rule)
		addTo(&v.lengths, len(g.Texts[0]))
		return
	}
	if v.equal == nil {
		v.equal = map[string][]int32{}
	}
	var texts []string
	addTo(&texts, g.Texts...)
	for _, text := range texts {
		v.equal[text] = append(v.equal[text], rule)
	}
}

// group makes groups of the largest sets of rules that share a part, and one of all the others.
func (p *numberIndex) group(rest map[*condition.Atom][]int32) {
	others := rest[nil]
	delete(rest, nil)
	for a, rules := range rest {
		p.groups = append(p.groups, group{&condition.Condition{Op: condition.Leaf, Atom: a}, rules})
	}
	slices.SortFunc(p.groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(b.rules), len(a.rules)), cmp.Compare(a.rules[0], b.rules[0]))
	})
	keep := 0
	for keep < min(len(p.groups), maxGroups) && len(p.groups[keep].rules) >= minGroup {
		keep++
	}
	for _, g := range p.groups[keep:] {
		others = append(others, g.rules...)
	}
	slices.Sort(others)
	p.groups = append(p.groups[:keep:keep], group{nil, others})
}

// cursors are the rules that a call can meet.
func (f *File) cursors(in *input) []cursor {
	p := f.indexOf(in.number)
	if in.minute == nil && f.clocks > 0 || in.anySwitched() {
		return []cursor{{rules: p.all}}
	}
	all := make([]cursor, 0, len(guarded)+len(p.lists)+len(p.groups))
	enter := func(first *condition.Condition, rules []int32) {
		if len(rules) > 0 {
			all = append(all, cursor{first, rules})
		}
	}
	for i := range p.values {
		v := &p.values[i]
		if v.equal == nil && v.prefixed == nil {
			continue
		}
		value := guarded[i].of(&in.call)
		enter(nil, v.equal[value])
		for _, n := range v.lengths {
			if n <= len(value) {
				enter(nil, v.prefixed[value[:n]])
			}
		}
	}
	for _, l := range p.lists {
		if in.listed(l.name) {
			enter(nil, l.rules)
		}
	}
	for i, rules := range f.openGroups(in, p) {
		enter(p.groups[i].first, rules)
	}
	return all
}

// openGroups are the rules of each group whose parts of the clock hold in this minute. They are found once a minute.
func (f *File) openGroups(in *input, p *numberIndex) [][]int32 {
	var known *atomic.Pointer[[][]int32]
	if in.minute != nil {
		number := in.number
		if number < 0 {
			number = len(f.indexes) - 1
		}
		known = &in.minute.groups[number]
		if found := known.Load(); found != nil {
			return *found
		}
	}
	s := f.borrow()
	defer f.giveBack(s)
	open := make([][]int32, len(p.groups))
	for i, g := range p.groups {
		for _, rule := range g.rules {
			if !slices.ContainsFunc(f.clockParts[rule],
				func(c *condition.Condition) bool { return f.holds(c, in, s) == IsFalse }) {
				open[i] = append(open[i], rule)
			}
		}
	}
	if known != nil {
		known.Store(&open)
	}
	return open
}

func (in *input) anySwitched() bool {
	return slices.ContainsFunc(in.switches, func(s *Switch) bool { return s.Active(in.now) })
}

// lowest is the cursor with the rule that comes first; nil when there is none left.
func lowest(all []cursor) *cursor {
	var first *cursor
	for i := range all {
		if c := &all[i]; len(c.rules) > 0 && (first == nil || c.rules[0] < first.rules[0]) {
			first = c
		}
	}
	return first
}
