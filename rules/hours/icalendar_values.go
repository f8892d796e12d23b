package hours

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// firstRepeatYear is the first year in which an event that repeats may start. (Some programs write birthdays without a
// year as of 1604.)
const firstRepeatYear = 1600

const secondsOfADay = 24 * 60 * 60

// calendarTime is a DATE or DATE-TIME, as the clock on the wall shows it.
type calendarTime struct {
	day    civil
	clock  int  // seconds since midnight
	allDay bool // a DATE
}

func (t calendarTime) before(o calendarTime) bool {
	return t.day.key() < o.day.key() || t.day == o.day && t.clock < o.clock
}

// plus is the time a while later.
func (t calendarTime) plus(d duration) calendarTime {
	seconds := t.clock + d.seconds
	t.day = t.day.plus(d.days + seconds/secondsOfADay)
	t.clock = seconds % secondsOfADay
	return t
}

// parseICalTime reads a DATE or DATE-TIME. One in UTC is read in the zone. Of any other the zone does not matter: a day
// is a holiday while the clock shows it.
func parseICalTime(s string, zone *time.Location) (*calendarTime, *faulty) {
	for _, form := range []string{"20060102", "20060102T150405", "20060102T150405Z"} {
		t, err := time.Parse(form, strings.ToUpper(s))
		if err != nil {
			continue
		}
		if strings.HasSuffix(form, "Z") {
			t = t.In(zone)
		}
		clock := (t.Hour()*60+t.Minute())*60 + t.Second()
		return &calendarTime{day: civilOf(t), clock: clock, allDay: len(form) == len("20060102")}, nil
	}
	return nil, &faulty{fmt.Sprintf("%q is no date", shortName(s)), "write it as 20261225 or 20261225T000000"}
}

// duration is a DURATION.
type duration struct{ days, seconds int }

// icalDuration matches a DURATION: weeks, days, hours, minutes, seconds.
func icalDuration() *regexp.Regexp {
	return regexp.MustCompile(
		`^\+?P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?$`)
}

// parseICalDuration reads a DURATION such as P1D or PT24H.
func parseICalDuration(s string) (*duration, *faulty) {
	parts := icalDuration().FindStringSubmatch(strings.ToUpper(s))
	if parts == nil {
		return nil, &faulty{fmt.Sprintf("%q is no length of time", shortName(s)), "write it as P1D"}
	}
	var n [6]int
	for i := range n {
		n[i], _ = strconv.Atoi(parts[i]) // digits, or nothing
	}
	seconds := (n[3]*60+n[4])*60 + n[5]
	return &duration{7*n[1] + n[2] + seconds/secondsOfADay, seconds % secondsOfADay}, nil
}

// readRule makes a rule that gives the days on which the event starts. It is nil if it ends before the event begins.
func (e *eventReader) readRule(s string, zone *time.Location) (rule *rrule.RRule, err *faulty) {
	// The library panics on some rules that RFC 5545 does not allow.
	defer func() {
		if p := recover(); p != nil {
			rule, err = nil, &faulty{"the rule cannot be worked out", "write the days as events of their own"}
		}
	}()
	parts := strings.Split(strings.ToUpper(strings.Trim(s, "; ")), ";")
	var end string
	if i := slices.IndexFunc(parts, func(p string) bool { return strings.HasPrefix(p, "UNTIL=") }); i >= 0 {
		end = strings.TrimPrefix(parts[i], "UNTIL=")
		parts = slices.Delete(parts, i, i+1)
	}
	option, failed := rrule.StrToROption(strings.Join(parts, ";"))
	if failed != nil {
		return nil, &faulty{fmt.Sprintf("the rule cannot be read (%s)", failed), "correct it, as in FREQ=YEARLY"}
	}
	if err := checkRule(option, e.start.year); err != nil {
		return nil, err
	}
	if end != "" {
		last, err := e.until(end, zone)
		if err != nil {
			return nil, err
		}
		if last.key() < e.start.key() {
			return nil, nil
		}
		option.Until = last.utc()
	}
	// Days only: what hours a rule names makes no difference to them.
	option.Byhour, option.Byminute, option.Bysecond = nil, nil, nil
	option.Dtstart = e.start.utc()
	if rule, failed = rrule.NewRRule(*option); failed != nil {
		return nil, &faulty{fmt.Sprintf("the rule cannot be read (%s)", failed), "correct it, as in FREQ=YEARLY"}
	}
	if _, some := rule.Iterator()(); !some {
		return nil, &faulty{"the rule gives no day at all", "correct it, or remove the event"}
	}
	return rule, nil
}

// checkRule refuses what RFC 5545 does not allow, and what no holiday needs and costs much.
func checkRule(o *rrule.ROption, year int) *faulty {
	switch {
	case o.Freq > rrule.DAILY:
		return &faulty{"the rule repeats within a day", "repeat it daily at most"}
	case len(o.Byeaster) > 0:
		return &faulty{"BYEASTER is no part of iCalendar", "write the days as RDATE"}
	case o.Interval > 1000:
		return &faulty{fmt.Sprintf("the interval is %d", o.Interval), "write 1000 at most"}
	case year < firstRepeatYear:
		return &faulty{
			fmt.Sprintf("it repeats since %d", year), fmt.Sprintf("let it start in %d or later", firstRepeatYear),
		}
	}
	for _, day := range o.Byweekday {
		if n := max(day.N(), -day.N()); n > 5 && (o.Freq != rrule.YEARLY || len(o.Bymonth) > 0) {
			return &faulty{fmt.Sprintf("BYDAY has the weekday number %d of a month", day.N()), "write 5 at most"}
		}
	}
	return nil
}

// until is the last day on which the event may start.
func (e *eventReader) until(s string, zone *time.Location) (civil, *faulty) {
	if day, isMidnight := strings.CutSuffix(s, "T000000Z"); isMidnight && e.starts.allDay {
		s = day // so some programs write a DATE
	}
	t, err := parseICalTime(s, zone)
	if err != nil {
		return civil{}, &faulty{"UNTIL: " + err.message, err.hint}
	}
	if !e.starts.allDay && !t.allDay && t.clock < e.starts.clock {
		return t.day.before(), nil
	}
	return t.day, nil
}
