package hours

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// plan builds hours from "mon-fri 09:00-12:00 13:00-18:00; fri 22:00-06:00" and
// dates from "2026-12-24 09:00-12:00; 12-31 closed".
func plan(t testing.TB, zone, weekly, dates string, calendars ...Calendar) *Plan {
	t.Helper()
	h := &Plan{Name: "test", Location: location(t, zone), Calendars: calendars}
	windows := func(fields []string) (ws []Window) {
		for _, f := range fields {
			if f == "closed" {
				continue
			}
			w, err := ParseWindow(f)
			if err != nil {
				t.Fatal(err)
			}
			ws = append(ws, w)
		}
		return ws
	}
	for part := range strings.SplitSeq(weekly, ";") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			continue
		}
		days, err := ParseDays(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range days {
			h.Weekly[d] = append(h.Weekly[d], windows(fields[1:])...)
		}
	}
	for part := range strings.SplitSeq(dates, ";") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			continue
		}
		spec, err := ParseDates(fields[0])
		if err != nil {
			t.Fatal(err)
		}
		h.Exceptions = append(h.Exceptions, Exception{spec, windows(fields[1:])})
	}
	return h
}

func public(t testing.TB, code string) Calendar {
	t.Helper()
	c, err := PublicCalendar(code, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOpenAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		name, weekly, dates string
		open, closed        string // local times in São Paulo
	}{
		{"half open", "mon-fri 09:00-18:00", "",
			"2026-11-23T09:00:00 2026-11-23T17:59:59", "2026-11-23T08:59:59 2026-11-23T18:00:00 2026-11-22T12:00:00"},
		{"night shift belongs to the day on which it starts", "fri 22:00-06:00", "",
			"2026-11-27T22:00:00 2026-11-27T23:00:00 2026-11-28T02:00:00 2026-11-28T05:59:59",
			"2026-11-27T02:00:00 2026-11-28T06:00:00 2026-11-28T23:00:00"},
		{"whole day", "mon 00:00-24:00", "",
			"2026-11-23T00:00:00 2026-11-23T23:59:59", "2026-11-22T23:59:59 2026-11-24T00:00:00"},
		{"until midnight", "mon 22:00-00:00", "",
			"2026-11-23T23:59:59", "2026-11-24T00:00:00"},
		{"a holiday is closed, the night shift before it runs on", "daily 22:00-06:00", "",
			"2026-12-24T23:00:00 2026-12-25T05:59:59 2026-12-26T22:00:00", "2026-12-25T22:00:00 2026-12-26T02:00:00"},
		{"a date beats a holiday", "daily 09:00-18:00", "2026-12-25 10:00-11:00",
			"2026-12-25T10:30:00", "2026-12-25T09:30:00"},
		{"a date replaces what starts on it, the night shift before it runs on", "daily 22:00-06:00",
			"2026-12-02 closed",
			"2026-12-02T05:00:00", "2026-12-02T23:00:00 2026-12-03T05:00:00"},
		{"a night shift of a date runs into the next day", "", "2026-12-02 20:00-04:00; 2026-12-03 closed",
			"2026-12-02T20:00:00 2026-12-03T03:59:59", "2026-12-03T04:00:00 2026-12-03T20:00:00"},
		{"single beats yearly beats range", "daily 09:00-10:00",
			"2026-12-20..2026-12-31 closed; 12-30 11:00-12:00; 12-31 11:00-12:00; 2026-12-31 13:00-14:00",
			"2026-12-30T11:30:00 2026-12-31T13:30:00 2027-12-30T11:30:00 2027-12-28T09:30:00",
			"2026-12-29T09:30:00 2026-12-31T11:30:00 2026-12-30T09:30:00"},
		{"29 February comes in leap years", "", "02-29 09:00-18:00",
			"2028-02-29T12:00:00", "2027-02-28T12:00:00 2027-03-01T12:00:00"},
		{"lunch", "mon 09:00-12:00 13:00-17:00", "",
			"2026-11-23T11:59:59 2026-11-23T13:00:00", "2026-11-23T12:00:00 2026-11-23T12:59:59"},
	} {
		h := plan(t, "America/Sao_Paulo", c.weekly, c.dates, public(t, "br"))
		for want, times := range map[bool]string{true: c.open, false: c.closed} {
			for _, s := range strings.Fields(times) {
				if got := h.Open(instant(t, s+"-03:00"), nil); got != want {
					t.Errorf("%s: open at %s is %v", c.name, s, got)
				}
			}
		}
	}
}

