package rules

import (
	"slices"
	"sync/atomic"
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

	lastAsked []atomic.Pointer[askedFrom] // by number; that of a number which the file does not know comes last
}

// asking is what one rule asks for, itself or in its message.
type asking struct {
	rule                 int32
	queues, lists, calls []int32
	anyQueue, anyList    bool
}

func (f *File) tabulateFacts() {
	t := &f.facts
	t.lastAsked = make([]atomic.Pointer[askedFrom], len(f.numbers)+1)
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
	for _, m := range f.messages {
		t.ask(&asking{}, &m.needs) // a message that no rule names can be rendered, too
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

// askedFrom is what the rules of one number ask for, from one rule on: each fact once, in the order in which they do.
type askedFrom struct {
	rule int
	asking
}

// askedFrom returns what rule i and those behind it, and the messages at the end, can ask for. Most calls come upon the
// same rule first, so the last one of each number is kept.
func (f *File) askedFrom(i, number int) *asking {
	t := &f.facts
	last := &t.lastAsked[len(f.numbers)]
	if number >= 0 {
		last = &t.lastAsked[number]
	}
	if known := last.Load(); known != nil && known.rule == i {
		return &known.asking
	}
	end := len(f.rules)
	at, _ := slices.BinarySearch(t.always, int32(i))
	for _, rule := range t.always[at:] {
		if f.rules[rule].answersFor(number) {
			end = int(rule)
			break
		}
	}
	g := gathering{t: t}
	at, _ = slices.BinarySearchFunc(t.asking, int32(i), func(a asking, rule int32) int { return int(a.rule - rule) })
	for ; at < len(t.asking) && int(t.asking[at].rule) <= end; at++ {
		if a := &t.asking[at]; f.rules[a.rule].answersFor(number) {
			g.add(a, true)
		}
	}
	g.add(&t.ends, true)
	found := &askedFrom{i, asking{queues: g.queues.found, lists: g.lists.found, calls: g.calls.found}}
	last.Store(found)
	return &found.asking
}

// needsFrom are the facts that this evaluation may need: what rule i and those behind it that this call can reach could
// ask for, what has been fetched already, and what was found out by running.
func (f *File) needsFrom(i int, in *input, s *scratch) Needs {
	g := gathering{t: &f.facts}
	g.add(f.askedFrom(i, in.number), in.key != "")
	return g.finish(&in.facts, s.last)
}

// gathering is facts by their numbers, each once and in the order in which they are asked for.
type gathering struct {
	t                       *factTable
	queues, lists, calls    numbers
	allQueuesIn, allListsIn bool
}

type numbers struct {
	found []int32
	has   []bool
}

// add adds what is asked for. Of a caller who is not known neither lists nor calls are.
func (g *gathering) add(a *asking, caller bool) {
	for _, q := range a.queues {
		g.queues.add(q, len(g.t.queues))
	}
	if a.anyQueue && !g.allQueuesIn {
		g.allQueuesIn = true
		for q := range g.t.queues {
			g.queues.add(int32(q), len(g.t.queues))
		}
	}
	if !caller {
		return
	}
	for _, l := range a.lists {
		g.lists.add(l, len(g.t.lists))
	}
	for _, d := range a.calls {
		g.calls.add(d, len(g.t.calls))
	}
	if a.anyList && !g.allListsIn {
		g.allListsIn = true
		for l := range g.t.lists {
			g.lists.add(int32(l), len(g.t.lists))
		}
	}
}

// add adds a number of so many, unless it is there.
func (n *numbers) add(fact int32, of int) {
	if n.has == nil {
		n.has, n.found = make([]bool, of), make([]int32, 0, of)
	}
	if !n.has[fact] {
		n.has[fact] = true
		n.found = append(n.found, fact)
	}
}

// finish adds what has been fetched, and a duration that was made up at run time, if there is one.
func (g *gathering) finish(facts *Facts, last time.Duration) Needs {
	t := g.t
	needs := Needs{
		Lists:  named(&g.lists, t.lists, t.listIDs, sortedKeys(facts.Listed)),
		Queues: named(&g.queues, t.queues, t.queueIDs, sortedKeys(facts.Queues)),
		Calls:  named(&g.calls, t.calls, t.callIDs, sortedKeys(facts.Calls)),
	}
	if last != 0 {
		addTo(&needs.Calls, last)
	}
	return needs
}

// named returns the facts by their names, and more of them that the file may or may not name: a duration can be made up
// at run time.
func named[T comparable](n *numbers, known []T, ids map[T]int32, more []T) []T {
	var all []T
	if len(n.found)+len(more) > 0 {
		all = make([]T, 0, len(n.found)+len(more))
	}
	for _, id := range n.found {
		all = append(all, known[id])
	}
	for _, fact := range more {
		if id, ok := ids[fact]; !ok || n.has == nil || !n.has[id] {
			all = append(all, fact)
		}
	}
	return all
}

// needsOf are the facts that one part asks for, with what has been fetched already and a duration that was made up at
// run time, if there is one.
func (in *input) needsOf(n *condition.Needs, last time.Duration) Needs {
	t := &in.file.facts
	a := asking{anyQueue: n.AnyQueue, anyList: n.AnyList}
	for _, q := range n.Queues {
		a.queues = append(a.queues, t.queueIDs[q])
	}
	for _, l := range n.Lists {
		a.lists = append(a.lists, t.listIDs[l])
	}
	for _, d := range n.Calls {
		a.calls = append(a.calls, t.callIDs[d])
	}
	g := gathering{t: t}
	g.add(&a, in.key != "")
	return g.finish(&in.facts, last)
}
