package rules

import (
	"cmp"
	"slices"

	"callrouter/rules/internal/condition"
)

// Of many rules few can hold for a call. A rule that asks for `payload == "a"` is only looked at when the payload is
// "a"; one that asks for the night is not looked at by day. Order is kept: the lowest rule that holds wins, and what is
// looked at is looked at as a whole. A rule with several parts that can be looked up is found by the one that fewest
// rules share; one with an `or` of such parts by each of them.
//
// A rule is only ever left out because of a part that is false and that stands behind nothing that could fail or ask
// the store: so leaving it out changes neither the decision nor what is fetched. A part behind a fact counts once the
// fact is known: `free("sales") > 0 and payload == "a"` asks for the fact of every call, and is found by the payload
// after that. Explain looks at every rule, and tests compare the two.

// numberIndex is the index of the rules of one business number.
type numberIndex struct {
	all   []int32 // every rule
	fixed ruleSet // rules that are found in one way, whatever is known of the store
	// Rules that have a better part behind a fact: how they are found before the facts are known, and afterwards.
	unknown, known ruleSet
	asked          askedFacts // before those parts
}

// askedFacts are, by number of a fact, how many rules there are up to the last one that asks for it; 0 if none does.
type askedFacts struct{ queues, lists, calls []int32 }

// ruleSet is rules, in order, by the parts by which they are found.
type ruleSet struct {
	number int // among all of the file
	values []valueIndex
	lists  []listIndex
	listAt map[string]int // by name
	groups []group        // rules that no part leaves out
}

type valueIndex struct {
	value condition.Value
	of    func(*Call) string // the value as the call has it
	equal map[string][]int32

	beginning, ending, within texts
}

// texts are texts that a value may begin with, end with or contain. They are found by cutting a piece of every length
// out of the value: that takes no longer with ten thousand texts than with ten, and much less memory than an automaton.
type texts struct {
	rules   map[string][]int32
	lengths []int     // of the texts, each once, the shortest first
	first   [256]bool // the bytes that texts begin with
}

type listIndex struct {
	name  string
	rules []int32
}

// group is rules that share the first part which is not of the clock alone. If it is false, all of them are.
type group struct {
	first *condition.Condition // nil: they share none
	rules []int32
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
	p.asked = askedFacts{make([]int32, len(f.facts.queues)), make([]int32, len(f.facts.lists)),
		make([]int32, len(f.facts.calls))}
	shared := sharing{}
	for i := range f.rules {
		if f.rules[i].answersFor(number) {
			shared.count(f.rules[i].when.SureParts())
		}
	}
	fixed, unknown := rest{}, rest{}
	for i := range f.rules {
		r := &f.rules[i]
		if !r.answersFor(number) {
			continue
		}
		p.all = append(p.all, int32(i))
		safe, sure := r.when.SafeParts(), r.when.SureParts()
		if excluded(safe, name) {
			continue
		}
		found, others := &p.fixed, fixed
		now, later := shared.best(safe), shared.best(sure)
		switch {
		case excluded(sure, name):
			p.askBefore(&f.facts, sure, int32(i))
			found, others = &p.unknown, unknown
		case later.part >= len(safe) && (len(now.guards) == 0 || later.shared < now.shared):
			p.askBefore(&f.facts, sure[:later.part+1], int32(i))
			p.known.enter(later.guards, int32(i))
			found, others = &p.unknown, unknown
		}
		if len(now.guards) > 0 {
			found.enter(now.guards, int32(i))
		} else {
			others.add(f, int32(i))
		}
	}
	p.fixed.group(fixed)
	p.unknown.group(unknown)
	for _, set := range []*ruleSet{&p.fixed, &p.unknown, &p.known} {
		set.number = f.ruleSets
		f.ruleSets++
	}
}

