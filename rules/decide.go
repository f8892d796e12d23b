package rules

import (
	"slices"
	"sync/atomic"
	"time"

	"callrouter/rules/hours"
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
		if n := len(s.looked); n > 0 && int(s.looked[n-1]) == i {
			c.rules = c.rules[1:] // it was entered under several parts
			continue
		}
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

func (f *File) minuteOf(now time.Time) *minute {
	if f.clocks == 0 || !hours.HasWholeMinutes(now) {
		return nil
	}
	number := now.Unix() / 60
	if m := f.minute.Load(); m != nil && m.number == number {
		return m
	}
	m := &minute{number: number, truths: make([]atomic.Uint32, f.clocks),
		groups: make([]atomic.Pointer[[][]int32], f.ruleSets)}
	f.minute.Store(m)
	return m
}
