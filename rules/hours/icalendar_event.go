package hours

import (
	"fmt"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/teambition/rrule-go"
)

// maxEventDays is the length of the longest event, in days.
const maxEventDays = 366

// fileEvent is an event of a calendar file.
type fileEvent struct {
	line  int
	uid   string
	name  string
	start civil // the day on which it starts
	shift int   // from there to the first whole day that it covers: 0 or 1
	days  int   // whole days that it covers

	rules    []*rrule.RRule // each day that they give is a start, instead of the one above
	extra    []civil        // RDATE: further starts
	not      map[civil]bool // EXDATE: starts that do not happen
	instance bool           // it stands for one occurrence of another event
}

// eventReader is an event while it is read.
type eventReader struct {
	*fileEvent
	depth      int // of its component
	cancelled  bool
	unreadable bool // one of its properties is; that has been reported
	starts     *calendarTime
	ends       *calendarTime
	lasts      *duration
	endLine    int // of DTEND or DURATION
	repeats    []repeat
	instead    *civil // RECURRENCE-ID: the start of the occurrence that it stands for
}

// repeat is an RRULE.
type repeat struct {
	line int
	rule string
}

// property reads one property of the event.
func (e *eventReader) property(r *calendarReader, name string, p *ics.BaseProperty) {
	if err := e.read(r, name, p); err != nil {
		e.unreadable = true
		r.fault(r.line, name+": "+err.message, err.hint)
	}
}

func (e *eventReader) read(r *calendarReader, name string, p *ics.BaseProperty) (err *faulty) {
	value := strings.TrimSpace(p.Value)
	switch name {
	case "UID":
		e.uid = value
	case "SUMMARY":
		e.name = shortName(value)
	case "STATUS":
		e.cancelled = strings.EqualFold(value, "CANCELLED")
	case "DTSTART":
		e.starts, err = parseICalTime(value, r.zone)
	case "DTEND":
		e.ends, err = parseICalTime(value, r.zone)
		e.endLine = r.line
	case "DURATION":
		e.lasts, err = parseICalDuration(value)
		e.endLine = r.line
	case "RRULE":
		e.repeats = append(e.repeats, repeat{r.line, value})
	case "RDATE":
		e.extra, err = appendDays(e.extra, value, r.zone)
	case "EXDATE":
		var days []civil
		days, err = appendDays(nil, value, r.zone)
		for _, day := range days {
			if e.not == nil {
				e.not = map[civil]bool{}
			}
			e.not[day] = true
		}
	case "EXRULE":
		return &faulty{"this is out of use and not read", "write the days that are left out as EXDATE"}
	case "RECURRENCE-ID":
		if parameter(p, "RANGE") != "" {
			return &faulty{"an occurrence moved with all that follow is not read", "write two events that repeat"}
		}
		var t *calendarTime
		if t, err = parseICalTime(value, r.zone); err == nil {
			e.instead, e.instance = &t.day, true
		}
	}
	return err
}

// appendDays reads the list of an RDATE or EXDATE. Of a period, its start counts.
func appendDays(days []civil, list string, zone *time.Location) ([]civil, *faulty) {
	for part := range strings.SplitSeq(list, ",") {
		start, _, _ := strings.Cut(strings.TrimSpace(part), "/")
		t, err := parseICalTime(start, zone)
		if err != nil {
			return days, err
		}
		days = append(days, t.day)
	}
	return days, nil
}

// finish makes the event of its properties. It is nil if it never happens or cannot be used.
func (e *eventReader) finish(r *calendarReader) *fileEvent {
	if e.cancelled || e.unreadable {
		return nil
	}
	if e.starts == nil {
		r.fault(e.line, "the event has no DTSTART", "give it the day, such as DTSTART;VALUE=DATE:20261225")
		return nil
	}
	if e.name == "" {
		e.name = r.calendar.name
	}
	end := e.end()
	if end.before(*e.starts) {
		r.fault(e.endLine, "the event ends before it starts", "correct DTSTART or DTEND")
		return nil
	}
	e.start = e.starts.day
	if e.starts.clock > 0 {
		e.shift = 1
	}
	if e.days = max(0, e.start.plus(e.shift).daysTo(end.day)); e.days > maxEventDays {
		r.fault(e.line, fmt.Sprintf("the event covers more than %d days", maxEventDays),
			"correct DTEND, or let a shorter one repeat")
		return nil
	}
	if len(e.repeats) == 0 || e.days == 0 {
		return e.fileEvent
	}
	for _, repeat := range e.repeats {
		rule, err := e.readRule(repeat.rule, r.zone)
		if err != nil {
			r.fault(repeat.line, "RRULE: "+err.message, err.hint)
			return nil
		}
		if rule != nil {
			e.rules = append(e.rules, rule)
		}
	}
	if len(e.rules) == 0 && len(e.extra) == 0 {
		return nil // it was ended before it began
	}
	return e.fileEvent
}

// end is where the event ends. An all-day event without an end, or with one that is its start, is one day long: some
// programs write it so. One that ends at 23:59 ends at midnight.
func (e *eventReader) end() calendarTime {
	end := *e.starts
	switch {
	case e.ends != nil:
		end = *e.ends
	case e.lasts != nil:
		end = e.starts.plus(*e.lasts)
	}
	const lastMinute = secondsOfADay - 60
	if e.starts.allDay && end == *e.starts || end.clock >= lastMinute {
		end.day, end.clock = end.day.plus(1), 0
	}
	return end
}

// shortName is a summary on one line, and not too long for a message.
func shortName(s string) string {
	const most = 200
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > most {
		s = string(runes[:most]) + "…"
	}
	return s
}

// parameter returns the first value of a parameter, "" if there is none.
func parameter(p *ics.BaseProperty, name string) string {
	for have, values := range p.ICalParameters {
		if strings.EqualFold(have, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}
