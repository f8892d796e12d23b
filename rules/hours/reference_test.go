package hours

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// painted is the reference for open: every minute that the wall can show, with the ones painted in which it is open. It
// is made from the text of the plan, day by day, and shares nothing with hours but the holidays.
type painted struct {
	loc     *time.Location
	first   time.Time // midnight as if in UTC
	minutes []bool
}

func (p painted) open(at time.Time) bool {
	wall := at.In(p.loc)
	asUTC := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), 0, 0, time.UTC)
	i := int(asUTC.Sub(p.first) / time.Minute)
	return p.minutes[i]
}

// paint paints the years, and some days on both sides.
func paint(t *testing.T, zone, weekly, dates string, holidays Calendar, fromYear, toYear int) painted {
	t.Helper()
	first := time.Date(fromYear-1, 12, 25, 0, 0, 0, 0, time.UTC)
	last := time.Date(toYear+1, 1, 10, 0, 0, 0, 0, time.UTC)
	p := painted{location(t, zone), first, make([]bool, int(last.Sub(first)/time.Minute))}
	for day := first; day.Before(last); day = day.AddDate(0, 0, 1) {
		for _, w := range windowsFor(day, weekly, dates, holidays) {
			from, to, _ := strings.Cut(w, "-")
			i := int(day.Sub(first)/time.Minute) + minuteOf(from)
			end := i + (minuteOf(to)-minuteOf(from)+2*24*60)%(24*60)
			if to == "24:00" {
				end = int(day.Sub(first)/time.Minute) + 24*60
			}
			for ; i < end && i < len(p.minutes); i++ {
				p.minutes[i] = true
			}
		}
	}
	return p
}

func minuteOf(clock string) int {
	var h, m int
	if _, err := fmt.Sscanf(clock, "%d:%d", &h, &m); err != nil {
		panic(err)
	}
	return h*60 + m
}

// windowsFor finds the windows that start on a day: each kind of date in turn,
// then the holidays, then the weekday.
func windowsFor(day time.Time, weekly, dates string, holidays Calendar) []string {
	iso := day.Format("2006-01-02")
	matches := []func(key string) bool{
		func(key string) bool { return key == iso },
		func(key string) bool { return key == iso[5:] },
		func(key string) bool {
			from, to, isRange := strings.Cut(key, "..")
			return isRange && from <= iso && iso <= to
		},
	}
	for _, match := range matches {
		for part := range strings.SplitSeq(dates, ";") {
			if f := strings.Fields(part); len(f) > 0 && match(f[0]) {
				if f[1] == "closed" {
					return nil
				}
				return f[1:]
			}
		}
	}
	if _, ok := holidays.Holiday(day.Date()); ok {
		return nil
	}
	var windows []string
	for part := range strings.SplitSeq(weekly, ";") {
		if f := strings.Fields(part); len(f) > 0 && dayNamed(f[0], day) {
			windows = append(windows, f[1:]...)
		}
	}
	return windows
}

// dayNamed understands as much as the plans here need: ranges that do not wrap.
func dayNamed(days string, day time.Time) bool {
	const week = "mon tue wed thu fri sat sun"
	at := func(name string) int { return strings.Index(week, name) }
	today := at(strings.ToLower(day.Format("Mon")))
	if days == "daily" {
		return true
	}
	from, to, isRange := strings.Cut(days, "-")
	if !isRange {
		to = from
	}
	return at(from) <= today && today <= at(to)
}

// randomPlan makes a plan of windows on quarters of an hour, many around
// midnight and the hours at which clocks are set, and dates of every kind.
func randomPlan(seed uint64) (weekly, dates string) {
	r := rand.New(rand.NewPCG(seed, 1))
	clock := func() string {
		return fmt.Sprintf("%02d:%02d", []int{0, 1, 2, 3, 9, 12, 18, 22, 23}[r.IntN(9)], 15*r.IntN(4))
	}
	windows := func() string {
		if r.IntN(4) == 0 {
			return "closed"
		}
		from, to := clock(), clock()
		if r.IntN(5) == 0 {
			to = "24:00"
		}
		if from == to {
			return "00:00-24:00"
		}
		return from + "-" + to
	}
	var w, d []string
	for _, days := range []string{"mon-wed", "thu", "fri", "sat", "sun"} {
		if windows := windows(); windows != "closed" {
			w = append(w, days+" "+windows)
		}
	}
	for i := range 60 {
		day := time.Date(2018, 1, 1+6*i+r.IntN(6), 0, 0, 0, 0, time.UTC)
		key := day.Format("2006-01-02")
		switch r.IntN(3) {
		case 0:
			key = day.Format("01-02")
		case 1:
			key += ".." + day.AddDate(0, 0, r.IntN(3)).Format("2006-01-02")
		}
		d = append(d, key+" "+windows())
	}
	return strings.Join(w, "; "), strings.Join(d, "; ")
}
