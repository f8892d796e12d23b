// Package hours knows when a business is open: plans of opening hours with their windows, dates, holidays and time
// zones, and the dates, times and durations that people write. It is the only place that knows public holidays.
package hours

import (
	"slices"
	"time"
)

// yearAhead is how far opens and closes look: "never within a year".
const yearAhead = 1

// Switch opens or closes hours by hand, whatever their plan says, until an instant. It always has an end: a switch
// without one, or past it, does not count.
type Switch struct {
	Open   bool
	Until  time.Time // exclusive
	Reason string
}

// Active reports whether the switch decides at t.
func (s *Switch) Active(t time.Time) bool { return s != nil && t.Before(s.Until) }

// Plan is a plan of opening hours in one time zone.
type Plan struct {
	Name       string
	Location   *time.Location
	Weekly     [7][]Window // by time.Weekday, the windows that start on it
	Exceptions []Exception // which go before the weekly plan
	Calendars  []Calendar  // whose holidays are closed
}

// Exception says what is open on the dates of spec, instead of the weekly plan.
type Exception struct {
	On      Dates
	Windows []Window // none: closed
}

// Open reports whether the hours are open at an instant. What the clock on the wall shows at that instant decides, and
// nothing else: a local time that is skipped never comes, one that comes twice is open (or closed) both times. It does
// not allocate.
func (h *Plan) Open(now time.Time, sw *Switch) bool {
	if sw.Active(now) {
		return sw.Open
	}
	_, open := h.openedOn(now)
	return open
}

// openedOn is the day whose windows open the hours at an instant, by their plan; today, if they are closed.
func (h *Plan) openedOn(now time.Time) (day civil, open bool) {
	local := now.In(h.Location)
	today := civilOf(local)
	hour, min, _ := local.Clock()
	minute := hour*60 + min
	for _, w := range h.startingOn(today) {
		if w.Start <= minute && (minute < w.End || w.overnight()) {
			return today, true
		}
	}
	// The night shift that began yesterday runs to its end, whatever today is.
	for _, w := range h.startingOn(today.before()) {
		if w.overnight() && minute < w.End {
			return today.before(), true
		}
	}
	return today, false
}

// startingOn are the windows that start on a day: those of its date if it has
// one, none on a holiday, else those of its weekday.
func (h *Plan) startingOn(day civil) []Window {
	if exception := h.exceptionOn(day); exception != nil {
		return exception.Windows
	}
	for _, c := range h.Calendars {
		if _, ok := c.Holiday(day.year, day.month, day.day); ok {
			return nil
		}
	}
	return h.Weekly[day.weekday()]
}

// exceptionOn is the rule for a date that goes before all others, or nil.
func (h *Plan) exceptionOn(day civil) *Exception {
	var exception *Exception
	for i := range h.Exceptions {
		r := &h.Exceptions[i]
		if r.On.contains(day) && (exception == nil || r.On.kind < exception.On.kind) {
			exception = r
		}
	}
	return exception
}

// Opens is the next instant after now at which the hours go from closed to open: open now, it is the opening after they
// close. It is false if there is none within a year.
func (h *Plan) Opens(now time.Time, sw *Switch) (time.Time, bool) { return h.turns(true, now, sw) }

// Closes is the next instant after now at which the hours go from open to
// closed. It is false if there is none within a year.
func (h *Plan) Closes(now time.Time, sw *Switch) (time.Time, bool) { return h.turns(false, now, sw) }

// NeverOpens reports whether the hours are of no use from an instant on: not
// open, no opening within a year, and no date with windows still to come.
func (h *Plan) NeverOpens(from time.Time) bool {
	if h.Open(from, nil) {
		return false
	}
	if _, ok := h.Opens(from, nil); ok {
		return false
	}
	today := civilOf(from.In(h.Location))
	return !slices.ContainsFunc(h.Exceptions, func(r Exception) bool {
		return len(r.Windows) > 0 && !r.On.pastOn(today)
	})
}

// turns finds the first instant after now, within a year, at which open becomes want. Between two neighbouring
// candidates open cannot change, so looking at the candidates is exact, and a year of them is quick.
func (h *Plan) turns(want bool, now time.Time, sw *Switch) (time.Time, bool) {
	limit := now.AddDate(yearAhead, 0, 0)
	turnsAt := func(t time.Time) bool {
		return h.Open(t, sw) == want && h.Open(t.Add(-1), sw) != want
	}
	if sw.Active(now) {
		// Nothing changes before the switch ends.
		if turnsAt(sw.Until) {
			return sw.Until.In(h.Location), !sw.Until.After(limit)
		}
		now = sw.Until
	}
	for p := zonePeriodAt(now, h.Location); ; p = p.next() {
		if p.start.After(limit) {
			return time.Time{}, false
		}
		// Clocks were set: the wall jumped, perhaps over a boundary.
		if p.start.After(now) && turnsAt(p.start) {
			return p.start.In(h.Location), true
		}
		if t, ok := h.turnsIn(p, now, limit, turnsAt); ok {
			return t.In(h.Location), true
		}
		if p.end.IsZero() {
			return time.Time{}, false
		}
	}
}

// turnsIn looks for a turn in (now, limit] inside one period, in which local
// time runs without a jump: only where a window begins or ends can open change.
func (h *Plan) turnsIn(p zonePeriod, now, limit time.Time, turnsAt func(time.Time) bool) (time.Time, bool) {
	from, to := now, limit
	if p.start.After(from) {
		from = p.start
	}
	if !p.end.IsZero() && p.end.Before(to) {
		to = p.end
	}
	last := to.Add(p.offset).UTC()
	wall := from.Add(p.offset).UTC()
	midnight := time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
	yesterday := h.startingOn(civilOf(midnight).before())
	var minutes []int
	for ; !midnight.After(last); midnight = midnight.AddDate(0, 0, 1) {
		today := h.startingOn(civilOf(midnight))
		minutes = boundaries(minutes[:0], yesterday, today)
		for _, m := range minutes {
			t := midnight.Add(time.Duration(m)*time.Minute - p.offset)
			if t.After(now) && !t.After(limit) && p.contains(t) && turnsAt(t) {
				return t, true
			}
		}
		yesterday = today
	}
	return time.Time{}, false
}

// boundaries appends, in order, the minutes of a day at which a window that
// started on it or the day before begins or ends.
func boundaries(minutes []int, yesterday, today []Window) []int {
	for _, w := range yesterday {
		if w.overnight() {
			minutes = append(minutes, w.End)
		} else if w.End == MinutesPerDay {
			minutes = append(minutes, 0)
		}
	}
	for _, w := range today {
		minutes = append(minutes, w.Start)
		if !w.overnight() && w.End < MinutesPerDay {
			minutes = append(minutes, w.End)
		}
	}
	slices.Sort(minutes)
	return minutes
}
