package rules

import (
	"slices"
	"time"
)

// yearAhead is how far opens and closes look: "never within a year".
const yearAhead = 1

// Switch opens or closes hours by hand, whatever their plan says, until an
// instant. It always has an end: a switch without one, or past it, does not
// count.
type Switch struct {
	Open   bool
	Until  time.Time // exclusive
	Reason string
}

// active reports whether the switch decides at t.
func (s *Switch) active(t time.Time) bool { return s != nil && t.Before(s.Until) }

// hours is a plan of opening hours in one time zone.
type hours struct {
	name      string
	loc       *time.Location
	weekly    [7][]window // by time.Weekday, the windows that start on it
	dates     []dateRule
	calendars []calendar // whose holidays are closed
}

// dateRule says what is open on the dates of spec, instead of the weekly plan.
type dateRule struct {
	spec    dateSpec
	windows []window // none: closed
}

// open reports whether the hours are open at an instant. What the clock on the
// wall shows at that instant decides, and nothing else: a local time that is
// skipped never comes, one that comes twice is open (or closed) both times. It
// does not allocate.
func (h *hours) open(now time.Time, sw *Switch) bool {
	if sw.active(now) {
		return sw.Open
	}
	_, open := h.openedOn(now)
	return open
}

// openedOn is the day whose windows open the hours at an instant, by their plan; today, if they are closed.
func (h *hours) openedOn(now time.Time) (day civil, open bool) {
	local := now.In(h.loc)
	today := civilOf(local)
	hour, min, _ := local.Clock()
	minute := hour*60 + min
	for _, w := range h.startingOn(today) {
		if w.start <= minute && (minute < w.end || w.overnight()) {
			return today, true
		}
	}
	// The night shift that began yesterday runs to its end, whatever today is.
	for _, w := range h.startingOn(today.before()) {
		if w.overnight() && minute < w.end {
			return today.before(), true
		}
	}
	return today, false
}

// startingOn are the windows that start on a day: those of its date if it has
// one, none on a holiday, else those of its weekday.
func (h *hours) startingOn(day civil) []window {
	if exception := h.exception(day); exception != nil {
		return exception.windows
	}
	for _, c := range h.calendars {
		if _, ok := c.holiday(day.year, day.month, day.day); ok {
			return nil
		}
	}
	return h.weekly[day.weekday()]
}

// exception is the rule for a date that goes before all others, or nil.
func (h *hours) exception(day civil) *dateRule {
	var exception *dateRule
	for i := range h.dates {
		r := &h.dates[i]
		if r.spec.contains(day) && (exception == nil || r.spec.kind < exception.spec.kind) {
			exception = r
		}
	}
	return exception
}

// opens is the next instant after now at which the hours go from closed to
// open: open now, it is the opening after they close. It is false if there is
// none within a year.
func (h *hours) opens(now time.Time, sw *Switch) (time.Time, bool) { return h.turns(true, now, sw) }

// closes is the next instant after now at which the hours go from open to
// closed. It is false if there is none within a year.
func (h *hours) closes(now time.Time, sw *Switch) (time.Time, bool) { return h.turns(false, now, sw) }

// neverOpens reports whether the hours are of no use from an instant on: not
// open, no opening within a year, and no date with windows still to come.
func (h *hours) neverOpens(from time.Time) bool {
	if h.open(from, nil) {
		return false
	}
	if _, ok := h.opens(from, nil); ok {
		return false
	}
	today := civilOf(from.In(h.loc))
	return !slices.ContainsFunc(h.dates, func(r dateRule) bool {
		return len(r.windows) > 0 && !r.spec.pastOn(today)
	})
}

// turns finds the first instant after now, within a year, at which open
// becomes want. Between two neighbouring candidates open cannot change, so
// looking at the candidates is exact, and a year of them is quick.
func (h *hours) turns(want bool, now time.Time, sw *Switch) (time.Time, bool) {
	limit := now.AddDate(yearAhead, 0, 0)
	turnsAt := func(t time.Time) bool {
		return h.open(t, sw) == want && h.open(t.Add(-1), sw) != want
	}
	if sw.active(now) {
		// Nothing changes before the switch ends.
		if turnsAt(sw.Until) {
			return sw.Until.In(h.loc), !sw.Until.After(limit)
		}
		now = sw.Until
	}
	for p := zonePeriodAt(now, h.loc); ; p = p.next() {
		if p.start.After(limit) {
			return time.Time{}, false
		}
		// Clocks were set: the wall jumped, perhaps over a boundary.
		if p.start.After(now) && turnsAt(p.start) {
			return p.start.In(h.loc), true
		}
		if t, ok := h.turnsIn(p, now, limit, turnsAt); ok {
			return t.In(h.loc), true
		}
		if p.end.IsZero() {
			return time.Time{}, false
		}
	}
}

// turnsIn looks for a turn in (now, limit] inside one period, in which local
// time runs without a jump: only where a window begins or ends can open change.
func (h *hours) turnsIn(p zonePeriod, now, limit time.Time, turnsAt func(time.Time) bool) (time.Time, bool) {
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
func boundaries(minutes []int, yesterday, today []window) []int {
	for _, w := range yesterday {
		if w.overnight() {
			minutes = append(minutes, w.end)
		} else if w.end == minutesPerDay {
			minutes = append(minutes, 0)
		}
	}
	for _, w := range today {
		minutes = append(minutes, w.start)
		if !w.overnight() && w.end < minutesPerDay {
			minutes = append(minutes, w.end)
		}
	}
	slices.Sort(minutes)
	return minutes
}