func TestASwitchBeatsEverythingUntilItsEnd(t *testing.T) {
	h := plan(t, "America/Sao_Paulo", "daily 09:00-18:00", "2026-11-25 closed")
	day := func(s string) time.Time { return instant(t, "2026-11-"+s+":00-03:00") }
	shut, opened := &Switch{Until: day("24T12:00")}, &Switch{Open: true, Until: day("25T12:00")}
	for _, c := range []struct {
		at            string
		sw            *Switch
		open          bool
		opens, closes string
	}{
		{"24T10:00", nil, true, "26T09:00", "24T18:00"},
		{"24T10:00", shut, false, "24T12:00", "24T18:00"},
		{"24T11:59", shut, false, "24T12:00", "24T18:00"},
		{"24T12:00", shut, true, "26T09:00", "24T18:00"},
		{"25T10:00", opened, true, "26T09:00", "25T12:00"},
		{"25T12:00", opened, false, "26T09:00", "26T18:00"},
		// It ends while the plan is open too: no closing then.
		{"24T10:00", &Switch{Open: true, Until: day("24T12:00")}, true, "26T09:00", "24T18:00"},
		// It ends while the plan is closed too: no opening then.
		{"24T10:00", &Switch{Until: day("24T20:00")}, false, "26T09:00", "26T18:00"},
		{"24T10:00", &Switch{}, true, "26T09:00", "24T18:00"},
	} {
		now := day(c.at)
		if got := h.Open(now, c.sw); got != c.open {
			t.Errorf("%s with %+v: open %v", c.at, c.sw, got)
		}
		if got, ok := h.Opens(now, c.sw); !ok || !got.Equal(day(c.opens)) {
			t.Errorf("%s with %+v: opens %v, %v; want %s", c.at, c.sw, got, ok, c.opens)
		}
		if got, ok := h.Closes(now, c.sw); !ok || !got.Equal(day(c.closes)) {
			t.Errorf("%s with %+v: closes %v, %v; want %s", c.at, c.sw, got, ok, c.closes)
		}
	}
}

func TestHoursThatNeverTurn(t *testing.T) {
	now := instant(t, "2026-11-24T12:00:00Z")
	for _, c := range []struct {
		name, weekly, dates string
		never               bool
		opens, closes       string
	}{
		{"nothing", "", "", true, "", ""},
		{"always", "daily 00:00-24:00", "", false, "", ""},
		{"only a date long past", "", "2026-11-23 09:00-18:00", true, "", ""},
		{"only a date two years on", "", "2028-11-23 09:00-18:00", false, "", ""},
		{"only 29 February", "", "02-29 09:00-18:00", false, "", ""},
		{"closed all dates", "daily 09:00-18:00", "2026-01-01..2030-01-01 closed", true, "", ""},
		{"once a year", "", "12-24 09:00-12:00", false, "2026-12-24T12:00:00Z", "2026-12-24T15:00:00Z"},
		{"today is the last day", "", "2026-11-24 08:00-10:00", false, "", "2026-11-24T13:00:00Z"},
		// Two windows that touch, on one day and over midnight, are one stretch.
		{"touching", "tue 09:00-12:00 12:00-24:00; wed 00:00-08:00", "", false, "2026-12-01T12:00:00Z",
			"2026-11-25T11:00:00Z"},
	} {
		h := plan(t, "America/Sao_Paulo", c.weekly, c.dates)
		if got := h.NeverOpens(now); got != c.never {
			t.Errorf("%s: neverOpens %v", c.name, got)
		}
		check := func(what string, got time.Time, ok bool, want string) {
			if ok != (want != "") || ok && !got.Equal(instant(t, want)) {
				t.Errorf("%s: %s %v, %v; want %q", c.name, what, got, ok, want)
			}
			if ok && got.Location() != h.Location {
				t.Errorf("%s: %s is in %s", c.name, what, got.Location())
			}
		}
		got, ok := h.Opens(now, nil)
		check("opens", got, ok, c.opens)
		got, ok = h.Closes(now, nil)
		check("closes", got, ok, c.closes)
	}
}

