package hours

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// errDateForm ends every error about a date.
var errDateForm = errors.New("write 2026-12-24, 12-24 for every year, or 2026-12-24..2026-12-31")

// civil is a day of the calendar, in no time zone.
type civil struct {
	year  int
	month time.Month
	day   int
}

func civilOf(t time.Time) civil {
	y, m, d := t.Date()
	return civil{y, m, d}
}

// EndOfDay is the first instant of the day after. Where clocks are set forward at midnight, that day begins later, and
// midnight itself would be read as an instant of the day before.
func EndOfDay(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d+1, 0, 0, 0, 0, loc)
	for next := civilOf(time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)); civilOf(t) != next; {
		t = t.Add(time.Minute)
	}
	return t
}

func (c civil) utc() time.Time { return time.Date(c.year, c.month, c.day, 0, 0, 0, 0, time.UTC) }

func (c civil) weekday() time.Weekday { return c.utc().Weekday() }

// before is the day before.
func (c civil) before() civil {
	if c.day > 1 {
		return civil{c.year, c.month, c.day - 1}
	}
	return civilOf(c.utc().AddDate(0, 0, -1))
}

// plus is the day n days later.
func (c civil) plus(n int) civil {
	if n == 0 {
		return c
	}
	return civilOf(c.utc().AddDate(0, 0, n))
}

// daysTo is by how many days o is later. It is exact up to some 290 years.
func (c civil) daysTo(o civil) int { return int(o.utc().Sub(c.utc()) / (24 * time.Hour)) }

// key orders days: the larger is the later.
func (c civil) key() int { return c.year*10000 + int(c.month)*100 + c.day }

func (c civil) String() string { return fmt.Sprintf("%04d-%02d-%02d", c.year, c.month, c.day) }

// dateKind says how many days a dateSpec names. The smaller beats the larger.
type dateKind int

const (
	singleDate dateKind = iota // 2026-12-24
	yearlyDate                 // 12-24
	dateRange                  // 2027-02-08..2027-02-10
)

// Dates is a day, the same day of each year, or a range of days.
type Dates struct {
	kind     dateKind
	from, to civil // to: the last day of a range, else from. Yearly: the year is 0
}

// contains reports whether the spec names the day.
func (s Dates) contains(day civil) bool {
	switch s.kind {
	case yearlyDate:
		return day.day == s.from.day && day.month == s.from.month
	case singleDate:
		return day == s.from
	default:
		return s.from.key() <= day.key() && day.key() <= s.to.key()
	}
}

// overlaps reports whether two specs of one kind have a day in common.
func (s Dates) overlaps(o Dates) bool {
	return s.from.key() <= o.to.key() && o.from.key() <= s.to.key()
}

// pastOn reports whether every day of the spec is before today.
func (s Dates) pastOn(today civil) bool {
	return s.kind != yearlyDate && s.to.key() < today.key()
}

func (s Dates) String() string {
	switch s.kind {
	case yearlyDate:
		return s.from.String()[len("0000-"):]
	case singleDate:
		return s.from.String()
	default:
		return s.from.String() + ".." + s.to.String()
	}
}

// ParseDates reads "2026-12-24", "12-24" (each year; 02-29 comes in leap
// years only) or "2027-02-08..2027-02-10". The error says what to write.
func ParseDates(s string) (Dates, error) {
	s = strings.TrimSpace(s)
	first, last, isRange := strings.Cut(s, "..")
	if !isRange {
		day, kind, err := parseDate(s)
		return Dates{kind, day, day}, err
	}
	from, fromKind, err := parseDate(strings.TrimSpace(first))
	if err != nil {
		return Dates{}, err
	}
	to, toKind, err := parseDate(strings.TrimSpace(last))
	if err != nil {
		return Dates{}, err
	}
	if fromKind != singleDate || toKind != singleDate {
		return Dates{}, fmt.Errorf("range %q needs a year on both sides: write 2026-12-24..2026-12-31", s)
	}
	if to.key() < from.key() {
		return Dates{}, fmt.Errorf("range %q ends before it starts: write %s..%s", s, to, from)
	}
	return Dates{dateRange, from, to}, nil
}

// parseDate reads "2026-12-24" or "12-24".
func parseDate(s string) (civil, dateKind, error) {
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return civilOf(t), singleDate, nil
	}
	// A leap year, for 29 February is a day of some years.
	if t, err := time.Parse("2006-01-02", "2024-"+s); err == nil {
		return civil{0, t.Month(), t.Day()}, yearlyDate, nil
	}
	parts := strings.Split(s, "-")
	for _, p := range parts {
		if !allDigits(p) {
			parts = nil
		}
	}
	if len(parts) == 2 && len(s) == len("12-24") || len(parts) == 3 && len(parts[0]) == 4 &&
		len(s) == len("2026-12-24") {
		return civil{}, 0, fmt.Errorf("date %q does not exist: %w", s, errDateForm)
	}
	return civil{}, 0, fmt.Errorf("date %q cannot be read: %w", s, errDateForm)
}

// FormatWhen writes an instant for a caller, as the clock of t's zone shows it,
// in en, pt or es: "Tue 24 Nov, 09:00", "ter 24/11, 09:00", "mar 24/11, 09:00".
func FormatWhen(t time.Time, language string) string {
	var day string
	switch language {
	case "pt":
		day = [...]string{"dom", "seg", "ter", "qua", "qui", "sex", "sáb"}[t.Weekday()]
	case "es":
		day = [...]string{"dom", "lun", "mar", "mié", "jue", "vie", "sáb"}[t.Weekday()]
	default:
		return t.Format("Mon 2 Jan, 15:04")
	}
	return day + t.Format(" 02/01, 15:04")
}
