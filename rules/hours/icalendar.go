package hours

import (
	"fmt"
	"iter"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
)

// The bounds of a calendar file, beside its size.
const (
	maxEvents       = 10_000
	maxRepeatedDays = 500_000 // of all that repeat, from their starts to the last year that is worked out at once
	maxContentLine  = 20_000  // bytes of a line with its continuations
	maxFaults       = 20      // then reading stops
)

// CalendarFault is one thing that is wrong with a calendar file.
type CalendarFault struct {
	Code    string // of the problem that it is: "bad-calendar", "part-day-event" or "past-date"
	Warning bool   // the calendar is of use all the same
	Line    int    // from 1
	Message string
	Hint    string // what to do
}

// ReadCalendar makes a calendar of the lines of an iCalendar file (RFC 5545). Each day that an event covers from
// midnight to midnight is a holiday. A time in UTC is read in the zone, any other as the clock that it names shows it.
// The years up to two after now are worked out at once, later ones when they are asked for. The calendar is nil if any
// fault is not a warning.
func ReadCalendar(
	name string, lines iter.Seq2[int, string], zone *time.Location, now time.Time,
) (Calendar, []CalendarFault) {
	r := &calendarReader{zone: zone, calendar: &fileCalendar{
		name: name, moved: map[occurrence]bool{}, horizon: now.Year() + 2,
	}}
	r.read(lines)
	c := r.calendar
	if len(r.faults) == 0 {
		if late := c.workOutKnown(); late != nil {
			r.fault(late.line, fmt.Sprintf("the events up to here make more than %d days", maxRepeatedDays),
				"let those that repeat start later, or end with UNTIL")
		}
	}
	if len(r.faults) > 0 {
		return nil, r.faults
	}
	return c, append(r.partDays(), r.past(now)...)
}

// calendarReader reads the structure of a calendar file. golang-ical reads the lines, and rrule-go works out what
// repeats. The structure around them is read here because a fault needs its line in the file: golang-ical's reader of
// whole calendars keeps none.
type calendarReader struct {
	zone     *time.Location
	calendar *fileCalendar
	faults   []CalendarFault

	open   []opened        // the components that have begun, the outermost first
	event  *eventReader    // of the VEVENT that is read
	events int             // VEVENTs, with those that do not count
	parts  []*fileEvent    // events that cover no whole day
	line   int             // of the content line that is collected
	text   strings.Builder // the content line, unfolded
}

// opened is a component that has begun.
type opened struct {
	name string
	line int
}

// faulty is an error that says what to do.
type faulty struct{ message, hint string }

func (f faulty) Error() string { return f.message + ": " + f.hint }

// fault notes an error.
func (r *calendarReader) fault(line int, message, hint string) {
	r.faults = append(r.faults, CalendarFault{Code: "bad-calendar", Line: line, Message: message, Hint: hint})
}

// read reads the file up to its end, or to the fault that makes no sense of what follows.
func (r *calendarReader) read(lines iter.Seq2[int, string]) {
	last := 1
	for n, line := range lines {
		if line == "" {
			continue
		}
		last = n
		if r.line > 0 && (line[0] == ' ' || line[0] == '\t') {
			r.text.WriteString(line[1:])
			continue
		}
		if !r.contentLine() {
			return
		}
		r.line = n
		r.text.Reset()
		r.text.WriteString(line)
	}
	if !r.contentLine() {
		return
	}
	switch {
	case len(r.open) > 0:
		o := r.open[len(r.open)-1]
		r.fault(last, fmt.Sprintf("the file ends inside the %s that begins at line %d", o.name, o.line),
			"it was cut off: export or download it again")
	case r.line == 0:
		r.fault(1, "the file is empty", "export or download it again")
	case r.events == 0:
		r.fault(1, "there is no event in the calendar", "export or download it again")
	}
}

// isEventProperty reports whether a property of an event is read. Others, and other components, are skipped unread.
func isEventProperty(name string) bool {
	switch name {
	case "UID", "SUMMARY", "STATUS", "DTSTART", "DTEND", "DURATION",
		"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID":
		return true
	}
	return false
}