func TestOpenDoesNotAllocate(t *testing.T) {
	spec, err := ParseDates("01-25")
	if err != nil {
		t.Fatal(err)
	}
	h := plan(t, "America/Sao_Paulo", "daily 09:00-12:00 13:00-18:00 22:00-06:00",
		"12-31 closed; 2026-12-20..2026-12-30 closed",
		public(t, "br"), OwnCalendar("city", []OwnHoliday{{spec, "city"}}))
	now, sw := instant(t, "2026-11-24T12:00:00Z"), &Switch{Until: instant(t, "2026-11-24T10:00:00Z")}
	h.Open(now, nil)
	if n := testing.AllocsPerRun(100, func() { h.Open(now, sw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOpensOfHoursThatNeverOpen(b *testing.B) {
	h := plan(b, "America/New_York", "daily 09:00-18:00", "2026-01-01..2030-01-01 closed", public(b, "us"))
	now := instant(b, "2026-11-24T12:00:00Z")
	for b.Loop() {
		h.Opens(now, nil)
	}
}

// referencePlans are the plans for which every minute of a year is compared with the reference in
// reference_test.go. The years have had clocks set: at midnight in São Paulo and Asunción, by half an hour on
// Lord Howe.
var referencePlans = []struct{ zone, country, weekly, dates string }{
	{"America/Sao_Paulo", "br",
		"mon-thu 09:00-18:00; fri 09:00-12:00 13:00-17:00 22:00-06:00; sat 23:30-00:30; sun 00:00-24:00",
		"2018-12-24 09:00-12:00; 12-25 10:00-11:00; 12-31 closed; 2018-02-10..2018-02-14 20:00-02:00; 2018-11-03 " +
			"22:00-01:30"},
	{"America/New_York", "us", "daily 01:30-02:30 22:00-01:15; mon-fri 09:00-12:00 13:00-17:00",
		"2018-11-22 08:00-10:00; 07-04 00:00-24:00; 2018-12-20..2018-12-31 closed; 2018-12-25 12:00-13:00"},
	{"Europe/Lisbon", "pt", "mon-sat 00:30-01:30 08:00-24:00; sun 18:00-00:00",
		"04-25 closed; 2018-03-24 23:00-01:30; 2018-10-27 23:00-01:30"},
	{"America/Asuncion", "ar", "daily 22:00-00:30; mon-fri 00:00-00:45 09:00-18:00",
		"2018-03-24..2018-03-26 23:15-00:15"},
	{"Australia/Lord_Howe", "gb", "daily 01:45-02:15 09:00-12:00 13:00-17:30; sat 22:00-01:50", "12-26 02:00-03:00"},
}

func TestOpenEqualsTheReferenceInEveryMinuteOfAYear(t *testing.T) {
	for _, p := range referencePlans {
		t.Run(strings.ReplaceAll(p.zone, "/", "_"), func(t *testing.T) {
			t.Parallel()
			h := plan(t, p.zone, p.weekly, p.dates, public(t, p.country))
			ref := paint(t, p.zone, p.weekly, p.dates, public(t, p.country), 2018, 2018)
			states := make([]bool, 0, 366*24*60)
			start := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
			for at := start; at.Year() == 2018; at = at.Add(time.Minute) {
				got := h.Open(at, nil)
				if want := ref.open(at); got != want {
					t.Fatalf("%s: open %v, want %v", at.In(h.Location), got, want)
				}
				if len(states)%7 == 0 && h.Open(at.Add(time.Minute-1), nil) != got {
					t.Fatalf("%s: the minute is not all one", at.In(h.Location))
				}
				states = append(states, got)
			}
			checkTurns(t, h, start, states)
		})
	}
}

// checkTurns compares opens and closes, asked every few hours and at each turn,
// with the minutes of a year as open has them.
func checkTurns(t *testing.T, h *Plan, start time.Time, states []bool) {
	// By state and minute, the first later minute with a turn to that state.
	next := map[bool][]int{true: make([]int, len(states)), false: make([]int, len(states))}
	for want, at := range next {
		at[len(states)-1] = -1
		for i := len(states) - 1; i > 0; i-- {
			at[i-1] = at[i]
			if states[i] == want && states[i-1] != want {
				at[i-1] = i
			}
		}
	}
	for i := 0; i < len(states); i++ {
		if i%397 != 0 && (i == 0 || states[i] == states[i-1]) {
			continue
		}
		for _, shift := range []time.Duration{-1, 0, 1, 31 * time.Second} {
			now := start.Add(time.Duration(i)*time.Minute + shift)
			after := i
			if shift < 0 {
				after = i - 1
			}
			if after < 0 {
				continue
			}
			for want, ask := range map[bool]func(time.Time, *Switch) (time.Time, bool){true: h.Opens, false: h.Closes} {
				found := next[want][after] >= 0
				wantAt := start.Add(time.Duration(next[want][after]) * time.Minute)
				got, ok := ask(now, nil)
				// What lies behind the minutes looked at is not known here.
				if found && (!ok || !got.Equal(wantAt)) {
					t.Fatalf("at %s: turns %v at %v, %v; want %s", now.In(h.Location), want, got, ok,
						wantAt.In(h.Location))
				}
				if !found && ok && got.Before(start.Add(time.Duration(len(states))*time.Minute)) {
					t.Fatalf("at %s: turns %v at %v, want no turn in this year", now.In(h.Location), want, got)
				}
			}
		}
	}
}

func TestOpenEqualsTheReferenceForPlansOfEveryKind(t *testing.T) {
	zones := []string{"America/Sao_Paulo", "America/New_York", "Europe/Lisbon", "America/Asuncion",
		"Australia/Lord_Howe"}
	for seed := range uint64(10) {
		weekly, dates := randomPlan(seed)
		zone := zones[seed%uint64(len(zones))]
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			h := plan(t, zone, weekly, dates, public(t, "br"))
			ref := paint(t, zone, weekly, dates, public(t, "br"), 2018, 2018)
			for at := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == 2018; at = at.Add(5 * time.Minute) {
				if got, want := h.Open(at, nil), ref.open(at); got != want {
					t.Fatalf("%s: open %v, want %v\nweekly %s\ndates %s", at.In(h.Location), got, want, weekly, dates)
				}
			}
		})
	}
}
