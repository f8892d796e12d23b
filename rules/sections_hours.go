package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

func (l *loader) readCalendars() {
	l.f.calendars = map[string]calendar{}
	for name, n := range l.entries(l.child(l.root, "calendars")) {
		if slices.Contains(publicCalendarCodes(), name.Value) {
			l.fail(name, "duplicate-name", fmt.Sprintf("there is a public calendar %s already", quoted(name.Value)), "give your own another name")
			continue
		}
		var holidays []ownHoliday
		for k, v := range l.entries(n) {
			spec, err := parseDateKey(k.Value)
			if err != nil {
				l.failWith(k, "bad-date", err)
				continue
			}
			for _, h := range holidays {
				if h.spec == spec {
					l.fail(k, "duplicate-key", fmt.Sprintf("%s is already there: %s", strings.TrimSpace(k.Value), h.name), "take one of them out")
				}
			}
			holidays = append(holidays, ownHoliday{spec, v.Value})
		}
		l.f.calendars[name.Value] = ownCalendar(name.Value, holidays)
	}
}

func (l *loader) readHours() {
	l.f.hoursByName = map[string]int{}
	for name, n := range l.entries(l.child(l.root, "hours")) {
		h := &hours{name: name.Value, loc: l.f.loc}
		if zone := l.child(n, "timezone"); zone != nil {
			h.loc = l.zone(zone)
		}
		l.readWeekly(h, l.child(n, "weekly"))
		for item := range l.items(l.child(n, "holidays")) {
			l.readHolidays(h, item)
		}
		l.readDates(h, l.child(n, "dates"))
		l.f.hoursByName[name.Value] = len(l.f.hours)
		l.f.hours = append(l.f.hours, h)
	}
}

func (l *loader) readWeekly(h *hours, n *yaml.Node) {
	var first [7]*yaml.Node
	for k, v := range l.entries(n) {
		days, err := parseDays(k.Value)
		if err != nil {
			l.failWith(k, "bad-day", err)
			continue
		}
		windows := l.windows(v)
		for _, d := range days {
			if first[d] != nil {
				l.fail(k, "duplicate-day", fmt.Sprintf("%s is already there, in %s at line %d", weekdayNames[d], quoted(first[d].Value), first[d].Line), "name each day once")
				break
			}
			first[d] = k
			h.weekly[d] = windows
		}
	}
}

// windows reads the windows of a day: none if it is closed.
func (l *loader) windows(n *yaml.Node) []window {
	if n.Kind == yaml.ScalarNode && n.Value == "closed" {
		return nil
	}
	var all []window
	for item := range l.items(n) {
		w, err := parseWindow(item.Value)
		if err != nil {
			l.failWith(item, "bad-hours", err)
			continue
		}
		if err := checkWindows(append(all[:len(all):len(all)], w)); err != nil {
			l.failWith(item, "overlapping-hours", err)
			continue
		}
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b window) int { return a.start - b.start })
	return all
}

// readHolidays reads one calendar of hours: `br`, or `{br: {without: [Carnaval]}}`.
func (l *loader) readHolidays(h *hours, item *yaml.Node) {
	if item.Kind == yaml.ScalarNode {
		l.addCalendar(h, item, nil)
		return
	}
	for k, v := range l.entries(item) {
		var without []string
		for name := range l.items(l.child(v, "without")) {
			without = append(without, name.Value)
		}
		l.addCalendar(h, k, l.child(v, "without"), without...)
	}
}

func (l *loader) addCalendar(h *hours, name, at *yaml.Node, without ...string) {
	for _, c := range h.calendars {
		if c.title() == name.Value {
			l.fail(name, "duplicate-name", fmt.Sprintf("the calendar %s is already there", quoted(name.Value)), "take one of them out")
			return
		}
	}
	if l.use(aCalendar, name.Value) {
		if at != nil {
			l.fail(at, "conflicting-keys", "only from a public calendar can holidays be left out", "take them out of your own calendar")
		}
		if c := l.f.calendars[name.Value]; c != nil {
			h.calendars = append(h.calendars, c)
		}
		return
	}
	known := append(l.known[aCalendar][:len(l.known[aCalendar]):len(l.known[aCalendar])], publicCalendarCodes()...)
	if !slices.Contains(known, name.Value) {
		l.errorAt(l.of(name), "unknown-name", noSuch(aCalendar, name.Value), l.didYouMean(name.Value, known))
		return
	}
	c, err := publicCalendar(name.Value, without)
	if err != nil {
		message, hint, _ := strings.Cut(err.Error(), "; ")
		l.fail(l.wrongHoliday(at, name.Value), "unknown-name", message, hint)
		return
	}
	h.calendars = append(h.calendars, c)
}

// wrongHoliday is the first of the holidays to leave out that the calendar does not have.
func (l *loader) wrongHoliday(list *yaml.Node, code string) *yaml.Node {
	for item := range l.items(list) {
		if _, err := publicCalendar(code, []string{item.Value}); err != nil {
			return item
		}
	}
	return list
}

func (l *loader) readDates(h *hours, n *yaml.Node) {
	var keys []*yaml.Node
	for k, v := range l.entries(n) {
		spec, err := parseDateKey(k.Value)
		if err != nil {
			l.failWith(k, "bad-date", err)
			continue
		}
		keys = append(keys, k)
		h.dates = append(h.dates, dateRule{spec, l.windows(v)})
		if _, second, err := h.checkDates(); err != nil {
			l.failWith(keys[second], "overlapping-dates", err)
			keys, h.dates = keys[:len(keys)-1], h.dates[:len(h.dates)-1]
		}
	}
}

// dateUntil is the instant from which a list entry no longer counts: a date counts to its last second in the file's zone,
// an instant is exclusive.
func dateUntil(s string, loc *time.Location) (time.Time, error) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		y, m, d := day.Date()
		return endOfDay(y, m, d, loc), nil
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("until %q is no date; write 2027-01-31, or an instant such as 2027-01-31T18:00:00-03:00", s)
}
