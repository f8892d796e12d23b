package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
)

func (l *loader) readCalendars() {
	l.f.calendars = map[string]hours.Calendar{}
	for name, n := range l.Entries(l.Child(l.Root, "calendars")) {
		if slices.Contains(hours.PublicCalendars(), name.Value) {
			l.Fail(name, "duplicate-name",
				fmt.Sprintf("there is a public calendar %s already", source.Quoted(name.Value)),
				"give your own another name")
			continue
		}
		if file := l.Child(n, "file"); file != nil || l.Has(n, "file") {
			l.f.calendars[name.Value] = l.readCalendarFile(name.Value, n, file)
			continue
		}
		var holidays []hours.OwnHoliday
		for k, v := range l.Entries(n) {
			spec, err := hours.ParseDates(k.Value)
			if err != nil {
				l.FailWith(k, "bad-date", err)
				continue
			}
			for _, h := range holidays {
				if h.On == spec {
					l.Fail(k, "duplicate-key",
						fmt.Sprintf("%s is already there: %s", strings.TrimSpace(k.Value), h.Name),
						"remove one of them")
				}
			}
			holidays = append(holidays, hours.OwnHoliday{On: spec, Name: v.Value})
		}
		l.f.calendars[name.Value] = hours.OwnCalendar(name.Value, holidays)
	}
}

// readCalendarFile reads a calendar that is an iCalendar file. If it cannot be read, the calendar is an empty one, for
// what refers to it.
func (l *loader) readCalendarFile(name string, n, file *source.Node) hours.Calendar {
	empty := hours.OwnCalendar(name, nil)
	for k := range l.Entries(n) {
		if k.Value != "file" {
			l.Fail(k, "conflicting-keys", "a calendar is either a file or written here",
				"make a calendar of its own of the dates; `holidays` takes several")
			return empty
		}
	}
	if file == nil {
		return empty
	}
	data, path, ok := l.include(file, source.MaxFile)
	if !ok {
		return empty
	}
	text := source.New(path)
	defer func() { l.Problems = append(l.Problems, text.Problems...) }()
	if !text.ReadText(data) {
		return empty
	}
	calendar, faults := hours.ReadCalendar(name, text.Lines(), l.f.loc, l.now)
	for _, f := range faults {
		at := text.At(f.Line, 1, len([]rune(text.Line(f.Line))))
		if f.Warning {
			text.Warn(at, f.Code, f.Message, f.Hint)
		} else {
			text.ErrorAt(at, f.Code, f.Message, f.Hint)
		}
	}
	if calendar == nil {
		return empty
	}
	return calendar
}

func (l *loader) readHours() {
	l.f.hoursByName = map[string]int{}
	for name, n := range l.Entries(l.Child(l.Root, "hours")) {
		h := &hours.Plan{Name: name.Value, Location: l.f.loc}
		if zone := l.Child(n, "timezone"); zone != nil {
			h.Location = l.zone(zone)
		}
		l.readWeekly(h, l.Child(n, "weekly"))
		for item := range l.Items(l.Child(n, "holidays")) {
			l.readHolidays(h, item)
		}
		l.readDates(h, l.Child(n, "dates"))
		l.f.hoursByName[name.Value] = len(l.f.hours)
		l.f.hours = append(l.f.hours, h)
	}
}

func (l *loader) readWeekly(h *hours.Plan, n *source.Node) {
	var first [7]*source.Node
	for k, v := range l.Entries(n) {
		days, err := hours.ParseDays(k.Value)
		if err != nil {
			l.FailWith(k, "bad-day", err)
			continue
		}
		windows := l.windows(v)
		for _, d := range days {
			if first[d] != nil {
				l.Fail(k, "duplicate-day",
					fmt.Sprintf("%s is already there, in %s at line %d", hours.Weekdays()[d],
						source.Quoted(first[d].Value), first[d].Line), "name each day once")
				break
			}
			first[d] = k
			h.Weekly[d] = windows
		}
	}
}

