package rules

import (
	"slices"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
)

// moments are the instants at which parts of conditions can turn.
type moments struct {
	atoms                    []*condition.Atom // all that the call can meet
	at                       map[time.Time][]*condition.Atom
	everyMinute, everySecond []*condition.Atom
}

// momentsOf are the moments between two instants, exclusive, for what this call can meet.
func (f *File) momentsOf(call Call, from, to time.Time, g Given) moments {
	m := moments{at: map[time.Time][]*condition.Atom{}}
	number, ok := f.numbersByName[call.Number]
	if !ok {
		number = -1
	}
	seen := map[*condition.Atom]bool{}
	for i := range f.rules {
		if !f.rules[i].answersFor(number) {
			continue
		}
		f.rules[i].when.Each(func(a *condition.Atom) {
			if !seen[a] {
				seen[a] = true
				m.atoms = append(m.atoms, a)
			}
		})
	}
	key := call.Caller.Key()
	edges := map[string][]time.Time{} // by name of the hours
	for _, a := range m.atoms {
		add := func(t time.Time) {
			if t.After(from) && t.Before(to) {
				if t = t.UTC(); !slices.Contains(m.at[t], a) {
					m.at[t] = append(m.at[t], a)
				}
			}
		}
		r := a.Reading()
		switch {
		case r.EverySecond, r.EveryMinute && from.Before(evenZones):
			m.everySecond = append(m.everySecond, a)
		case r.EveryMinute:
			m.everyMinute = append(m.everyMinute, a)
		}
		if len(r.Minutes) > 0 {
			for _, t := range hours.ClockTurns(f.loc, from, to, r.Minutes) {
				add(t)
			}
		}
		if r.AnyList {
			r.Lists = f.listNames()
		}
		if r.AnyHours {
			r.Hours = f.HoursNames()
		}
		for _, name := range r.Lists {
			if until, ok := f.listsByName[name].entries[key]; ok && !until.IsZero() {
				add(until)
			}
		}
		for _, name := range r.Hours {
			if edges[name] == nil {
				_, switched := g.Switches[name]
				edges[name] = f.hours[f.hoursByName[name]].Edges(from, to, switched)
			}
			for _, t := range edges[name] {
				add(t)
			}
		}
	}
	return m
}
