package hours

import (
	"strings"
	"testing"
	"time"
)

func TestPublicHolidays(t *testing.T) {
	for _, c := range []struct {
		code, day, want string // want: "" for no holiday
	}{
		{"br", "2026-11-20", "Dia da Consciência Negra"},
		{"br", "2024-11-20", "Dia da Consciência Negra"},
		{"br", "2023-11-20", ""},
		{"br", "2026-02-17", "Carnaval"},
		{"br", "2026-02-16", ""},
		{"br", "2027-02-09", "Carnaval"},
		{"br", "2026-06-04", "Corpus Christi"},
		{"br", "2026-04-03", "Sexta-feira Santa"},
		{"br", "2026-09-07", "Independência do Brasil"},
		{"br", "2026-12-25", "Natal"},
		{"br", "2026-12-24", ""},
		{"pt", "2026-04-25", "Dia da Liberdade"},
		{"pt", "2026-06-10", "Dia de Portugal"},
		{"us", "2026-07-04", "Independence Day"},
		{"us", "2026-07-03", "Independence Day"}, // a Saturday: observed on Friday
		{"us", "2027-12-31", "New Year's Day"},   // observed in the year before
		{"us", "2028-01-01", "New Year's Day"},
		{"us", "2026-11-26", "Thanksgiving Day"},
		{"us", "2020-06-19", ""},
		{"ar", "2026-04-03", "Viernes Santo"},
		{"ar", "2026-04-02", "Día de los Veteranos de la Guerra de Malvinas"},
		{"ar", "2027-03-25", ""}, // Jueves Santo is no public holiday
		{"ar", "2026-06-15", "Aniversario paso a la inmortalidad del General Martín Miguel de Güemes"},
		{"ar", "2026-06-17", ""}, // moved, so a working day
		// A Friday: it stays.
		{"ar", "2022-06-17", "Aniversario paso a la inmortalidad del General Martín Miguel de Güemes"},
		{"ar", "2026-11-20", ""},
		{"ar", "2026-11-23", "Día de la Soberanía Nacional"},
		{"mx", "2026-02-02", "Constitution Day"},
		{"mx", "2026-02-05", ""},
		{"mx", "2005-02-05", "Constitution Day"},
		{"mx", "2006-03-21", "Benito Juárez's Birthday"},
		{"mx", "2018-12-01", "Transfer of the Federal Executive Power"},
		{"mx", "2024-12-01", ""},
		{"mx", "2036-10-01", "Transfer of the Federal Executive Power"},
		{"mx", "2026-03-16", "Benito Juárez's Birthday"},
		{"mx", "2026-11-16", "Revolution Day"},
		{"es", "2026-10-12", "Fiesta Nacional de España"},
		{"de", "2026-10-03", "Tag der Deutschen Einheit"},
		{"gb", "2026-12-28", "Boxing Day"},
		// Years that are not kept.
		{"br", "1999-12-25", "Natal"},
		{"br", "2150-12-25", "Natal"},
	} {
		cal, err := PublicCalendar(c.code, nil)
		if err != nil {
			t.Fatal(err)
		}
		day := instant(t, c.day+"T12:00:00Z")
		// Twice: worked out, and from what is kept.
		for range 2 {
			name, ok := cal.Holiday(day.Date())
			if name != c.want || ok != (c.want != "") {
				t.Errorf("%s %s is %q, %v; want %q", c.code, c.day, name, ok, c.want)
			}
		}
	}
}

func TestEveryPublicCalendarHasItsNewYearAndItsNames(t *testing.T) {
	for _, code := range PublicCalendars() {
		cal, err := PublicCalendar(code, nil)
		if err != nil {
			t.Fatal(err)
		}
		if cal.Title() != code {
			t.Errorf("title %q, want %q", cal.Title(), code)
		}
		if _, ok := cal.Holiday(2027, time.January, 1); !ok {
			t.Errorf("%s: 1 January is no holiday", code)
		}
		for _, h := range publicHolidays[code] {
			if strings.TrimSpace(h.Name) == "" {
				t.Errorf("%s has a holiday without a name", code)
			}
			if _, err := PublicCalendar(code, []string{h.Name}); err != nil {
				t.Errorf("%s without %q: %v", code, h.Name, err)
			}
		}
	}
}

