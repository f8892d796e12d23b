package hours

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MinutesPerDay is where a day ends: windows may end there, and no clock shows it.
const MinutesPerDay = 24 * 60

// Window is a stretch of opening hours, [start, end) in minutes of the day. If the end is not after the start it runs
// past midnight, and belongs to the day on which it starts.
type Window struct{ Start, End int }

func (w Window) overnight() bool { return w.End <= w.Start }

func (w Window) String() string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", w.Start/60, w.Start%60, w.End/60, w.End%60)
}

// until is the end counted from the midnight before the start.
func (w Window) until() int {
	if w.overnight() {
		return w.End + MinutesPerDay
	}
	return w.End
}

// ParseWindow reads "09:00-18:00", "22:00-06:00" or "00:00-24:00".
func ParseWindow(s string) (Window, error) {
	from, to, found := strings.Cut(strings.TrimSpace(s), "-")
	if !found {
		return Window{}, fmt.Errorf("hours %q are not a start and an end: write 09:00-18:00, or closed", s)
	}
	start, err := ParseClock(strings.TrimSpace(from))
	if err != nil {
		return Window{}, fmt.Errorf("hours %q: start: %w", s, err)
	}
	end, err := parseClockOrEnd(strings.TrimSpace(to))
	if err != nil {
		return Window{}, fmt.Errorf("hours %q: end: %w", s, err)
	}
	if start == end {
		return Window{}, fmt.Errorf("hours %q end when they start: write 00:00-24:00 for the whole day, or closed "+
			"for none of it", s)
	}
	return Window{start, end}, nil
}

// CheckWindows refuses windows of one day that overlap. What a night shift
// shares with the next day is no mistake.
func CheckWindows(ws []Window) error {
	for i, a := range ws {
		for _, b := range ws[:i] {
			if a.Start < b.until() && b.Start < a.until() {
				return fmt.Errorf("hours %s overlap with %s of the same day: join them, or let one end before the "+
					"other starts", a, b)
			}
		}
	}
	return nil
}

// weekdayNames are the days as they are written in a rules file, by time.Weekday.
var weekdayNames = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Weekdays returns the names of the days, by time.Weekday.
func Weekdays() []string { return slices.Clone(weekdayNames[:]) }

// ParseDays reads the days of a weekly plan: "mon", "mon-fri", "sat-mon",
// "mon,wed" or "daily", in the order written. A day named twice is an error.
func ParseDays(s string) ([]time.Weekday, error) {
	var days []time.Weekday
	var seen [7]bool
	for part := range strings.SplitSeq(s, ",") {
		from, to, err := dayRange(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("days %q: %w", s, err)
		}
		for d := from; ; d = (d + 1) % 7 {
			if seen[d] {
				return nil, fmt.Errorf("days %q name %s twice: name each day once", s, weekdayNames[d])
			}
			seen[d] = true
			days = append(days, d)
			if d == to {
				break
			}
		}
	}
	return days, nil
}

// dayRange reads one part of the days: a day, a range or "daily".
func dayRange(s string) (from, to time.Weekday, err error) {
	if s == "daily" {
		return time.Monday, time.Sunday, nil
	}
	first, last, isRange := strings.Cut(s, "-")
	if from, err = parseWeekday(strings.TrimSpace(first)); err != nil || !isRange {
		return from, from, err
	}
	if to, err = parseWeekday(strings.TrimSpace(last)); err == nil && from == to {
		err = fmt.Errorf("%q starts and ends on one day: write %s, or daily for the whole week", s, weekdayNames[from])
	}
	return from, to, err
}

func parseWeekday(s string) (time.Weekday, error) {
	for d, name := range weekdayNames {
		if s == name {
			return time.Weekday(d), nil
		}
	}
	lower := strings.ToLower(s)
	for d, name := range weekdayNames {
		if strings.HasPrefix(lower, name) {
			return 0, fmt.Errorf("unknown day %q: write %s", s, weekdayNames[d])
		}
	}
	return 0, fmt.Errorf("unknown day %q: days are mon, tue, wed, thu, fri, sat, sun, ranges as mon-fri, lists as "+
		"mon,wed, or daily", s)
}

// CheckExceptions refuses exceptions that contradict each other: the same day twice, or ranges that overlap. The
// indices are those of the two in h.dates, the first one first; they mean nothing if err is nil.
func (h *Plan) CheckExceptions() (i, j int, err error) {
	for j, b := range h.Exceptions {
		for i, a := range h.Exceptions[:j] {
			if a.On.kind != b.On.kind || !a.On.overlaps(b.On) {
				continue
			}
			if a.On.kind == dateRange {
				return i, j, fmt.Errorf("dates %s and %s overlap: let one end the day before the other starts", a.On,
					b.On)
			}
			return i, j, fmt.Errorf("date %s is there twice: keep one", b.On)
		}
	}
	return 0, 0, nil
}