// excluded reports whether one of the parts asks for another number.
func excluded(parts []*condition.Condition, number string) bool {
	return slices.ContainsFunc(parts, func(c *condition.Condition) bool {
		return c.Op == condition.Leaf && c.Atom.Guard != nil && c.Atom.Guard.Value.Name == "number" &&
			!c.Atom.Guard.Admits(number)
	})
}

// askBefore notes the facts that some parts of a rule ask for.
func (p *numberIndex) askBefore(t *factTable, parts []*condition.Condition, rule int32) {
	var a asking
	for _, part := range parts {
		part.Each(func(atom *condition.Atom) { t.ask(&a, &atom.Needs) })
	}
	for _, q := range a.queues {
		p.asked.queues[q] = rule + 1
	}
	for _, l := range a.lists {
		p.asked.lists[l] = rule + 1
	}
	for _, d := range a.calls {
		p.asked.calls[d] = rule + 1
	}
}

// enter enters a rule under its guards.
func (s *ruleSet) enter(guards []*condition.Guard, rule int32) {
	for _, g := range guards {
		if g.List != "" {
			s.listIndex(g.List).add(rule)
		} else {
			s.valueIndex(g.Value).add(g, rule)
		}
	}
}

func (s *ruleSet) listIndex(name string) *listIndex {
	i, ok := s.listAt[name]
	if !ok {
		i = len(s.lists)
		if s.listAt == nil {
			s.listAt = map[string]int{}
		}
		s.listAt[name] = i
		s.lists = append(s.lists, listIndex{name: name})
	}
	return &s.lists[i]
}

func (s *ruleSet) valueIndex(v condition.Value) *valueIndex {
	i := slices.IndexFunc(s.values, func(known valueIndex) bool { return known.value == v })
	if i < 0 {
		i = len(s.values)
		s.values = append(s.values, valueIndex{value: v, of: guarded[v.Name], equal: map[string][]int32{}})
	}
	return &s.values[i]
}

func (v *valueIndex) add(g *condition.Guard, rule int32) {
	for _, text := range g.Texts {
		switch g.How {
		case condition.Whole:
			v.equal[text] = appendNew(v.equal[text], rule)
		case condition.Beginning:
			v.beginning.add(text, rule)
		case condition.Ending:
			v.ending.add(text, rule)
		case condition.Within:
			v.within.add(text, rule)
		}
	}
}

func (t *texts) add(text string, rule int32) {
	if t.rules == nil {
		t.rules = map[string][]int32{}
	}
	t.rules[text] = appendNew(t.rules[text], rule)
	t.first[text[0]] = true
	if at, ok := slices.BinarySearch(t.lengths, len(text)); !ok {
		t.lengths = slices.Insert(t.lengths, at, len(text))
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

// rest are rules that no guard leaves out, by the first part that is not of the clock alone, if it is an atom. Other
// rules have it, too.
type rest map[*condition.Atom][]int32

func (r rest) add(f *File, rule int32) {
	when := f.rules[rule].when
	all, safe := condition.Conjuncts(when), when.SafeParts()
	var first *condition.Atom
	if len(safe) < len(all) && len(f.clockParts[rule]) == len(safe) && all[len(safe)].Op == condition.Leaf {
		first = all[len(safe)].Atom
	}
	r[first] = append(r[first], rule)
}

// group makes groups of the largest sets of rules that share a part, and one of all the others.
func (s *ruleSet) group(r rest) {
	others := r[nil]
	delete(r, nil)
	for a, rules := range r {
		s.groups = append(s.groups, group{&condition.Condition{Op: condition.Leaf, Atom: a}, rules})
	}
	slices.SortFunc(s.groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(b.rules), len(a.rules)), cmp.Compare(a.rules[0], b.rules[0]))
	})
	keep := 0
	for keep < min(len(s.groups), maxGroups) && len(s.groups[keep].rules) >= minGroup {
		keep++
	}
	for _, g := range s.groups[keep:] {
		others = append(others, g.rules...)
	}
	slices.Sort(others)
	s.groups = append(s.groups[:keep:keep], group{nil, others})
}
