package rules

import (
	"slices"

	"callrouter/rules/internal/condition"
)

// cursor is a list of rules that have still to be looked at.
type cursor struct {
	first *condition.Condition
	rules []int32
}

// cursors are the rules that a call can meet.
func (f *File) cursors(in *input) []cursor {
	p := f.indexOf(in.number)
	known := p.knownFrom(in)
	l := lookup{f: f, in: in, to: len(f.rules), all: make([]cursor, 0, 8)}
	l.enterAll(&p.fixed)
	l.from = known
	l.enterAll(&p.known)
	l.from, l.to = 0, known
	l.enterAll(&p.unknown)
	return l.all
}

// knownFrom returns the rule from which on all facts are known that stand before the parts by which rules are found.
func (p *numberIndex) knownFrom(in *input) int {
	t, from := &in.file.facts, int32(0)
	for q, last := range p.asked.queues {
		if _, ok := in.facts.Queues[t.queues[q]]; !ok {
			from = max(from, last)
		}
	}
	if in.key == "" {
		return int(from) // nothing is asked about such a caller: neither lists nor calls
	}
	for l, last := range p.asked.lists {
		if _, ok := in.facts.Listed[t.lists[l]]; !ok {
			from = max(from, last)
		}
	}
	for d, last := range p.asked.calls {
		if _, ok := in.facts.Calls[t.calls[d]]; !ok {
			from = max(from, last)
		}
	}
	return int(from)
}

// lookup gathers the rules that a call can meet, of those from one to before another.
type lookup struct {
	f        *File
	in       *input
	from, to int
	all      []cursor
}

func (l *lookup) enter(first *condition.Condition, rules []int32) {
	if l.from > 0 {
		at, _ := slices.BinarySearch(rules, int32(l.from))
		rules = rules[at:]
	}
	if l.to < len(l.f.rules) {
		at, _ := slices.BinarySearch(rules, int32(l.to))
		rules = rules[:at]
	}
	if len(rules) > 0 {
		l.all = append(l.all, cursor{first, rules})
	}
}

func (l *lookup) enterAll(s *ruleSet) {
	for i := range s.values {
		l.enterValue(&s.values[i])
	}
	l.enterLists(s)
	l.enterGroups(s)
}

func (l *lookup) enterValue(v *valueIndex) {
	value := v.value.Of(v.of(&l.in.call))
	l.enter(nil, v.equal[value])
	for _, n := range v.beginning.lengths {
		if n <= len(value) {
			l.enter(nil, v.beginning.rules[value[:n]])
		}
	}
	for _, n := range v.ending.lengths {
		if n <= len(value) {
			l.enter(nil, v.ending.rules[value[len(value)-n:]])
		}
	}
	for at := 0; at < len(value) && v.within.rules != nil; at++ {
		if !v.within.first[value[at]] {
			continue
		}
		for _, n := range v.within.lengths {
			if n > len(value)-at {
				break
			}
			l.enter(nil, v.within.rules[value[at:at+n]])
		}
	}
}

// fewLists is how many lists are tried one after the other; the lists of a caller are looked up among more.
const fewLists = 8

// enterLists enters the rules of the lists that the caller is on.
func (l *lookup) enterLists(s *ruleSet) {
	in := l.in
	if len(s.lists) <= fewLists {
		for _, list := range s.lists {
			if in.listed(list.name) {
				l.enter(nil, list.rules)
			}
		}
		return
	}
	var tried []int32
	try := func(list int32) {
		if i, ok := s.listAt[l.f.lists[list].Name]; ok && !slices.Contains(tried, list) {
			tried = append(tried, list)
			if in.listed(s.lists[i].name) {
				l.enter(nil, s.lists[i].rules)
			}
		}
	}
	for _, key := range [2]string{in.key, in.otherKey} {
		for _, list := range l.f.listsOf[key] {
			try(list)
		}
	}
	if in.runtime == nil || len(in.runtime.Entries) == 0 {
		return
	}
	for i := range l.f.lists {
		if in.enteredAtRuntime(l.f.lists[i].Name) {
			try(int32(i))
		}
	}
}

// rememberLists makes the table of the lists that a caller is on, where there are so many that it pays.
func (f *File) rememberLists() {
	many := func(s *ruleSet) bool { return len(s.lists) > fewLists }
	if !slices.ContainsFunc(f.indexes,
		func(p numberIndex) bool { return many(&p.fixed) || many(&p.unknown) || many(&p.known) }) {
		return
	}
	f.listsOf = map[string][]int32{}
	for i, l := range f.lists {
		for key := range l.entries {
			f.listsOf[key] = append(f.listsOf[key], int32(i))
		}
	}
}

func (l *lookup) enterGroups(s *ruleSet) {
	if len(s.groups) == 0 {
		return
	}
	switch in := l.in; {
	case l.f.clocks == 0:
		for _, g := range s.groups {
			l.enter(g.first, g.rules)
		}
	case in.minute == nil || in.anySwitched():
		// It is not the minute alone that says which hours are open. The part that the rules of a group share stands
		// behind their parts of the clock, and may not be asked before them.
		for _, g := range s.groups {
			l.enter(nil, g.rules)
		}
	default:
		for i, rules := range l.f.openGroups(in, s) {
			l.enter(s.groups[i].first, rules)
		}
	}
}

// openGroups are the rules of each group whose parts of the clock hold in this minute. They are found once a minute.
func (f *File) openGroups(in *input, s *ruleSet) [][]int32 {
	known := &in.minute.groups[s.number]
	if found := known.Load(); found != nil {
		return *found
	}
	scratch := f.borrow()
	defer f.giveBack(scratch)
	open := make([][]int32, len(s.groups))
	for i, g := range s.groups {
		for _, rule := range g.rules {
			if !slices.ContainsFunc(f.clockParts[rule],
				func(c *condition.Condition) bool { return f.holds(c, in, scratch) == IsFalse }) {
				open[i] = append(open[i], rule)
			}
		}
	}
	known.Store(&open)
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
