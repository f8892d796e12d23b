package rules

import (
	"errors"
	"fmt"
	"time"

	"callrouter/rules/internal/condition"
)

// Truth is what a condition or one of its parts comes to.
type Truth uint8

const (
	unset Truth = iota
	IsFalse
	IsTrue
	undecided // an error, or a fact that has to be fetched first: scratch says which
)

// scratch is what one evaluation works with.
type scratch struct {
	vm      condition.Machine
	memo    []Truth
	err     error
	at      *condition.Atom // the one that err is of
	lacking bool
	cursors []cursor
	looked  []int32       // rules whose condition was walked, in order
	last    time.Duration // the duration that calls lacked, if it was made up at run time
}

func (f *File) borrow() *scratch {
	s := f.scratch.Get().(*scratch)
	clear(s.memo)
	return s
}

func (f *File) giveBack(s *scratch) {
	s.err, s.at, s.lacking, s.last = nil, nil, false, 0
	f.scratch.Put(s)
}

// holds walks a condition, from left to right and no further than needed. A missing condition holds.
func (f *File) holds(c *condition.Condition, in *input, s *scratch) Truth {
	if c == nil {
		return IsTrue
	}
	switch c.Op {
	case condition.And:
		for _, p := range c.Parts {
			if t := f.holds(p, in, s); t != IsTrue {
				return t
			}
		}
		return IsTrue
	case condition.Or:
		for _, p := range c.Parts {
			if t := f.holds(p, in, s); t != IsFalse {
				return t
			}
		}
		return IsFalse
	case condition.Not:
		switch t := f.holds(c.Parts[0], in, s); t {
		case IsTrue:
			return IsFalse
		case IsFalse:
			return IsTrue
		default:
			return t
		}
	default:
		return f.look(c.Atom, in, s)
	}
}

// look is the truth of an atom: known for this minute, or for this evaluation, or found by running it.
func (f *File) look(a *condition.Atom, in *input, s *scratch) Truth {
	if a.Clock >= 0 && in.minute != nil && !in.switched(a) {
		known := &in.minute.truths[a.Clock]
		if t := Truth(known.Load()); t != unset {
			return t
		}
		t := f.run(a, in, s)
		if t != undecided {
			known.Store(uint32(t))
		}
		return t
	}
	if a.Memo < 0 {
		return f.run(a, in, s)
	}
	if s.memo[a.Memo] == unset {
		s.memo[a.Memo] = f.run(a, in, s)
	}
	return s.memo[a.Memo]
}

func (f *File) run(a *condition.Atom, in *input, s *scratch) Truth {
	if !a.Needs.None() && in.lacksAny(&a.Needs) {
		if in.facts.Err != nil {
			return s.fail(a, &factError{a.Needs.Text, in.facts.Err})
		}
		s.lacking = true
		return undecided
	}
	out, err := s.vm.Run(a.Program, in.env)
	if err != nil {
		return s.fail(a, err)
	}
	if is, _ := out.(bool); is {
		return IsTrue
	}
	return IsFalse
}

// switched reports whether one of the hours that the atom reads is opened or closed by hand.
func (in *input) switched(a *condition.Atom) bool {
	if in.switches == nil {
		return false
	}
	for _, i := range a.Hours {
		if in.switches[i].Active(in.now) {
			return true
		}
	}
	return false
}

// lacksAny reports whether one of the facts has not been fetched.
func (in *input) lacksAny(n *condition.Needs) bool {
	if in.key != "" {
		for _, l := range n.Lists {
			if _, ok := in.facts.Listed[l]; !ok {
				return true
			}
		}
		for _, d := range n.Calls {
			if _, ok := in.facts.Calls[d]; !ok {
				return true
			}
		}
		if n.AnyList {
			for _, l := range in.file.lists {
				if _, ok := in.facts.Listed[l.Name]; l.Store && !ok {
					return true
				}
			}
		}
	}
	for _, q := range n.Queues {
		if _, ok := in.facts.Queues[q]; !ok {
			return true
		}
	}
	if n.AnyQueue {
		for i := range in.file.queues {
			if _, ok := in.facts.Queues[in.file.queues[i].Name]; !ok {
				return true
			}
		}
	}
	return false
}

// fail notes why an atom has no truth.
func (s *scratch) fail(a *condition.Atom, err error) Truth {
	if needed := (*lackingCalls)(nil); errors.As(err, &needed) {
		s.lacking, s.last = true, needed.last
		return undecided
	}
	s.at, s.err = a, err
	return undecided
}

// failure is the error of the decision: which rule, which condition, why.
func (s *scratch) failure(r *rule) error {
	return fmt.Errorf("rule %q: %w", r.name, readable(s.at.Text, s.err))
}
