package hours

import "time"

// Edges are the instants at which the hours can open or close, not in order. Switched ones can change from day to day.
func (h *Plan) Edges(from, to time.Time, switched bool) []time.Time {
	all := []time.Time{}
	onWalls(h.Location, from, to, func(day civil) []int {
		minutes := boundaries(nil, h.startingOn(day.before()), h.startingOn(day))
		if switched {
			all = append(all, EndOfDay(day.year, day.month, day.day, h.Location))
			minutes = append(minutes, 0)
		}
		return minutes
	}, func(t time.Time) { all = append(all, t) })
	return all
}

// ClockTurns returns the instants, from one to another, at which a clock of the zone comes to show one of the minutes
// of the day, and those at which it is set.
func ClockTurns(loc *time.Location, from, to time.Time, minutes []int) []time.Time {
	var all []time.Time
	onWalls(loc, from, to, func(civil) []int { return minutes }, func(t time.Time) { all = append(all, t) })
	return all
}

// onWalls adds the instants, from one to another, at which a clock of the zone comes to show one of the minutes of the
// day, and those at which it is set.
func onWalls(loc *time.Location, from, to time.Time, minutes func(day civil) []int, add func(time.Time)) {
	for p := zonePeriodAt(from, loc); ; p = p.next() {
		start, end := from, to
		if p.start.After(from) {
			start = p.start
			add(p.start)
		}
		if !p.end.IsZero() && p.end.Before(to) {
			end = p.end
		}
		last := end.Add(p.offset).UTC()
		y, m, d := start.Add(p.offset).UTC().Date()
		for midnight := time.Date(y, m, d, 0, 0, 0, 0, time.UTC); !midnight.After(last); midnight = midnight.AddDate(0,
			0, 1) {
			for _, minute := range minutes(civilOf(midnight)) {
				if t := midnight.Add(time.Duration(minute)*time.Minute - p.offset); p.contains(t) {
					add(t)
				}
			}
		}
		if p.end.IsZero() || !p.end.Before(to) {
			return
		}
	}
}
