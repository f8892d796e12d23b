package hours

import (
	"strings"
	"testing"
	"time"
)

func TestDatesAreASingleDayAYearlyOneOrARange(t *testing.T) {
	for _, c := range []struct {
		s    string
		kind dateKind
		want string
	}{
		{"2026-12-24", singleDate, "2026-12-24"},
		{"12-31", yearlyDate, "12-31"},
		{"02-29", yearlyDate, "02-29"},
		{"2028-02-29", singleDate, "2028-02-29"},
		{"2027-02-08..2027-02-10", dateRange, "2027-02-08..2027-02-10"},
		{" 2026-12-24 .. 2027-01-02 ", dateRange, "2026-12-24..2027-01-02"},
		{"2026-12-24..2026-12-24", dateRange, "2026-12-24..2026-12-24"},
	} {
		got, err := ParseDates(c.s)
		if err != nil || got.kind != c.kind || got.String() != c.want {
			t.Errorf("parseDateKey(%q) = %v, kind %d, %v", c.s, got, got.kind, err)
		}
	}
	for s, want := range map[string]string{
		"2026-02-29":             "does not exist",
		"2026-13-01":             "does not exist",
		"02-30":                  "does not exist",
		"13-01":                  "does not exist",
		"00-10":                  "does not exist",
		"24/12":                  "cannot be read",
		"24-12-2026":             "cannot be read",
		"2026-1-2":               "cannot be read",
		"1-2":                    "cannot be read",
		"":                       "cannot be read",
		"christmas":              "cannot be read",
		"2027-02-10..2027-02-08": "ends before it starts: write 2027-02-08..2027-02-10",
		"12-24..12-31":           "needs a year on both sides",
		"2026-12-24..12-31":      "needs a year on both sides",
		"2026-12-24..":           "cannot be read",
		"2026-12-24..2026-12-32": "does not exist",
	} {
		got, err := ParseDates(s)
		if err == nil {
			t.Errorf("parseDateKey(%q) = %v, want it refused", s, got)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "write ") {
			t.Errorf("parseDateKey(%q) says %q, want %q and the right form in it", s, err, want)
		}
	}
}

func TestDatesThatClashAreFound(t *testing.T) {
	for _, c := range []struct {
		name, dates string
		i, j        int
		want        string
	}{
		{"none", "2026-12-24 12-24 2026-12-20..2026-12-31", 0, 0, ""},
		{"neighbours", "2026-12-20..2026-12-24 2026-12-25..2026-12-31", 0, 0, ""},
		{"single", "12-31 2026-12-24 2026-12-25 2026-12-24", 1, 3, "date 2026-12-24 is there twice"},
		{"yearly", "12-31 12-30 12-31", 0, 2, "date 12-31 is there twice"},
		{"ranges", "12-31 2026-12-20..2026-12-24 2026-12-24..2026-12-31", 1, 2,
			"dates 2026-12-20..2026-12-24 and 2026-12-24..2026-12-31 overlap"},
		{"range in range", "2026-12-01..2026-12-31 2026-12-10..2026-12-11", 0, 1, "overlap"},
	} {
		var h Plan
		for _, s := range strings.Fields(c.dates) {
			spec, err := ParseDates(s)
			if err != nil {
				t.Fatal(err)
			}
			h.Exceptions = append(h.Exceptions, Exception{On: spec})
		}
		i, j, err := h.CheckExceptions()
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || i != c.i || j != c.j || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %d, %d, %v; want %d, %d, %q", c.name, i, j, err, c.i, c.j, c.want)
		}
	}
}

func TestTimesForCallersAreInTheirLanguage(t *testing.T) {
	at := instant(t, "2026-11-24T09:00:00Z")
	for i, want := range []struct{ en, pt, es string }{
		{"Tue 24 Nov, 09:00", "ter 24/11, 09:00", "mar 24/11, 09:00"},
		{"Wed 25 Nov, 09:00", "qua 25/11, 09:00", "mié 25/11, 09:00"},
		{"Thu 26 Nov, 09:00", "qui 26/11, 09:00", "jue 26/11, 09:00"},
		{"Fri 27 Nov, 09:00", "sex 27/11, 09:00", "vie 27/11, 09:00"},
		{"Sat 28 Nov, 09:00", "sáb 28/11, 09:00", "sáb 28/11, 09:00"},
		{"Sun 29 Nov, 09:00", "dom 29/11, 09:00", "dom 29/11, 09:00"},
		{"Mon 30 Nov, 09:00", "seg 30/11, 09:00", "lun 30/11, 09:00"},
		{"Tue 1 Dec, 09:00", "ter 01/12, 09:00", "mar 01/12, 09:00"},
	} {
		day := at.AddDate(0, 0, i)
		for language, want := range map[string]string{"en": want.en, "pt": want.pt, "es": want.es} {
			if got := FormatWhen(day, language); got != want {
				t.Errorf("%s: %q, want %q", language, got, want)
			}
		}
	}
}

func TestADayEndsWhereTheNextBegins(t *testing.T) {
	for _, test := range []struct{ zone, day, want string }{
		{"America/Sao_Paulo", "2026-11-24", "2026-11-25T00:00:00-03:00"},
		{"America/Sao_Paulo", "2018-11-03", "2018-11-04T01:00:00-02:00"}, // clocks went forward at midnight
		{"America/Santiago", "2026-09-05", "2026-09-06T01:00:00-03:00"},
		{"Europe/Lisbon", "2026-10-25", "2026-10-26T00:00:00Z"},
	} {
		loc, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
		day, err := time.Parse(time.DateOnly, test.day)
		if err != nil {
			t.Fatal(err)
		}
		if got := EndOfDay(day.Year(), day.Month(), day.Day(), loc).Format(time.RFC3339); got != test.want {
			t.Errorf("%s in %s ends at %s, want %s", test.day, test.zone, got, test.want)
		}
	}
}
