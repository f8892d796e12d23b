package hours

import (
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var loadedAt = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func linesOf(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for i, line := range strings.Split(text, "\n") {
			if !yield(i+1, strings.TrimSuffix(line, "\r")) {
				return
			}
		}
	}
}

// holidaysOf lists the holidays of some years: "2026-12-25 Christmas".
func holidaysOf(c Calendar, first, last int) []string {
	var all []string
	for day := range daysOf(first, last) {
		if name, ok := c.Holiday(day.Date()); ok {
			all = append(all, day.Format(time.DateOnly)+" "+name)
		}
	}
	return all
}

// readCalendar reads a calendar that has no errors, in the zone of São Paulo.
func readCalendar(t *testing.T, text string) (Calendar, []CalendarFault) {
	t.Helper()
	c, faults := ReadCalendar("city", linesOf(text), location(t, "America/Sao_Paulo"), loadedAt)
	if c == nil {
		t.Fatalf("refused: %+v\n%s", faults, text)
	}
	return c, faults
}

// fold writes a text as programs do: lines end in CRLF, and are folded after so many bytes.
func fold(text string, after int) string {
	var b strings.Builder
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > after {
			cut := after
			for cut > 1 && line[cut]&0xC0 == 0x80 { // not within a character
				cut--
			}
			b.WriteString(line[:cut] + "\r\n\t")
			line = line[cut:]
		}
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// Files as cities, Google, Apple and Outlook export them, as they stand and folded hard.
func TestCalendarFiles(t *testing.T) {
	for _, c := range []struct {
		file        string
		first, last int
		want        []string
		warned      string
	}{
		{"municipal.ics", 2025, 2028, []string{
			"2025-12-10 Aniversário da cidade",
			"2026-06-12 Sagrado Coração de Jesus, padroeiro",
			"2026-12-10 Aniversário da cidade",
			"2026-12-28 Recesso de fim de ano", "2026-12-29 Recesso de fim de ano", "2026-12-30 Recesso de fim de ano",
			"2026-12-31 Recesso de fim de ano", "2027-01-01 Recesso de fim de ano", "2027-01-02 Recesso de fim de ano",
			"2027-12-10 Aniversário da cidade", "2028-12-10 Aniversário da cidade",
		}, `the event "Quarta-feira de Cinzas, até as 14 horas" covers no whole day, so it is no holiday`},
		{"google.ics", 2024, 2027, []string{
			"2024-03-11 Inventory", "2024-03-26 Inventory, moved to Tuesday", "2024-04-01 Inventory",
			"2026-07-03 Independence Day (substitute)", "2026-11-26 Thanksgiving Day",
		}, ""},
		{"apple.ics", 2024, 2027, []string{
			"2024-01-01 New Year's Day", "2024-05-27 Memorial Day", "2024-11-28 Thanksgiving",
			"2024-12-24 Christmas shutdown", "2024-12-25 Christmas shutdown", "2024-12-26 Christmas shutdown",
			"2025-01-01 New Year's Day", "2025-05-27 Memorial Day", "2025-11-27 Thanksgiving",
			"2026-01-01 New Year's Day", "2026-11-26 Thanksgiving",
			"2026-12-24 Christmas shutdown", "2026-12-25 Christmas shutdown", "2026-12-26 Christmas shutdown",
			"2027-01-01 New Year's Day", "2027-05-31 Memorial Day", "2027-11-25 Thanksgiving",
		}, ""},
		{"outlook.ics", 2026, 2027, []string{
			"2026-01-05 Fechamento", "2026-02-02 Fechamento", "2026-03-02 Fechamento",
			"2026-07-09 Revolução Constitucionalista", "2026-09-09 Congresso", "2026-09-10 Congresso",
			"2027-01-01 Virada", "2027-01-02 Virada",
		}, ""},
	} {
		data, err := os.ReadFile("testdata/calendars/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(data), fold(string(data), 75), fold(string(data), 7)} {
			calendar, faults := readCalendar(t, text)
			if got := holidaysOf(calendar, c.first, c.last); !slices.Equal(got, c.want) {
				t.Errorf("%s:\n got %q\nwant %q", c.file, got, c.want)
			}
			var warned string
			for _, f := range faults {
				warned += f.Message
			}
			if warned != c.warned {
				t.Errorf("%s warns %q, want %q", c.file, warned, c.warned)
			}
		}
	}
}

func event(lines ...string) string {
	return "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nSUMMARY:x\n" + strings.Join(lines, "\n") +
		"\nEND:VEVENT\nEND:VCALENDAR\n"
}

// What one event covers in 2026 and 2027; days are written as month and day, those of 2027 with a "+".
func TestEventsOfACalendarFile(t *testing.T) {
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"no end", []string{"DTSTART;VALUE=DATE:20261225"}, "12-25"},
		{"the end is the start", []string{"DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261225"}, "12-25"},
		{"a date without VALUE", []string{"DTSTART:20261225"}, "12-25"},
		{"lower case", []string{"dtstart;value=date:20261225", "rrule:freq=yearly"}, "12-25 +12-25"},
		{"the last of several DTSTARTs", []string{"DTSTART:20261224", "DTSTART:20261225"}, "12-25"},
		{"days", []string{"DTSTART;VALUE=DATE:20261230", "DURATION:P3D"}, "12-30 12-31 +01-01"},
		{"a week",
			[]string{"DTSTART;VALUE=DATE:20260701", "DURATION:P1W"},
			"07-01 07-02 07-03 07-04 07-05 07-06 07-07"},
		{"until 23:59", []string{"DTSTART:20261225T000000", "DTEND:20261225T235900"}, "12-25"},
		{"24 hours", []string{"DTSTART:20261225T000000", "DURATION:PT24H"}, "12-25"},
		{"24 hours that are no day", []string{"DTSTART:20261225T090000", "DURATION:PT24H"}, ""},
		{"from noon to noon", []string{"DTSTART:20261224T120000", "DTEND:20261227T120000"}, "12-25 12-26"},
		{"in UTC, by the clock of the zone", []string{"DTSTART:20261225T030000Z", "DTEND:20261226T030000Z"}, "12-25"},
		{"in UTC, midnights there", []string{"DTSTART:20261225T000000Z", "DTEND:20261226T000000Z"}, ""},
		{"each month", []string{"DTSTART:20261031", "RRULE:FREQ=MONTHLY;COUNT=3"}, "10-31 12-31 +01-31"},
		{"until a date", []string{"DTSTART:20260101", "RRULE:FREQ=MONTHLY;UNTIL=20260301"}, "01-01 02-01 03-01"},
		{"until midnight in UTC, which is the date",
			[]string{"DTSTART:20260101", "RRULE:FREQ=MONTHLY;UNTIL=20260301T000000Z"},
			"01-01 02-01 03-01"},
		{"until an instant, by the clock of the zone",
			[]string{"DTSTART:20260101", "RRULE:FREQ=MONTHLY;UNTIL=20260301T015959Z"},
			"01-01 02-01"},
		{"until before the start", []string{"DTSTART:20260101", "RRULE:FREQ=MONTHLY;UNTIL=20251231"}, ""},
		{"leap days", []string{"DTSTART:20240229", "RRULE:FREQ=YEARLY"}, ""},
		{"two rules",
			[]string{"DTSTART:20260101", "RRULE:FREQ=YEARLY", "RRULE:FREQ=YEARLY;BYMONTH=7;BYMONTHDAY=1"},
			"01-01 07-01 +01-01 +07-01"},
		{"a trailing semicolon", []string{"DTSTART:20260101", "RRULE:FREQ=YEARLY;"}, "01-01 +01-01"},
		{"RDATE alone keeps the start",
			[]string{"DTSTART:20260101", "RDATE;VALUE=DATE:20260301,20260302"},
			"01-01 03-01 03-02"},
		{"RDATE of periods",
			[]string{"DTSTART:20260101", "RDATE;VALUE=PERIOD:20260301T000000/20260302T000000"},
			"01-01 03-01"},
		{"EXDATE in UTC",
			[]string{"DTSTART:20260101T000000", "DURATION:P1D", "RRULE:FREQ=MONTHLY;COUNT=3",
				"EXDATE:20260201T030000Z"},
			"01-01 03-01"},
		{"EXDATE of the only day", []string{"DTSTART:20260101", "EXDATE:20260101"}, ""},
		{"a whole day after a late start repeats",
			[]string{"DTSTART:20260101T200000", "DURATION:PT28H", "RRULE:FREQ=MONTHLY;COUNT=2",
				"EXDATE:20260101T200000"},
			"02-02"},
		{"hours of the rule", []string{"DTSTART:20260101", "RRULE:FREQ=YEARLY;BYHOUR=9,10;COUNT=2"}, "01-01 +01-01"},
		{"until an hour of the day",
			[]string{"DTSTART:20260101T200000", "DTEND:20260103T000000", "RRULE:FREQ=MONTHLY;UNTIL=20260301T100000"},
			"01-02 02-02"},
	} {
		calendar, _ := readCalendar(t, event(c.lines...))
		var got []string
		for _, day := range holidaysOf(calendar, 2026, 2027) {
			day = strings.TrimSuffix(day, " x")
			got = append(got, strings.Replace(strings.TrimPrefix(day, "2026-"), "2027-", "+", 1))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAMovedOccurrenceIsNotTakenFromAnotherThatTakesItsPlace(t *testing.T) {
	// The first two Mondays swap: each stands on the day of the other.
	calendar, _ := readCalendar(t, strings.Join([]string{
		"BEGIN:VCALENDAR",
		"BEGIN:VEVENT", "UID:1", "SUMMARY:moved there", "RECURRENCE-ID:20260601", "DTSTART:20260608", "END:VEVENT",
		"BEGIN:VEVENT", "UID:1", "SUMMARY:x", "DTSTART:20260601", "RRULE:FREQ=WEEKLY;COUNT=3", "END:VEVENT",
		"BEGIN:VEVENT", "UID:1", "SUMMARY:moved here", "RECURRENCE-ID:20260608", "DTSTART:20260601", "END:VEVENT",
		"BEGIN:VEVENT", "UID:2", "SUMMARY:another", "DTSTART:20260602", "END:VEVENT",
		"END:VCALENDAR",
	}, "\n"))
	want := []string{"2026-06-01 moved here", "2026-06-02 another", "2026-06-08 moved there", "2026-06-15 x"}
	if got := holidaysOf(calendar, 2026, 2026); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Years before those that are kept, beyond the horizon, and beyond those that are kept.
func TestACalendarFileKnowsEveryYear(t *testing.T) {
	calendar, _ := readCalendar(t, event("DTSTART:19040229", "RRULE:FREQ=YEARLY"))
	for day, want := range map[string]bool{
		"1904-02-29": true, "1903-02-28": false, "1996-02-29": true, "2024-02-29": true, "2028-02-29": true,
		"2040-02-29": true, "2096-02-29": true, "2104-02-29": true, "2100-03-01": false,
	} {
		at, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, ok := calendar.Holiday(at.Date()); ok != want {
				t.Errorf("%s: %v, want %v", day, ok, want)
			}
		}
	}
	single, faults := readCalendar(t, event("DTSTART:20400101"))
	if got := holidaysOf(single, 2026, 2041); !slices.Equal(got, []string{"2040-01-01 x"}) || len(faults) > 0 {
		t.Errorf("%q, %v", got, faults)
	}
	if n := testing.AllocsPerRun(100, func() { single.Holiday(2026, time.June, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestACalendarFileThatIsOverIsWarnedOf(t *testing.T) {
	const partDay = `the event "x" covers no whole day, so it is no holiday`
	const over = "the calendar has no holiday to come: its last was on "
	for text, want := range map[string]string{
		event("DTSTART:20251225"):                                 over + "2025-12-25",
		event("DTSTART:20240101", "RRULE:FREQ=YEARLY;COUNT=2"):    over + "2025-01-01",
		event("DTSTART:20260601"):                                 "", // today
		event("DTSTART:20240101", "RRULE:FREQ=YEARLY"):            "",
		event("DTSTART:20250101", "RDATE:20350101"):               "",
		event("DTSTART:20250101", "RDATE:20270101"):               "",
		event("DTSTART;VALUE=DATE:20260528", "DURATION:P5D"):      "",
		event("DTSTART;VALUE=DATE:20991231", "STATUS:CONFIRMED"):  "",
		event("DTSTART;VALUE=DATE:20250101", "STATUS:CANCELLED"):  "",
		event("DTSTART:20250101T100000", "DTEND:20250101T110000"): partDay,
	} {
		_, faults := readCalendar(t, text)
		var got string
		for _, f := range faults {
			got += f.Message
			if !f.Warning || f.Hint == "" {
				t.Errorf("%+v", f)
			}
		}
		if got != want {
			t.Errorf("warns %q, want %q of\n%s", got, want, text)
		}
	}
}

// What is refused, with its line.
func TestCalendarFilesThatAreRefused(t *testing.T) {
	many := strings.Repeat("BEGIN:VEVENT\nDTSTART:20260101\nEND:VEVENT\n", maxEvents+1)
	for _, c := range []struct{ text, want string }{
		{"", "1: the file is empty"},
		{" x\n", "1: this is no iCalendar file"},
		{"<!DOCTYPE html>\n<html>", "1: this is no iCalendar file"},
		{"BEGIN:VCARD\nEND:VCARD", "1: this is no iCalendar file"},
		{"BEGIN:VCALENDAR\nEND:VCALENDAR", "1: there is no event in the calendar"},
		{"BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\n", "3: the file ends inside the VEVENT that begins at line 2"},
		{"BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VTODO\n", "3: END:VTODO ends nothing that is open here"},
		{"END:VCALENDAR", "1: END:VCALENDAR ends nothing that is open here"},
		{event(""), "3: the event has no DTSTART"},
		{event("DTSTART:tomorrow"), `6: DTSTART: "tomorrow" is no date`},
		{event("DTSTART:20260230"), `6: DTSTART: "20260230" is no date`},
		{event("DTSTART;VALUE=DATE"), "6: DTSTART cannot be read"},
		{event("DTSTART:20260102", "DTEND:20260101"), "7: the event ends before it starts"},
		{event("DTSTART:20260102", "DURATION:-P1D"), `7: DURATION: "-P1D" is no length of time`},
		{event("DTSTART:20260102", "DTEND:20280101"), "3: the event covers more than 366 days"},
		{event("DTSTART:20260102", "EXRULE:FREQ=YEARLY"), "7: EXRULE: this is out of use"},
		{event("DTSTART:20260102", "RRULE:FREQ=OFTEN"), "7: RRULE: the rule cannot be read (undefined frequency"},
		{event("DTSTART:20260102", "RRULE:FREQ=HOURLY"), "7: RRULE: the rule repeats within a day"},
		{event("DTSTART:20260102", "RRULE:FREQ=YEARLY;UNTIL=soon"), `7: RRULE: UNTIL: "SOON" is no date`},
		{event("DTSTART:20260102", "RRULE:FREQ=YEARLY;BYMONTH=13"), "7: RRULE: the rule cannot be read (bymonth"},
		{event("DTSTART:20260102", "RRULE:FREQ=MONTHLY;BYDAY=53MO"), "7: RRULE: BYDAY has the weekday number 53"},
		{event("DTSTART:20260102", "RRULE:FREQ=YEARLY;BYEASTER=1"), "7: RRULE: BYEASTER is no part of iCalendar"},
		{event("DTSTART:20260102", "RRULE:FREQ=YEARLY;INTERVAL=9223372036854775807"), "7: RRULE: the interval is"},
		{event("DTSTART:20260102", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "7: RRULE: the rule gives no day"},
		{event("DTSTART:10660101", "RRULE:FREQ=YEARLY"), "7: RRULE: it repeats since 1066"},
		{event("DTSTART:20260102", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260101"),
			"7: RECURRENCE-ID: an occurrence moved"},
		{event("DTSTART:20260102", "EXDATE:20260101,x"), `7: EXDATE: "x" is no date`},
		{event("DTSTART:20260102", "RDATE:"+strings.Repeat("20260101,", 3000)), "7: RDATE is longer than 20000 bytes"},
		{"BEGIN:VCALENDAR\n" + many + "END:VCALENDAR",
			fmt.Sprintf("%d: there are more than 10000 events", 3*maxEvents+2)},
		{"BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nDTSTART:19000101\nRRULE:FREQ=DAILY\nEND:VEVENT\n", 11) +
			"END:VCALENDAR", "42: the events up to here make more than 500000 days"},
	} {
		calendar, faults := ReadCalendar("city", linesOf(c.text), time.UTC, loadedAt)
		if calendar != nil || len(faults) == 0 {
			t.Errorf("%.200q is accepted: %v", c.text, faults)
			continue
		}
		got := fmt.Sprintf("%d: %s", faults[0].Line, faults[0].Message)
		first := faults[0]
		if !strings.HasPrefix(got, c.want) || first.Hint == "" || first.Warning || first.Code != "bad-calendar" {
			t.Errorf("%.200q: %+v, want %q", c.text, first, c.want)
		}
	}
	// All faults at once, up to a number.
	many = "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", 100)
	_, faults := ReadCalendar("city", linesOf(many), time.UTC, loadedAt)
	if len(faults) != maxFaults {
		t.Errorf("%d faults", len(faults))
	}
}
