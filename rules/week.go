package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callrouter/rules/internal/condition"
	"callrouter/rules/phone"
)

// Interval is a stretch of time, [Start, End), in which one call is decided in one way. As JSON, fields that do not apply
// are null.
type Interval struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Action  Action    `json:"action"`
	Rule    *string   `json:"rule"`
	By      By        `json:"by"`
	Queue   *string   `json:"queue"`
	Answer  *string   `json:"answer"`
	Message *string   `json:"message"`
}

var errNoTime = errors.New("a stretch of time must end after it starts")

// Intervals says how a made-up call is decided from one instant to another, without a gap: neighbours differ. Between two
// instants at which something that the conditions read can change there is one decision, so no more than those instants
// are looked at, each as [File.Simulate] would. What is given holds all the time: hours that are switched stay so.
//
// A condition that reads fractions of a second is looked at once a second. The error is that of Simulate.
func (f *File) Intervals(call Call, from, to time.Time, g Given) ([]Interval, error) {
	from, to = from.Round(0).In(f.loc), to.Round(0).In(f.loc)
	if !from.Before(to) {
		return nil, errNoTime
	}
	first, err := f.Simulate(call, from, g)
	if err != nil {
		return nil, err
	}
	all := []Interval{intervalOf(first, from)}
	for _, at := range f.turns(call, from, to, g) {
		s, err := f.Simulate(call, at, g)
		if err != nil {
			return nil, err
		}
		last := &all[len(all)-1]
		if next := intervalOf(s, at); !last.sameAs(next) {
			last.End = next.Start
			all = append(all, next)
		}
	}
	all[len(all)-1].End = to
	return all, nil
}

func intervalOf(s Simulation, start time.Time) Interval {
	return Interval{
		Start: start.In(s.At.Location()), Action: s.Action, Rule: s.Rule, By: s.By,
		Queue: s.Queue, Answer: s.Answer, Message: s.Message,
	}
}

// sameAs says whether two intervals are decided in the same way.
func (i Interval) sameAs(o Interval) bool {
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
	return i.Action == o.Action && i.By == o.By && same(i.Rule, o.Rule) &&
		same(i.Queue, o.Queue) && same(i.Answer, o.Answer) && same(i.Message, o.Message)
}

// turns are the instants after from and before to, in order, at which a part of a condition that this call can meet comes
// to something else than before. Only there can the decision change.
func (f *File) turns(call Call, from, to time.Time, g Given) []time.Time {
	t := &turning{f: f, call: call, given: g, from: from, to: to, truths: map[*condition.Atom]truth{}, at: map[time.Time]bool{}}
	m := f.momentsOf(call, from, to, g)
	start := t.world(from)
	for _, a := range m.atoms {
		t.truths[a] = start.truth(a)
	}
	for _, at := range sortedTimes(m.at) {
		t.look(at, m.at[at])
	}
	for _, grid := range []struct {
		step  time.Duration
		atoms []*condition.Atom
	}{{time.Minute, m.everyMinute}, {time.Second, m.everySecond}} {
		if len(grid.atoms) == 0 {
			continue
		}
		for at := from.Truncate(grid.step).Add(grid.step); at.Before(to); at = at.Add(grid.step) {
			t.look(at, grid.atoms)
		}
	}
	return sortedTimes(t.at)
}

func sortedTimes[V any](m map[time.Time]V) []time.Time {
	all := make([]time.Time, 0, len(m))
	for t := range m {
		all = append(all, t)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// turning finds out where parts of conditions turn.
type turning struct {
	f        *File
	call     Call
	given    Given
	from, to time.Time
	truths   map[*condition.Atom]truth // as they were last looked at
	at       map[time.Time]bool
}

func (t *turning) world(at time.Time) *world {
	w := &world{f: t.f, call: t.call, at: at, given: t.given, runtime: t.f.runtimeOf(t.call, at, t.given)}
	w.prepare(Needs{})
	return w
}

// look notes an instant if one of the atoms turns there.
func (t *turning) look(at time.Time, atoms []*condition.Atom) {
	w := t.world(at)
	for _, a := range atoms {
		if now := w.truth(a); now != t.truths[a] {
			t.truths[a] = now
			t.at[at.UTC()] = true
		}
	}
}

// truth is what an atom comes to, whether a decision would ask for it or not.
func (w *world) truth(a *condition.Atom) truth {
	for {
		s := w.f.borrow()
		is := w.f.run(a, w.in.input, s)
		lacking, last := s.lacking, s.last
		w.f.giveBack(s)
		if is != undecided || !lacking {
			return is
		}
		var n Needs
		w.in.add(&n, &a.Needs)
		w.in.addFetched(&n)
		if last != 0 {
			addTo(&n.Calls, last)
		}
		w.prepare(n)
	}
}

// AnyCaller is a caller from the country of a business number of the file who stands on none of its lists and is named in
// none of its conditions: whom the rules have in mind when they have nobody in mind.
func (f *File) AnyCaller(number string) Caller {
	n, _ := f.Number(number)
	country := NewCaller(strings.TrimPrefix(n.Phone, "+"), "", "").Country
	example := phone.ExampleMobile(country)
	if example == "" {
		return Caller{}
	}
	digits := example[1:]
	head, tail := digits[:len(digits)-2], 0
	for {
		c := NewCaller(fmt.Sprintf("%s%02d", head, tail), "", "")
		if tail == 99 || c.Country == country && !f.knows(c) {
			return c
		}
		tail++
	}
}

// knows says whether the file has something to say of this very caller.
func (f *File) knows(c Caller) bool {
	key := c.Key()
	return slices.ContainsFunc(f.lists, func(l *list) bool { _, ok := l.entries[key]; return ok }) ||
		slices.ContainsFunc(f.atoms, func(a *condition.Atom) bool { return strings.Contains(a.Text, c.ID) || strings.Contains(a.Text, key) })
}
