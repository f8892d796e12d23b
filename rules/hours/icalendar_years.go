package hours

import (
	"sync/atomic"
	"time"
)

// fileCalendar is a calendar from an iCalendar file.
type fileCalendar struct {
	name    string
	events  []*fileEvent
	moved   map[occurrence]bool // occurrences that other events stand for
	horizon int                 // the last year that is worked out at once
	last    civil               // the last holiday, of those that repeat up to the horizon; the zero day: there is none
	years   [keptYears]atomic.Pointer[holidayYear]
}

// occurrence is one of an event that repeats, by the event's UID and the day on which it would start.
type occurrence struct {
	uid string
	day civil
}

func (c *fileCalendar) Title() string { return c.name }

func (c *fileCalendar) Holiday(y int, m time.Month, d int) (string, bool) {
	if m < time.January || m > time.December || d < 1 || d > 31 {
		return "", false
	}
	name := c.year(y)[m-1][d-1]
	return name, name != ""
}

// year returns the holidays of a year.
func (c *fileCalendar) year(y int) *holidayYear {
	i := y - firstKeptYear
	kept := i >= 0 && i < keptYears
	if kept {
		if known := c.years[i].Load(); known != nil {
			return known
		}
	}
	// Two callers may both work it out; the results are the same.
	worked := new(holidayYear)
	c.work(y, y, 0, worked.mark)
	if kept {
		c.years[i].Store(worked)
	}
	return worked
}

// workOutKnown works out the years up to the horizon. If what repeats makes more days than are allowed, it returns the
// event with which it does.
func (c *fileCalendar) workOutKnown() *fileEvent {
	for y := firstKeptYear; y <= min(c.horizon, firstKeptYear+keptYears-1); y++ {
		c.years[y-firstKeptYear].Store(new(holidayYear))
	}
	for _, e := range c.events {
		if len(e.rules) == 0 {
			c.noteLast(e.start.plus(e.shift + e.days - 1))
		}
		for _, day := range e.extra {
			c.noteLast(day.plus(e.shift + e.days - 1))
		}
	}
	return c.work(0, c.horizon, maxRepeatedDays, func(day civil, name string) {
		c.noteLast(day)
		if i := day.year - firstKeptYear; i >= 0 && i < keptYears {
			c.years[i].Load().mark(day, name)
		}
	})
}

func (c *fileCalendar) noteLast(day civil) {
	if c.last.key() < day.key() {
		c.last = day
	}
}

// mark gives a day its name. The first one stays.
func (h *holidayYear) mark(day civil, name string) {
	if at := &h[day.month-1][day.day-1]; *at == "" {
		*at = name
	}
}

// work marks the holidays of the years from first to last. It ends at the event that brings the days of what repeats,
// counted since each event began, to more than the most given (0: there is none), and returns it.
func (c *fileCalendar) work(first, last, most int, mark func(day civil, name string)) *fileEvent {
	days := 0
	for _, e := range c.events {
		add := func(start civil) {
			if e.not[start] || !e.instance && c.moved[occurrence{e.uid, start}] {
				return
			}
			for i := range e.days {
				if day := start.plus(e.shift + i); first <= day.year && day.year <= last {
					mark(day, e.name)
				}
			}
		}
		if len(e.rules) == 0 {
			add(e.start)
		}
		for _, day := range e.extra {
			add(day)
		}
		for _, rule := range e.rules {
			next := rule.Iterator()
			for t, more := next(); more && t.Year() <= last; t, more = next() {
				if days += e.days; most > 0 && days > most {
					return e
				}
				// What ends before the first year need not be taken apart.
				if t.Year() >= first-2 {
					add(civilOf(t))
				}
			}
		}
	}
	return nil
}
