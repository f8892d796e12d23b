package week

import (
	"slices"
	"time"

	"callrouter/rules"
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
func momentsOf(f *rules.File, call rules.Call, from, to time.Time, g rules.Given) moments {
	m := moments{atoms: f.Atoms(call.Number), at: map[time.Time][]*condition.Atom{}}
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
		case r.EverySecond, r.EveryMinute && !hours.HasWholeMinutes(from):
			m.everySecond = append(m.everySecond, a)
		case r.EveryMinute:
			m.everyMinute = append(m.everyMinute, a)
		}
		if len(r.Minutes) > 0 {
			for _, t := range hours.ClockTurns(f.Location(), from, to, r.Minutes) {
				add(t)
			}
		}
		if r.AnyList {
			for _, l := range f.Lists() {
				r.Lists = append(r.Lists, l.Name)
			}
		}
		if r.AnyHours {
			r.Hours = f.HoursNames()
		}
		for _, name := range r.Lists {
			if until := f.ListedUntil(name, key); !until.IsZero() {
				add(until)
			}
		}
		for _, name := range r.Hours {
			if edges[name] == nil {
				_, switched := g.Switches[name]
				edges[name] = f.Hours(name).Edges(from, to, switched)
			}
			for _, t := range edges[name] {
				add(t)
			}
		}
	}
	return m
}