func TestAHolidayCanBeLeftOut(t *testing.T) {
	cal, err := PublicCalendar("br", []string{"Carnaval", "Natal"})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := cal.Holiday(2026, time.February, 17); ok {
		t.Error("Carnaval is still a holiday")
	}
	if _, ok := cal.Holiday(2026, time.April, 3); !ok {
		t.Error("Sexta-feira Santa is gone with it")
	}
	// Both rules of one name: of before 2006 and since.
	if cal, err = PublicCalendar("mx", []string{"Constitution Day"}); err != nil {
		t.Fatal(err)
	}
	for _, day := range [][2]int{{2026, 2}, {2005, 5}} {
		if name, ok := cal.Holiday(day[0], time.February, day[1]); ok {
			t.Errorf("%d-02-%02d is still %s", day[0], day[1], name)
		}
	}
}

func TestUnknownCalendarsAndHolidaysAreNamedWithTheKnownOnes(t *testing.T) {
	for _, c := range []struct {
		code, without string
		want          []string
	}{
		{"xx", "", []string{`unknown public calendar "xx"`, "known: ar, br, ca, de, es, fr, gb, it, mx, nl, pt, us"}},
		{"BR", "", []string{`unknown public calendar "BR"`}},
		{"br", "Carnival", []string{`no holiday "Carnival"`, "Ano Novo, Tiradentes", "Dia da Consciência Negra"}},
		{"br", "Thanksgiving", []string{"Ano Novo, Tiradentes"}},
	} {
		_, err := PublicCalendar(c.code, []string{c.without})
		if err == nil {
			t.Errorf("%s without %q is accepted", c.code, c.without)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("says %q, want %q in it", err, want)
			}
		}
	}
}

func TestOwnCalendarsHaveYearlyDaysSingleDaysAndRanges(t *testing.T) {
	var entries []OwnHoliday
	for _, e := range [][2]string{{"01-25", "Aniversário de São Paulo"}, {"2026-07-09", "Revolução"},
		{"2026-12-28..2027-01-03", "Recesso"}, {"02-29", "Leap"}} {
		spec, err := ParseDates(e[0])
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, OwnHoliday{spec, e[1]})
	}
	cal := OwnCalendar("city", entries)
	if cal.Title() != "city" {
		t.Errorf("title %q", cal.Title())
	}
	for day, want := range map[string]string{
		"2026-01-25": "Aniversário de São Paulo", "2031-01-25": "Aniversário de São Paulo", "2026-01-26": "",
		"2026-07-09": "Revolução", "2027-07-09": "",
		"2026-12-27": "", "2026-12-28": "Recesso", "2027-01-03": "Recesso", "2027-01-04": "",
		"2028-02-29": "Leap", "2027-02-28": "", "2027-03-01": "",
	} {
		at := instant(t, day+"T12:00:00Z")
		if name, ok := cal.Holiday(at.Date()); name != want || ok != (want != "") {
			t.Errorf("%s is %q, %v; want %q", day, name, ok, want)
		}
	}
}

func TestAskingForAHolidayDoesNotAllocate(t *testing.T) {
	public, err := PublicCalendar("br", nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, _ := ParseDates("01-25")
	for _, cal := range []Calendar{public, OwnCalendar("city", []OwnHoliday{{spec, "x"}})} {
		if n := testing.AllocsPerRun(100, func() {
			cal.Holiday(2026, time.November, 20)
			cal.Holiday(2026, time.January, 25)
		}); n != 0 {
			t.Errorf("%s: %v allocations", cal.Title(), n)
		}
	}
}
