package hours

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rickar/cal/v2"
)

// Calendar says which days are holidays.
type Calendar interface {
	// Holiday reports whether a day is a holiday, and which. It does not
	// allocate, takes no lock and may be called from anywhere.
	Holiday(y int, m time.Month, d int) (name string, ok bool)
	// Title is the name by which rules files know the calendar.
	Title() string
}

// OwnHoliday is one entry of a calendar in the rules file.
type OwnHoliday struct {
	On   Dates
	Name string
}

// OwnCalendar is a calendar of the rules file's own.
func OwnCalendar(name string, entries []OwnHoliday) Calendar {
	return &ownCalendar{name, entries}
}

type ownCalendar struct {
	name    string
	entries []OwnHoliday
}

func (c *ownCalendar) Title() string { return c.name }

func (c *ownCalendar) Holiday(y int, m time.Month, d int) (string, bool) {
	day := civil{y, m, d}
	for i := range c.entries {
		if c.entries[i].On.contains(day) {
			return c.entries[i].Name, true
		}
	}
	return "", false
}

// PublicCalendar returns the calendar of a country's public holidays, by ISO code in small letters, less the holidays
// named in without. The error names what there is.
func PublicCalendar(code string, without []string) (Calendar, error) {
	all, ok := publicHolidays[code]
	if !ok {
		return nil, fmt.Errorf("unknown public calendar %q; known: %s", code, strings.Join(PublicCalendars(), ", "))
	}
	known := HolidayNames(code)
	for _, name := range without {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("calendar %s has no holiday %q; it has: %s", code, name, strings.Join(known, ", "))
		}
	}
	c := &publicHolidayCalendar{code: code}
	for _, h := range all {
		if !slices.Contains(without, h.Name) {
			c.holidays = append(c.holidays, h)
		}
	}
	return c, nil
}

// PublicCalendars are the codes publicCalendar knows, sorted.
func PublicCalendars() []string {
	codes := make([]string, 0, len(publicHolidays))
	for code := range publicHolidays {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	return codes
}

// HolidayNames returns the names of the holidays of a public calendar, each once, in the order of the library.
func HolidayNames(code string) []string {
	var names []string
	for _, h := range publicHolidays[code] {
		if !slices.Contains(names, h.Name) {
			names = append(names, h.Name)
		}
	}
	return names
}

// The years whose holidays are worked out once and kept. Any other year is
// worked out anew each time: right, but slower.
const (
	firstKeptYear = 2000
	keptYears     = 100
)

type publicHolidayCalendar struct {
	code     string
	holidays []*cal.Holiday
	years    [keptYears]atomic.Pointer[holidayYear]
}

// holidayYear has, for month and day, the name of the holiday, "" for none.
type holidayYear [12][31]string

func (c *publicHolidayCalendar) Title() string { return c.code }

func (c *publicHolidayCalendar) Holiday(y int, m time.Month, d int) (string, bool) {
	if m < time.January || m > time.December || d < 1 || d > 31 {
		return "", false
	}
	name := c.year(y)[m-1][d-1]
	return name, name != ""
}

func (c *publicHolidayCalendar) year(y int) *holidayYear {
	i := y - firstKeptYear
	if i < 0 || i >= keptYears {
		return c.workOut(y)
	}
	if kept := c.years[i].Load(); kept != nil {
		return kept
	}
	// Two callers may both work it out; the results are the same.
	worked := c.workOut(y)
	c.years[i].Store(worked)
	return worked
}

// workOut finds the holidays of a year: the days themselves and the days on which they are observed, which may belong
// to a holiday of the year before or after (New Year's Day on a Saturday is observed on 31 December).
func (c *publicHolidayCalendar) workOut(y int) *holidayYear {
	var days holidayYear
	mark := func(t time.Time, name string) {
		if t.IsZero() {
			return
		}
		// The library returns local midnights, or an hour off where
		// clocks are set at midnight: noon is surely on the day that is meant.
		day := civilOf(t.Add(12 * time.Hour))
		if day.year == y && days[day.month-1][day.day-1] == "" {
			days[day.month-1][day.day-1] = name
		}
	}
	for _, h := range c.holidays {
		actual, _ := h.Calc(y)
		mark(actual, h.Name)
	}
	for _, year := range [...]int{y, y - 1, y + 1} {
		for _, h := range c.holidays {
			_, observed := h.Calc(year)
			mark(observed, h.Name)
		}
	}
	return &days
}
