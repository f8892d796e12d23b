package rules

import (
	"cmp"
	"slices"
	"sync/atomic"

	"callrouter/rules/internal/condition"
)

// Of many rules few can hold for a call. A rule that asks for `payload == "a"` is only looked at when the payload is
// "a"; one that asks for the night is not looked at by day. Order is kept: the lowest rule that holds wins, and what is
// looked at is looked at as a whole. A rule with several parts that can be looked up is found by the one that fewest rules
// share; one with an `or` of such parts by each of them. A rule is only ever left out because of a part that is false and that stands
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
	f.rememberLists()
}

func (f *File) indexOf(number int) *numberIndex {
	if number < 0 {
		return &f.indexes[len(f.indexes)-1]
	}
	return &f.indexes[number]
}

func (p *numberIndex) fill(f *File, number int, name string) {
	p.values, p.listAt = make([]valueIndex, len(guarded)), map[string]int{}
	shared := sharing{}
	for i := range f.rules {
		if f.rules[i].answersFor(number) {
			shared.count(f.rules[i].when.SafeParts())
		}
	}
	rest := map[*condition.Atom][]int32{} // by the atom they share first
	for i := range f.rules {
		r := &f.rules[i]
		if !r.answersFor(number) {
			continue
		}
		p.all = append(p.all, int32(i))
		parts := r.when.SafeParts()
		if p.excluded(parts, name) || p.enter(parts, int32(i), shared) {
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

// enter puts a rule where the part that fewest rules share says, if it has one that can be looked up.
func (p *numberIndex) enter(parts []*condition.Condition, rule int32, shared sharing) bool {
	guards, _ := shared.best(parts)
	for _, g := range guards {
		if g.List == "" {
			p.values[valueOf(g)].add(g, rule)
			continue
		}
		i, ok := p.listAt[g.List]
		if !ok {
			i = len(p.lists)
			p.listAt[g.List] = i
			p.lists = append(p.lists, listIndex{name: g.List})
		}
		p.lists[i].add(rule)
	}
	return len(guards) > 0
}

func (v *valueIndex) add(g *condition.Guard, rule int32) {
	if g.Prefix {
		if v.prefixed == nil {
			v.prefixed = map[string][]int32{}
		}
		v.prefixed[g.Texts[0]] = appendNew(v.prefixed[g.Texts[0]], rule)
		addTo(&v.lengths, len(g.Texts[0]))
		return
	}
	if v.equal == nil {
		v.equal = map[string][]int32{}
	}
	for _, text := range g.Texts {
		v.equal[text] = appendNew(v.equal[text], rule)
	}
}

func (l *listIndex) add(rule int32) { l.rules = appendNew(l.rules, rule) }

// appendNew appends a rule, unless it is the last one: rules are entered in order, and some more than once.
func appendNew(rules []int32, rule int32) []int32 {
	if n := len(rules); n > 0 && rules[n-1] == rule {
		return rules
	}
	return append(rules, rule)
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
	f.enterLists(in, p, enter)
	for i, rules := range f.openGroups(in, p) {
		enter(p.groups[i].first, rules)
	}
	return all
}

// fewLists is how many lists are tried one after the other; the lists of a caller are looked up among more.
const fewLists = 8

// enterLists enters the rules of the lists that the caller is on.
func (f *File) enterLists(in *input, p *numberIndex, enter func(first *condition.Condition, rules []int32)) {
	if len(p.lists) <= fewLists {
		for _, l := range p.lists {
			if in.listed(l.name) {
				enter(nil, l.rules)
			}
		}
		return
	}
	var tried []int32
	try := func(list int32) {
		if i, ok := p.listAt[f.lists[list].Name]; ok && !slices.Contains(tried, list) {
			tried = append(tried, list)
			if in.listed(p.lists[i].name) {
				enter(nil, p.lists[i].rules)
			}
		}
	}
	for _, key := range [2]string{in.key, in.otherKey} {
		for _, list := range f.listsOf[key] {
			try(list)
		}
	}
	if in.runtime == nil || len(in.runtime.Entries) == 0 {
		return
	}
	for i := range f.lists {
		if in.enteredAtRuntime(f.lists[i].Name) {
			try(int32(i))
		}
	}
}

// rememberLists makes the table of the lists that a caller is on, where there are so many that it pays.
func (f *File) rememberLists() {
	if !slices.ContainsFunc(f.indexes, func(p numberIndex) bool { return len(p.lists) > fewLists }) {
		return
	}
	f.listsOf = map[string][]int32{}
	for i, l := range f.lists {
		for key := range l.entries {
			f.listsOf[key] = append(f.listsOf[key], int32(i))
		}
	}
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
