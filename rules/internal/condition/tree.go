package condition

import "time"

// Condition is a tree of and, or and not over atoms. Package rules walks the tree, and the expression language runs the
// atoms: so every part of a condition has a truth of its own that can be shown and counted, and parts that several
// rules share are run once. Walking the tree gives exactly what the language gives for the condition as a whole.
type Condition struct {
	Op    Operator
	Parts []*Condition // of and, or (two or more) and not (one)
	Atom  *Atom

	From, To int // of an atom: where it stands in the condition's text, in characters
}

// Operator says how the parts of a condition are joined.
type Operator uint8

// The operators. A leaf has no parts, but an atom.
const (
	Leaf Operator = iota
	And
	Or
	Not
)

// Each calls do for every atom of the condition, from left to right. A nil condition has none.
func (c *Condition) Each(do func(*Atom)) {
	if c == nil {
		return
	}
	if c.Op == Leaf {
		do(c.Atom)
	}
	for _, p := range c.Parts {
		p.Each(do)
	}
}

// Extent returns where the condition stands in its text, in characters, without brackets around it.
func (c *Condition) Extent() (from, to int) {
	if c.Op == Leaf {
		return c.From, c.To
	}
	from, _ = c.Parts[0].Extent()
	_, to = c.Parts[len(c.Parts)-1].Extent()
	return from, to
}

// SafeParts returns the parts at the beginning of a condition that can neither fail nor ask the store.
func (c *Condition) SafeParts() []*Condition {
	return c.beginning(func(a *Atom) bool { return a.sure && a.Needs.None() })
}

// SureParts returns the parts at the beginning of a condition that cannot fail once the facts that they need are known.
func (c *Condition) SureParts() []*Condition {
	return c.beginning(func(a *Atom) bool { return a.sure })
}

// beginning returns the parts before the first that has an atom which is not as it should be.
func (c *Condition) beginning(is func(*Atom) bool) []*Condition {
	parts := Conjuncts(c)
	for i, p := range parts {
		all := true
		p.Each(func(a *Atom) { all = all && is(a) })
		if !all {
			return parts[:i]
		}
	}
	return parts
}

// OfClock reports whether all atoms read nothing but the clock.
func (c *Condition) OfClock() bool {
	only := true
	c.Each(func(a *Atom) { only = only && a.Clock >= 0 })
	return only
}

// Conjuncts returns the parts that must all be true for the condition to be true. A nil condition has none.
func Conjuncts(c *Condition) []*Condition {
	switch {
	case c == nil:
		return nil
	case c.Op == And:
		return c.Parts
	}
	return []*Condition{c}
}

// Atom is a part of a condition without and, or or not of its own, unless inside an operand.
type Atom struct {
	Text    string
	Program *Program
	Needs   Needs
	Reads   []*Read
	sure    bool   // it cannot fail once the facts that it needs are known
	Guard   *Guard // nil if it does not ask for a value that few calls have

	Clock int   // index among the atoms that read nothing but the clock; -1: reads more
	Memo  int   // index among the atoms that several rules share; -1: one rule's own
	Hours []int // indexes of the hours that it reads, in the order of the file
}

// Read is the largest piece of an atom that only reads: caller.country, open("office"), now.Hour().
type Read struct {
	Text    string
	Program *Program
	Hours   string // those it asks for, if it is open("NAME")
}

// Needs are the facts that an atom or a message may ask for. If a name is not a literal, any name may be asked for.
type Needs struct {
	Lists, Queues     []string
	Calls             []time.Duration
	AnyList, AnyQueue bool
	anyCalls          bool   // a duration that is made up at run time: found out by running
	Text              string // of the first piece that asks for a fact
}

// None reports whether no fact is needed.
func (n *Needs) None() bool {
	return len(n.Lists) == 0 && len(n.Queues) == 0 && len(n.Calls) == 0 && !n.AnyList && !n.AnyQueue && !n.anyCalls
}

// Merge adds the needs of another part.
func (n *Needs) Merge(more Needs) {
	addTo(&n.Lists, more.Lists...)
	addTo(&n.Queues, more.Queues...)
	addTo(&n.Calls, more.Calls...)
	n.AnyList = n.AnyList || more.AnyList
	n.AnyQueue = n.AnyQueue || more.AnyQueue
	n.anyCalls = n.anyCalls || more.anyCalls
	if n.Text == "" {
		n.Text = more.Text
	}
}
