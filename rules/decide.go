package rules

import (
	"slices"
	"sync/atomic"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
)

// Decide says what is done with a call: the first rule, from index from on, that holds; else the default. When
// evaluating fails, it is on_error with [Decision.Err] saying which condition failed and why.
//
// If the Needs are not none, the Decision is void: fetch the facts and decide again with a new [Input] of the same
// instant. It does not allocate unless it fails or needs facts.
func (f *File) Decide(in Input, from int) (Decision, Needs) {
	s := f.borrow()
	defer f.giveBack(s)
	return f.decide(in.input, from, s)
}

// decide is Decide; the scratch has the rules that were looked at.
func (f *File) decide(in *input, from int, s *scratch) (Decision, Needs) {
	s.start(in, from)
	for c := lowest(s.cursors); c != nil; c = lowest(s.cursors) {
		i := int(c.rules[0])
		r := &f.rules[i]
		t := IsTrue
		if c.first != nil {
			t = f.holds(c.first, in, s)
		}
		if t == IsFalse {
			c.rules = nil // what all of its rules need is false
			continue
		}
		c.first, c.rules = nil, c.rules[1:]
		s.looked = append(s.looked, int32(i))
		if t == IsTrue {
			t = f.holds(r.when, in, s)
		}
		switch {
		case t == IsTrue:
			return r.decision, Needs{}
		case t == undecided && s.lacking:
			return Decision{}, f.needsFrom(i, in, s)
		case t == undecided:
			return f.OnError(s.failure(r)), Needs{}
		}
	}
	return f.fallback, Needs{}
}

// start gathers the rules, from index from on, that the call can meet.
func (s *scratch) start(in *input, from int) {
	s.cursors, s.looked = append(s.cursors[:0], in.cursors...), s.looked[:0]
	if from <= 0 {
		return
	}
	for i := range s.cursors {
		at, _ := slices.BinarySearch(s.cursors[i].rules, int32(from))
		s.cursors[i].rules = s.cursors[i].rules[at:]
	}
}

// needsFrom are the facts that this evaluation may need: what rule i and those behind it that this call can reach could
// ask for, what has been fetched already, and what was found out by running.
func (f *File) needsFrom(i int, in *input, s *scratch) Needs {
	var n Needs
	for ; i < len(f.rules); i++ {
		r := &f.rules[i]
		if !r.answersFor(in.number) {
			continue
		}
		r.when.Each(func(a *condition.Atom) { in.add(&n, &a.Needs) })
		if r.decision.Message != "" {
			in.add(&n, &f.message(r.decision.Message).needs)
		}
		if r.when == nil && r.decision.Action != Handoff {
			break
		}
	}
	for _, d := range []Decision{f.fallback, f.onError} {
		if d.Message != "" {
			in.add(&n, &f.message(d.Message).needs)
		}
	}
	in.addFetched(&n)
	if s.last != 0 && !slices.Contains(n.Calls, s.last) {
		n.Calls = append(n.Calls, s.last)
	}
	return n
}

func (in *input) addFetched(n *Needs) {
	for _, l := range sortedKeys(in.facts.Listed) {
		addTo(&n.Lists, l)
	}
	for _, q := range sortedKeys(in.facts.Queues) {
		addTo(&n.Queues, q)
	}
	for _, d := range sortedKeys(in.facts.Calls) {
		addTo(&n.Calls, d)
	}
}

func (in *input) add(to *Needs, n *condition.Needs) {
	addTo(&to.Queues, n.Queues...)
	if n.AnyQueue {
		addTo(&to.Queues, in.file.queueNames()...)
	}
	if in.key == "" {
		return
	}
	addTo(&to.Lists, n.Lists...)
	addTo(&to.Calls, n.Calls...)
	if n.AnyList {
		for _, l := range in.file.lists {
			if l.Store {
				addTo(&to.Lists, l.Name)
			}
		}
	}
}

func (f *File) minuteOf(now time.Time) *minute {
	if f.clocks == 0 || !hours.HasWholeMinutes(now) {
		return nil
	}
	number := now.Unix() / 60
	if m := f.minute.Load(); m != nil && m.number == number {
		return m
	}
	m := &minute{number: number, truths: make([]atomic.Uint32, f.clocks),
		groups: make([]atomic.Pointer[[][]int32], len(f.indexes))}
	f.minute.Store(m)
	return m
}