// contentLine reads the line that has been collected. It returns false if reading further makes no sense.
func (r *calendarReader) contentLine() bool {
	text := r.text.String()
	if strings.TrimSpace(text) == "" {
		return true
	}
	name := text
	if i := strings.IndexAny(text, ":;"); i >= 0 {
		name = text[:i]
	}
	name = strings.ToUpper(strings.TrimSpace(name))
	if name == "BEGIN" || name == "END" {
		_, value, _ := strings.Cut(text, ":")
		return r.component(name, strings.ToUpper(strings.TrimSpace(value)))
	}
	if len(r.open) == 0 {
		r.fault(r.line, "this is no iCalendar file: it does not start with BEGIN:VCALENDAR",
			"export or download the calendar in the iCalendar format (.ics)")
		return false
	}
	if r.event == nil || r.event.depth != len(r.open)-1 || !isEventProperty(name) {
		return true
	}
	if len(text) > maxContentLine {
		r.fault(r.line, fmt.Sprintf("%s is longer than %d bytes", name, maxContentLine), "split it in several lines")
		return false
	}
	property, err := ics.ParseProperty(ics.ContentLine(text))
	if err != nil || property == nil {
		r.fault(r.line, fmt.Sprintf("%s cannot be read", name), "write NAME:value, or export the calendar again")
	} else {
		r.event.property(r, name, property)
	}
	return len(r.faults) < maxFaults
}

// component begins or ends a component.
func (r *calendarReader) component(what, name string) bool {
	switch {
	case what == "BEGIN" && len(r.open) == 0 && name != "VCALENDAR":
		r.fault(r.line, "this is no iCalendar file: it does not start with BEGIN:VCALENDAR",
			"export or download the calendar in the iCalendar format (.ics)")
		return false
	case what == "BEGIN":
		r.open = append(r.open, opened{name, r.line})
		if name == "VEVENT" && r.event == nil {
			r.event = &eventReader{fileEvent: &fileEvent{line: r.line}, depth: len(r.open) - 1}
		}
		return true
	case len(r.open) == 0 || r.open[len(r.open)-1].name != name:
		r.fault(r.line, fmt.Sprintf("END:%s ends nothing that is open here", name),
			"the file is damaged: export or download it again")
		return false
	}
	r.open = r.open[:len(r.open)-1]
	if name == "VEVENT" && r.event != nil && r.event.depth == len(r.open) {
		return r.endEvent() && len(r.faults) < maxFaults
	}
	return true
}

// endEvent adds the event that has been read to the calendar. It returns false if there are too many.
func (r *calendarReader) endEvent() bool {
	e := r.event
	r.event = nil
	if r.events++; r.events > maxEvents {
		r.fault(e.line, fmt.Sprintf("there are more than %d events", maxEvents), "remove those that are past")
		return false
	}
	if e.instead != nil && e.uid != "" {
		r.calendar.moved[occurrence{e.uid, *e.instead}] = true
	}
	if event := e.finish(r); event != nil {
		if event.days == 0 {
			r.parts = append(r.parts, event)
		} else {
			r.calendar.events = append(r.calendar.events, event)
		}
	}
	return true
}

// partDays warns, once for the whole file, of events that cover no whole day.
func (r *calendarReader) partDays() []CalendarFault {
	if len(r.parts) == 0 {
		return nil
	}
	first := r.parts[0]
	message := fmt.Sprintf("the event %q covers no whole day, so it is no holiday", first.name)
	if n := len(r.parts); n > 1 {
		message = fmt.Sprintf("%d events cover no whole day, so they are no holidays; the first is %q", n, first.name)
	}
	return []CalendarFault{{
		Code: "part-day-event", Warning: true, Line: first.line, Message: message,
		Hint: "if it should close the day, make it an all-day event; shorter hours go under `dates` of the hours",
	}}
}

// past warns of a calendar whose last day is over.
func (r *calendarReader) past(now time.Time) []CalendarFault {
	last := r.calendar.last
	if last == (civil{}) || last.key() >= civilOf(now.In(r.zone)).key() {
		return nil
	}
	return []CalendarFault{{
		Code: "past-date", Warning: true, Line: 1,
		Message: fmt.Sprintf("the calendar has no holiday to come: its last was on %s", last),
		Hint:    "put the calendar of this year in its place",
	}}
}
