package rules

import (
	"time"

	"github.com/expr-lang/expr/vm"
)

// A condition is a tree of and, or and not over atoms. The tree is walked here and the atoms are run by the expression
// language, so every part of a condition has a truth of its own that can be told and counted, and parts that several rules
// share are run once. Walking the tree gives exactly what the language would give for the condition as a whole.
type condition struct {
	op    operator
	parts []*condition // of and, or (two or more) and not (one)
	atom  *atom

	from, to int // of an atom: where it stands in the condition's text, in characters
}

type operator uint8

const (
	isAtom operator = iota
	isAnd
	isOr
	isNot
)

// atom is a part of a condition that holds no and, or or not of its own outside of an operand.
type atom struct {
	text    string
	program *vm.Program
	needs   needs
	reads   []*read
	safe    bool   // it can neither fail nor ask the store
	guard   *guard // what few calls meet, if that is what it asks for

	clock int // index among the atoms that read nothing but the clock; -1: reads more
	memo  int // index among the atoms that several rules share; -1: one rule's own
	hours []int
}

// read is the largest piece of an atom that only reads: caller.country, open("office"), now.Hour().
type read struct {
	text    string
	program *vm.Program
	hours   string // those it asks for, if it is open("NAME")
}

// needs are the facts that an atom or a message may ask for. A name that is not a literal could be any name.
type needs struct {
	lists, queues     []string
	calls             []time.Duration
	anyList, anyQueue bool
	anyCalls          bool   // a duration that is made up at run time: found out by running
	text              string // of the first piece that asks for a fact
}

func (n *needs) none() bool {
	return len(n.lists) == 0 && len(n.queues) == 0 && len(n.calls) == 0 && !n.anyList && !n.anyQueue && !n.anyCalls
}

// truth is what a condition or one of its parts comes to.
type truth uint8

const (
	unset truth = iota
	isFalse
	isTrue
	undecided // an error, or a fact that has to be fetched first: scratch says which
)

// scratch is what one evaluation works with.
type scratch struct {
	vm      vm.VM
	memo    []truth
	err     error
	at      *atom // the one that err is of
	lacking bool
	cursors []cursor
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
func (f *File) holds(c *condition, in *input, s *scratch) truth {
	if c == nil {
		return isTrue
	}
	switch c.op {
	case isAnd:
		for _, p := range c.parts {
			if t := f.holds(p, in, s); t != isTrue {
				return t
			}
		}
		return isTrue
	case isOr:
		for _, p := range c.parts {
			if t := f.holds(p, in, s); t != isFalse {
				return t
			}
		}
		return isFalse
	case isNot:
		switch t := f.holds(c.parts[0], in, s); t {
		case isTrue:
			return isFalse
		case isFalse:
			return isTrue
		default:
			return t
		}
	default:
		return f.look(c.atom, in, s)
	}
}

// look is the truth of an atom: known for this minute, or for this evaluation, or found by running it.
func (f *File) look(a *atom, in *input, s *scratch) truth {
	if a.clock >= 0 && in.minute != nil && !in.switched(a) {
		known := &in.minute.truths[a.clock]
		if t := truth(known.Load()); t != unset {
			return t
		}
		t := f.run(a, in, s)
		if t != undecided {
			known.Store(uint32(t))
		}
		return t
	}
	if a.memo < 0 {
		return f.run(a, in, s)
	}
	if s.memo[a.memo] == unset {
		s.memo[a.memo] = f.run(a, in, s)
	}
	return s.memo[a.memo]
}

func (f *File) run(a *atom, in *input, s *scratch) truth {
	if !a.needs.none() && in.lacksAny(&a.needs) {
		if in.facts.Err != nil {
			return s.fail(a, &factError{a.needs.text, in.facts.Err})
		}
		s.lacking = true
		return undecided
	}
	out, err := s.vm.Run(a.program, in.env)
	if err != nil {
		return s.fail(a, err)
	}
	if is, _ := out.(bool); is {
		return isTrue
	}
	return isFalse
}

// switched says whether one of the hours that the atom reads is opened or closed by hand.
func (in *input) switched(a *atom) bool {
	if in.switches == nil {
		return false
	}
	for _, i := range a.hours {
		if in.switches[i].Active(in.now) {
			return true
		}
	}
	return false
}

// lacksAny says whether one of the facts has not been fetched.
func (in *input) lacksAny(n *needs) bool {
	if in.key != "" {
		for _, l := range n.lists {
			if _, ok := in.facts.Listed[l]; !ok {
				return true
			}
		}
		for _, d := range n.calls {
			if _, ok := in.facts.Calls[d]; !ok {
				return true
			}
		}
		if n.anyList {
			for _, l := range in.file.lists {
				if _, ok := in.facts.Listed[l.Name]; l.Store && !ok {
					return true
				}
			}
		}
	}
	for _, q := range n.queues {
		if _, ok := in.facts.Queues[q]; !ok {
			return true
		}
	}
	if n.anyQueue {
		for i := range in.file.queues {
			if _, ok := in.facts.Queues[in.file.queues[i].Name]; !ok {
				return true
			}
		}
	}
	return false
}
