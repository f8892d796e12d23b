package rules

import (
	"slices"
	"time"

	"callrouter/rules/internal/condition"
)

// A file may ask for the facts of a thousand queues in ten thousand rules. So what each rule can ask for is written
// down once, as numbers of names: finding out what a call may need then takes one step for each fact that a rule names.

// factTable numbers the facts that a file can ask for, and holds what each rule asks for.
type factTable struct {
	queues, lists []string // lists: those that are kept in the store
	calls         []time.Duration

	queueIDs, listIDs map[string]int32
	callIDs           map[time.Duration]int32

	asking []asking // rules that ask for something, in order
	always []int32  // rules without a condition whose action is no hand-off: nothing behind them is reached
	ends   asking   // what the messages of default and on_error ask for
}

// asking is what one rule asks for, itself or in its message.
type asking struct {
	rule                 int32
	queues, lists, calls []int32
	anyQueue, anyList    bool
}

func (f *File) tabulateFacts() {
	t := &f.facts
	t.queueIDs, t.listIDs, t.callIDs = map[string]int32{}, map[string]int32{}, map[time.Duration]int32{}
	for i, q := range f.queueNames() {
		t.queues = append(t.queues, q)
		t.queueIDs[q] = int32(i)
	}
	for _, l := range f.lists {
		if l.Store {
			t.listIDs[l.Name] = int32(len(t.lists))
			t.lists = append(t.lists, l.Name)
		}
	}
	for i := range f.rules {
		r := &f.rules[i]
		a := asking{rule: int32(i)}
		r.when.Each(func(atom *condition.Atom) { t.ask(&a, &atom.Needs) })
		if r.decision.Message != "" {
			t.ask(&a, &f.message(r.decision.Message).needs)
		}
		if a.some() {
			t.asking = append(t.asking, a)
		}
		if r.when == nil && r.decision.Action != Handoff {
			t.always = append(t.always, int32(i))
		}
	}
	for _, d := range []Decision{f.fallback, f.onError} {
		if d.Message != "" {
			t.ask(&t.ends, &f.message(d.Message).needs)
		}
	}
}

func (t *factTable) ask(a *asking, n *condition.Needs) {
	for _, q := range n.Queues {
		if !a.anyQueue { // or else it is among them already
			addTo(&a.queues, t.queueIDs[q])
		}
	}
	for _, l := range n.Lists {
		if !a.anyList {
			addTo(&a.lists, t.listIDs[l])
		}
	}
	for _, d := range n.Calls {
		id, ok := t.callIDs[d]
		if !ok {
			id = int32(len(t.calls))
			t.callIDs[d] = id
			t.calls = append(t.calls, d)
		}
		addTo(&a.calls, id)
	}
	a.anyQueue = a.anyQueue || n.AnyQueue
	a.anyList = a.anyList || n.AnyList
}

func (a *asking) some() bool {
	return len(a.queues) > 0 || len(a.lists) > 0 || len(a.calls) > 0 || a.anyQueue || a.anyList
}

// needsFrom are the facts that this evaluation may need: what rule i and those behind it that this call can reach could
// ask for, what has been fetched already, and what was found out by running.
func (f *File) needsFrom(i int, in *input, s *scratch) Needs {
	t := &f.facts
	g := gathering{in: in}
	last := len(f.rules)
	at, _ := slices.BinarySearch(t.always, int32(i))
	for _, end := range t.always[at:] {
		if f.rules[end].answersFor(in.number) {
			last = int(end)
			break
		}
	}
	at, _ = slices.BinarySearchFunc(t.asking, int32(i), func(a asking, rule int32) int { return int(a.rule - rule) })
	for k := at; k < len(t.asking) && int(t.asking[k].rule) <= last; k++ {
		if a := &t.asking[k]; f.rules[a.rule].answersFor(in.number) {
			g.add(a)
		}
	}
	g.add(&t.ends)
	return g.finish(s.last)
}

// gathering is what one evaluation may need, each fact once and in the order in which it is asked for.
type gathering struct {
	in                      *input
	queues, lists, calls    []bool // by number of the fact: it is among the needs
	needs                   Needs
	allQueuesIn, allListsIn bool
}

func (g *gathering) add(a *asking) {
	t := &g.in.file.facts
	for _, q := range a.queues {
		note(&g.queues, &g.needs.Queues, t.queues, q)
	}
	if a.anyQueue && !g.allQueuesIn {
		g.allQueuesIn = true
		for q := range t.queues {
			note(&g.queues, &g.needs.Queues, t.queues, int32(q))
		}
	}
	if g.in.key == "" {
		return // nothing is known of such a caller: neither lists nor calls
	}
	for _, l := range a.lists {
		note(&g.lists, &g.needs.Lists, t.lists, l)
	}
	for _, d := range a.calls {
		note(&g.calls, &g.needs.Calls, t.calls, d)
	}
	if a.anyList && !g.allListsIn {
		g.allListsIn = true
		for l := range t.lists {
			note(&g.lists, &g.needs.Lists, t.lists, int32(l))
		}
	}
}

// note adds a fact by its number, unless it is there.
func note[T any](noted *[]bool, to *[]T, known []T, fact int32) {
	if *noted == nil {
		*noted, *to = make([]bool, len(known)), append(make([]T, 0, len(known)), *to...)
	}
	if !(*noted)[fact] {
		(*noted)[fact] = true
		*to = append(*to, known[fact])
	}
}

// finish adds what has been fetched, and a duration that was made up at run time, if there is one.
func (g *gathering) finish(last time.Duration) Needs {
	t, facts := &g.in.file.facts, &g.in.facts
	noteNamed(&g.lists, &g.needs.Lists, t.lists, t.listIDs, sortedKeys(facts.Listed)...)
	noteNamed(&g.queues, &g.needs.Queues, t.queues, t.queueIDs, sortedKeys(facts.Queues)...)
	noteNamed(&g.calls, &g.needs.Calls, t.calls, t.callIDs, sortedKeys(facts.Calls)...)
	if last != 0 {
		noteNamed(&g.calls, &g.needs.Calls, t.calls, t.callIDs, last)
	}
	return g.needs
}

// noteNamed adds facts that the file may or may not name: a duration can be made up at run time.
func noteNamed[T comparable](noted *[]bool, to *[]T, known []T, ids map[T]int32, facts ...T) {
	for _, fact := range facts {
		if id, ok := ids[fact]; ok {
			note(noted, to, known, id)
		} else {
			addTo(to, fact)
		}
	}
}

// needsOf are the facts that one part asks for, with what has been fetched already and a duration that was made up at
// run time, if there is one.
func (in *input) needsOf(n *condition.Needs, last time.Duration) Needs {
	t, g := &in.file.facts, gathering{in: in}
	noteNamed(&g.queues, &g.needs.Queues, t.queues, t.queueIDs, n.Queues...)
	if in.key != "" {
		noteNamed(&g.lists, &g.needs.Lists, t.lists, t.listIDs, n.Lists...)
		noteNamed(&g.calls, &g.needs.Calls, t.calls, t.callIDs, n.Calls...)
	}
	g.add(&asking{anyQueue: n.AnyQueue, anyList: n.AnyList})
	return g.finish(last)
}
