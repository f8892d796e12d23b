package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"callrouter/rules/internal/condition"
)

// Explain is the same evaluation as [File.Decide], and returns a trace of every rule that it looked at. As there, only
// the Needs count if they are not none.
func (f *File) Explain(in Input, from int) (Decision, []Trace, Needs) {
	s := f.borrow()
	defer f.giveBack(s)
	var trace []Trace
	for i := max(from, 0); i < len(f.rules); i++ {
		t, failure := f.explain(i, in.input, s)
		if s.lacking {
			return Decision{}, nil, f.needsFrom(i, in.input, s)
		}
		trace = append(trace, t)
		switch t.Result {
		case Decided:
			return f.rules[i].decision, trace, Needs{}
		case Errored:
			return f.OnError(failure), trace, Needs{}
		}
	}
	return f.fallback, trace, Needs{}
}

// explain looks at one rule. The trace counts unless the scratch says that facts are lacking; the error is that of a
// condition that failed.
func (f *File) explain(i int, in *input, s *scratch) (t Trace, failure error) {
	r := &f.rules[i]
	t = Trace{Rule: r.name, Line: r.line, Values: map[string]any{}, At: in.now}
	if !r.answersFor(in.number) {
		t.Result, t.Why = Skipped, fmt.Sprintf("its `on` leaves out the number %q", in.call.Number)
		return t, nil
	}
	outcome := f.holds(r.when, in, s)
	if outcome == undecided && s.lacking {
		return t, nil
	}
	err := s.err // telling why looks again, and would overwrite it
	e := explainer{f, in, s, t.Values}
	switch outcome {
	case IsTrue:
		t.Result, t.Why = Decided, "it has no condition"
		if r.when != nil {
			t.Why = e.why(r.when)
		}
	case IsFalse:
		t.Result, t.Why = NoMatch, e.why(r.when)
	default:
		failure = s.failure(r)
		e.why(r.when)
		t.Result, t.Why = Errored, readable(s.at.Text, err).Error()
	}
	return t, failure
}

// maxTold is how many rules without a match [File.DecideTold] names: those looked at last.
const maxTold = 3

// DecideTold is [File.Decide], and names the rule that decided and the last few that were really looked at before it,
// without why and values. Those, what the index left out, and what else was looked at, [File.Explain] tells when
// somebody asks: for a call that is decided now it would cost more than the decision, with many rules a thousand times
// as much. Why is set of a rule whose condition failed.
func (f *File) DecideTold(in Input, from int) (Decision, []Trace, Needs) {
	s := f.borrow()
	defer f.giveBack(s)
	d, needs := f.decide(in.input, from, s)
	if !needs.None() {
		return d, nil, needs
	}
	looked := s.looked[max(0, len(s.looked)-maxTold-1):]
	trace := make([]Trace, len(looked))
	for n, i := range looked {
		r := &f.rules[i]
		trace[n] = Trace{Rule: r.name, Line: r.line, Result: NoMatch, At: in.now}
	}
	switch last := len(trace) - 1; d.By {
	case ByRule:
		trace[last].Result = Decided
	case ByOnError:
		trace[last].Result, trace[last].Why = Errored, readable(s.at.Text, s.err).Error()
	}
	return d, trace, Needs{}
}

// explainer puts into words what an evaluation found, and gathers the values that were read on the way.
type explainer struct {
	f      *File
	in     *input
	s      *scratch
	values map[string]any
}

func (e *explainer) why(c *condition.Condition) string {
	_, parts := e.walk(c)
	return strings.Join(parts, "; ")
}

// walk goes the way that holds went. It returns the atoms that made the condition what it is: the one that made an
// `and` false or an `or` true, or all of them.
func (e *explainer) walk(c *condition.Condition) (Truth, []string) {
	switch c.Op {
	case condition.Leaf:
		t := e.f.look(c.Atom, e.in, e.s)
		if e.in.seen != nil {
			e.in.seen(c, t)
		}
		return t, []string{e.tell(c.Atom, t)}
	case condition.Not:
		t, parts := e.walk(c.Parts[0])
		switch t {
		case IsTrue:
			t = IsFalse
		case IsFalse:
			t = IsTrue
		}
		return t, parts
	}
	goOn := IsTrue
	if c.Op == condition.Or {
		goOn = IsFalse
	}
	var all []string
	for _, p := range c.Parts {
		t, parts := e.walk(p)
		if t != goOn {
			return t, parts
		}
		all = append(all, parts...)
	}
	return goOn, all
}

// tell is one atom as a sentence: `caller.country == "BR" is false: caller.country is "US"`.
func (e *explainer) tell(a *condition.Atom, t Truth) string {
	var b strings.Builder
	b.WriteString(oneLine(a.Text))
	if t == IsTrue {
		b.WriteString(" is true")
	} else {
		b.WriteString(" is false")
	}
	separator := ": "
	for _, r := range a.Reads {
		v, ok := e.read(r)
		if !ok {
			continue
		}
		e.values[r.Text] = v
		if r.Text != a.Text {
			fmt.Fprintf(&b, "%s%s is %s", separator, oneLine(r.Text), show(v))
			separator = ", "
		}
		if r.Hours != "" {
			h, sw := e.in.hours(r.Hours)
			fmt.Fprintf(&b, " (%s)", h.Story(e.in.now, sw))
		}
	}
	return b.String()
}

func (e *explainer) read(r *condition.Read) (any, bool) {
	v, err := e.s.vm.Run(r.Program, e.in.env)
	if err != nil {
		return nil, false
	}
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339), true
	case time.Weekday:
		return v.String(), true
	case time.Month:
		return v.String(), true
	case string, bool, int, int64, float64:
		return v, true
	default:
		return fmt.Sprint(v), true
	}
}

func show(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
