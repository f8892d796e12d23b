package hours

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// durationForms tells an author how a duration is written.
const durationForms = `write 90s, 1h30m, 7d or 1d12h`

// durationUnits are the units of a duration, largest first: they must come in
// this order and each at most once.
var durationUnits = [...]struct {
	name string
	unit time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}

// ParseDuration reads a duration as it is written in a rules file and in flags: "90s", "1h30m", "7d", "1d12h", "500ms".
// A day is 24 hours. Only whole numbers are read, units go from the largest to the smallest, and the result is more
// than zero. The error says what to write.
func ParseDuration(s string) (time.Duration, error) {
	d, err := ParseDurationOrZero(s)
	if err == nil && d == 0 {
		return 0, fmt.Errorf("duration %q is zero: it must be more than that; %s", s, durationForms)
	}
	return d, err
}

// ParseDurationOrZero is ParseDuration for settings that may be switched off
// with "0s" (or a bare 0).
func ParseDurationOrZero(s string) (time.Duration, error) {
	bad := func(what string) (time.Duration, error) {
		return 0, fmt.Errorf("duration %q %s; %s", s, what, durationForms)
	}
	rest := strings.TrimSpace(s)
	switch {
	case rest == "":
		return bad("is empty")
	case rest == "0":
		return 0, nil
	case rest[0] == '-':
		return bad("is negative")
	}
	var total time.Duration
	largest := 0
	for rest != "" {
		number, unit, tail := cutAmount(rest)
		rest = tail
		if number == "" {
			return bad("does not start with a number")
		}
		if unit == "" {
			return bad("has no unit (d, h, m, s)")
		}
		if strings.HasPrefix(unit, ".") || strings.HasPrefix(unit, ",") {
			return bad("has a fraction, only whole numbers are read")
		}
		i := largest
		for i < len(durationUnits) && durationUnits[i].name != unit {
			i++
		}
		if i == len(durationUnits) {
			return bad(unitProblem(unit))
		}
		largest = i + 1
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n > int64((1<<63-1-total)/durationUnits[i].unit) {
			return bad("is too long")
		}
		total += time.Duration(n) * durationUnits[i].unit
	}
	return total, nil
}

// cutAmount splits "1h30m" into "1", "h" and "30m".
func cutAmount(s string) (number, unit, rest string) {
	isDigit := func(c byte) bool { return '0' <= c && c <= '9' }
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	j := i
	for j < len(s) && !isDigit(s[j]) {
		j++
	}
	return s[:i], s[i:j], s[j:]
}

func unitProblem(unit string) string {
	for _, u := range durationUnits {
		if u.name == unit {
			return "has its units twice or out of order"
		}
	}
	return fmt.Sprintf("has the unknown unit %q (units are d, h, m, s)", unit)
}

// timeForms tells an author how an instant is written.
const timeForms = `write 2026-11-23T22:15:00-03:00, "2026-11-23 22:15" or 18:00`

// ParseTime reads an instant: RFC 3339; "2026-11-23 22:15" (":30" optional) as a clock in loc would show it; or
// "18:00", the next time after now that a clock in loc shows it. A local time that exists twice, when clocks are set
// back, is the first of the two; one that does not exist, when they are set forward, is refused. The result is in loc.
func ParseTime(s string, loc *time.Location, now time.Time) (time.Time, error) {
	s = strings.TrimSpace(s)
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.In(loc), nil
	}
	if minute, err := ParseClock(s); err == nil {
		return nextClock(minute, loc, now)
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05"} {
		wall, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		at := wallInstants(wall, loc)
		if len(at) == 0 {
			return time.Time{}, fmt.Errorf("time %q does not exist in %s: clocks are set forward over it; write a "+
				"time before or after it, or one with its offset as in RFC 3339", s, loc)
		}
		return at[0], nil
	}
	return time.Time{}, fmt.Errorf("time %q cannot be read: %s", s, timeForms)
}

// nextClock is the first instant after now at which a clock in loc shows the
// minute of the day.
func nextClock(minute int, loc *time.Location, now time.Time) (time.Time, error) {
	y, m, d := now.In(loc).Date()
	// Four days are enough: no place skips the same time of day so often.
	for day := range 4 {
		wall := time.Date(y, m, d+day, 0, minute, 0, 0, time.UTC)
		for _, t := range wallInstants(wall, loc) {
			if t.After(now) {
				return t, nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("clocks in %s do not show %02d:%02d in the next days: write the date as well", loc,
		minute/60, minute%60)
}

// ParseClock reads "9:00" or "09:00" as minutes of the day, up to 23:59.
func ParseClock(s string) (minute int, err error) {
	minute, err = parseClockOrEnd(s)
	if err == nil && minute == MinutesPerDay {
		return 0, fmt.Errorf("time %q is only legal as an end; write 00:00", s)
	}
	return minute, err
}

// parseClockOrEnd is parseClock with 24:00, the end of the day, allowed.
func parseClockOrEnd(s string) (minute int, err error) {
	h, m, found := strings.Cut(s, ":")
	if !found || len(h) < 1 || len(h) > 2 || len(m) != 2 || !allDigits(h) || !allDigits(m) {
		return 0, fmt.Errorf("time %q cannot be read: write it as 09:00", s)
	}
	hour, _ := strconv.Atoi(h)
	min, _ := strconv.Atoi(m)
	if min > 59 || hour > 24 || hour == 24 && min > 0 {
		return 0, fmt.Errorf("time %q does not exist: hours go from 00 to 23 and minutes from 00 to 59 (24:00 is "+
			"legal as an end)", s)
	}
	return hour*60 + min, nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// wallInstants are the instants, earliest first, at which a clock in loc shows
// what wall shows in UTC: one as a rule, none or two when clocks are set.
func wallInstants(wall time.Time, loc *time.Location) []time.Time {
	var at []time.Time
	// Offsets from UTC lie between -12 and +14 hours, with room to spare.
	last := wall.Add(16 * time.Hour)
	for p := zonePeriodAt(wall.Add(-16*time.Hour), loc); ; p = p.next() {
		if t := wall.Add(-p.offset); p.contains(t) {
			at = append(at, t.In(loc))
		}
		if p.end.IsZero() || p.end.After(last) {
			return at
		}
	}
}

// HasWholeMinutes reports whether the offsets of all time zones are whole minutes at an instant: only then does a
// minute begin everywhere at once. The last zone followed in 1972.
func HasWholeMinutes(t time.Time) bool { return t.Unix() >= wholeMinutesSince }

// wholeMinutesSince is 1973-01-01T00:00:00Z.
const wholeMinutesSince = 94_694_400

// zonePeriod is a stretch of time in which a zone keeps one offset from UTC.
type zonePeriod struct {
	start, end time.Time // [start, end); zero: unbounded
	offset     time.Duration
	loc        *time.Location
}

func zonePeriodAt(t time.Time, loc *time.Location) zonePeriod {
	t = t.In(loc)
	start, end := t.ZoneBounds()
	_, offset := t.Zone()
	return zonePeriod{start, end, time.Duration(offset) * time.Second, loc}
}

// next is the period that follows; p must have an end.
func (p zonePeriod) next() zonePeriod { return zonePeriodAt(p.end, p.loc) }

func (p zonePeriod) contains(t time.Time) bool {
	return (p.start.IsZero() || !t.Before(p.start)) && (p.end.IsZero() || t.Before(p.end))
}