// windows reads the windows of a day: none if it is closed.
func (l *loader) windows(n *source.Node) []hours.Window {
	if n.Kind == source.ScalarNode && n.Value == "closed" {
		return nil
	}
	var all []hours.Window
	for item := range l.Items(n) {
		w, err := hours.ParseWindow(item.Value)
		if err != nil {
			l.FailWith(item, "bad-hours", err)
			continue
		}
		if err := hours.CheckWindows(append(all[:len(all):len(all)], w)); err != nil {
			l.FailWith(item, "overlapping-hours", err)
			continue
		}
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b hours.Window) int { return a.Start - b.Start })
	return all
}

// readHolidays reads one calendar of hours: `br`, or `{br: {without: [Carnaval]}}`.
func (l *loader) readHolidays(h *hours.Plan, item *source.Node) {
	if item.Kind == source.ScalarNode {
		l.addCalendar(h, item, nil)
		return
	}
	for k, v := range l.Entries(item) {
		var without []string
		for name := range l.Items(l.Child(v, "without")) {
			without = append(without, name.Value)
		}
		l.addCalendar(h, k, l.Child(v, "without"), without...)
	}
}

func (l *loader) addCalendar(h *hours.Plan, name, at *source.Node, without ...string) {
	for _, c := range h.Calendars {
		if c.Title() == name.Value {
			l.Fail(name, "duplicate-name", fmt.Sprintf("the calendar %s is already there", source.Quoted(name.Value)),
				"remove one of them")
			return
		}
	}
	if l.use(condition.Calendar, name.Value) {
		if at != nil {
			l.Fail(at, "conflicting-keys", "holidays can be left out of public calendars only",
				"remove them from your own calendar")
		}
		if c := l.f.calendars[name.Value]; c != nil {
			h.Calendars = append(h.Calendars, c)
		}
		return
	}
	known := append(l.known[condition.Calendar][:len(l.known[condition.Calendar]):len(l.known[condition.Calendar])],
		hours.PublicCalendars()...)
	if !slices.Contains(known, name.Value) {
		l.ErrorAt(l.Of(name), "unknown-name", condition.NoSuch(condition.Calendar, name.Value),
			source.DidYouMean(name.Value, known))
		return
	}
	holidays := hours.HolidayNames(name.Value)
	for item := range l.Items(at) {
		if !slices.Contains(holidays, item.Value) {
			message := fmt.Sprintf("calendar %s has no holiday %q", name.Value, item.Value)
			if meant, ok := source.Nearest(item.Value, holidays); ok {
				message += fmt.Sprintf(", did you mean %q?", meant)
			}
			// All of them: an author has nowhere else to look up the names.
			l.Fail(item, "unknown-name", message, "it has: "+strings.Join(holidays, ", "))
			return
		}
	}
	if c, err := hours.PublicCalendar(name.Value, without); err == nil {
		h.Calendars = append(h.Calendars, c)
	}
}

func (l *loader) readDates(h *hours.Plan, n *source.Node) {
	var keys []*source.Node
	for k, v := range l.Entries(n) {
		spec, err := hours.ParseDates(k.Value)
		if err != nil {
			l.FailWith(k, "bad-date", err)
			continue
		}
		keys = append(keys, k)
		h.Exceptions = append(h.Exceptions, hours.Exception{On: spec, Windows: l.windows(v)})
		if _, second, err := h.CheckExceptions(); err != nil {
			l.FailWith(keys[second], "overlapping-dates", err)
			keys, h.Exceptions = keys[:len(keys)-1], h.Exceptions[:len(h.Exceptions)-1]
		}
	}
}

// dateUntil is the instant from which a list entry no longer counts: a date counts to its last second in the file's
// zone, an instant is exclusive.
func dateUntil(s string, loc *time.Location) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		y, m, d := day.Date()
		return hours.EndOfDay(y, m, d, loc), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("until %q is no date; write 2027-01-31, or an instant such as "+
		"2027-01-31T18:00:00-03:00", s)
}
