// Package week finds out when a rules file decides what: the stretches of time in which one call is decided in one way.
package week

import (
	"errors"
	"slices"
	"time"

	"callrouter/rules"
	"callrouter/rules/internal/condition"
)

// Interval is a stretch of time, [Start, End), in which one call is decided in one way. As JSON, fields that do not
// apply are null.
type Interval struct {
	Start   time.Time    `json:"start"`
	End     time.Time    `json:"end"`
	Action  rules.Action `json:"action"`
	Rule    *string      `json:"rule"`
	By      rules.By     `json:"by"`
	Queue   *string      `json:"queue"`
	Answer  *string      `json:"answer"`
	Message *string      `json:"message"`
}

var errNoTime = errors.New("a stretch of time must end after it starts")

// Intervals returns how a made-up call is decided from one instant to another, without a gap: neighbours differ.
// Between two instants at which something that the conditions read can change there is one decision, so no more than
// those instants are looked at, each as [rules.File.Simulate] would. What is given holds all the time: hours that are
// switched stay so.
//
// A condition that reads fractions of a second is looked at once a second. The error is that of Simulate.
func Intervals(f *rules.File, call rules.Call, from, to time.Time, g rules.Given) ([]Interval, error) {
	from, to = from.Round(0).In(f.Location()), to.Round(0).In(f.Location())
	if !from.Before(to) {
		return nil, errNoTime
	}
	first, err := f.Simulate(call, from, g)
	if err != nil {
		return nil, err
	}
	all := []Interval{intervalOf(first, from)}
	for _, at := range turns(f, call, from, to, g) {
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

func intervalOf(s rules.Simulation, start time.Time) Interval {
	return Interval{
		Start: start.In(s.At.Location()), Action: s.Action, Rule: s.Rule, By: s.By,
		Queue: s.Queue, Answer: s.Answer, Message: s.Message,
	}
}

// sameAs reports whether two intervals are decided in the same way.
func (i Interval) sameAs(o Interval) bool {
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
	return i.Action == o.Action && i.By == o.By && same(i.Rule, o.Rule) &&
		same(i.Queue, o.Queue) && same(i.Answer, o.Answer) && same(i.Message, o.Message)
}

// turns are the instants after from and before to, in order, at which a part of a condition that this call can meet
// comes to something else than before. Only there can the decision change.
func turns(f *rules.File, call rules.Call, from, to time.Time, g rules.Given) []time.Time {
	t := &turning{f: f, call: call, given: g, from: from, to: to, truths: map[*condition.Atom]rules.Truth{},
		at: map[time.Time]bool{}}
	m := momentsOf(f, call, from, to, g)
	for i, truth := range f.Truths(m.atoms, call, from, g) {
		t.truths[m.atoms[i]] = truth
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
	f        *rules.File
	call     rules.Call
	given    rules.Given
	from, to time.Time
	truths   map[*condition.Atom]rules.Truth // as they were last looked at
	at       map[time.Time]bool
}

// look notes an instant if one of the atoms turns there.
func (t *turning) look(at time.Time, atoms []*condition.Atom) {
	for i, now := range t.f.Truths(atoms, t.call, at, t.given) {
		if a := atoms[i]; now != t.truths[a] {
			t.truths[a] = now
			t.at[at.UTC()] = true
		}
	}
}
