package rules

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const calendarRules = `version: 1
timezone: America/Sao_Paulo
numbers: {main: {phone: "+55 11 2236-1741"}}
hours: {office: {weekly: {daily: 09:00-18:00}, holidays: [city]}}
calendars: {city: {file: feriados.ics}}
rules:
  - {name: closed, when: not open("office"), then: reject}
  - {name: holiday, when: holiday("city"), then: reject}
default: {accept: bot}
answers: {bot: {url: "https://bot.example/answer"}}
`

// A calendar file as programs write it, with a byte order mark and CRLF, closes hours and is part of the version and of
// what is watched.
func TestACalendarFileIsPartOfTheRules(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile("hours/testdata/calendars/municipal.ics")
	if err != nil {
		t.Fatal(err)
	}
	write("rules.yaml", calendarRules)
	write("feriados.ics", "\ufeff"+strings.ReplaceAll(string(data), "\n", "\r\n"))
	f, problems := load(filepath.Join(dir, "rules.yaml"), loadedAt)
	if f == nil || len(problems) != 1 || problems[0].Code != "part-day-event" || problems[0].Line != 47 {
		t.Fatalf("%v", problems)
	}
	if want := filepath.Join(dir, "feriados.ics"); !slices.Contains(f.Paths(), want) {
		t.Errorf("%s is not among the files that are watched, %q", want, f.Paths())
	}
	for day, open := range map[string]bool{
		"2026-06-11": true, "2026-06-12": false, "2026-12-30": false, "2027-01-02": false, "2027-01-03": true,
		"2026-02-18": true, "2040-12-10": false,
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", day+" 12:00", f.Location())
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := f.Open("office", at, nil); got != open {
			t.Errorf("%s: open %v, want %v", day, got, open)
		}
	}
	at := time.Date(2026, 12, 10, 15, 0, 0, 0, time.UTC)
	if story := f.hours[0].Story(at, nil); !strings.Contains(story, `holiday "Aniversário da cidade" of city`) {
		t.Errorf("the story is %q", story)
	}

	write("feriados.ics", strings.Replace(string(data), "20260612", "20260613", 1))
	changed, problems := load(filepath.Join(dir, "rules.yaml"), loadedAt)
	if changed == nil || changed.Version() == f.Version() {
		t.Errorf("the version does not change with the calendar: %v", problems)
	}

	for text, code := range map[string]string{
		"BEGIN:VCALENDAR\nSUMMARY:Anivers\xe1rio\n":                 "not-utf8",
		strings.Repeat("X-A:"+strings.Repeat("x", 60)+"\n", 70_000): "too-large",
		"": "bad-calendar",
	} {
		write("feriados.ics", text)
		if f, problems := load(filepath.Join(dir, "rules.yaml"), loadedAt); f != nil || problems[0].Code != code {
			t.Errorf("%.40q: %v, want %s", text, problems, code)
		}
	}
}
