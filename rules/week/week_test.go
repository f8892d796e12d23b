package week

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"callrouter/engine/testrun"
	"callrouter/rules"
	"callrouter/rules/hours"
	"callrouter/rules/internal/rulestest"
)

// clockWeeks are weeks in which clocks are set, by an hour or by half of one, at night and at midnight, and one in
// which they are not.
var clockWeeks = []struct{ zone, from string }{
	{"America/New_York", "2026-03-05"},
	{"America/New_York", "2026-10-29"},
	{"Europe/Lisbon", "2026-03-26"},
	{"Europe/Lisbon", "2026-10-22"},
	{"Australia/Lord_Howe", "2026-04-02"},
	{"Australia/Lord_Howe", "2026-10-01"},
	{"America/Asuncion", "2023-03-23"},
	{"America/Asuncion", "2023-09-28"},
	{"America/Sao_Paulo", "2018-02-14"},
	{"America/Sao_Paulo", "2018-11-01"},
	{"America/Sao_Paulo", "2026-11-23"},
}

// TestAWeekIsWhatEveryMinuteOfItIs compares the intervals of made-up files with a dry run at each minute, and at the
// last instant before each change. CALLROUTER_TEST_WEEKS is how many files are made up for each week.
func TestAWeekIsWhatEveryMinuteOfItIs(t *testing.T) {
	files := testrun.Pick(1, 2, 2)
	if n, err := strconv.Atoi(os.Getenv("CALLROUTER_TEST_WEEKS")); err == nil {
		files = n
	}
	for i, week := range clockWeeks {
		for n := range files {
			t.Run(fmt.Sprintf("%s %s %d", week.zone, week.from, n), func(t *testing.T) {
				t.Parallel()
				compareWithEveryMinute(t, rand.New(rand.NewPCG(uint64(i), uint64(n))), week.zone, week.from)
			})
		}
	}
}

func compareWithEveryMinute(t *testing.T, random *rand.Rand, zone, from string) {
	first := midnight(t, zone, from)
	// A crooked start and end, for nothing says that they are whole days.
	first = first.Add(time.Duration(random.IntN(3600)) * time.Second)
	end := first.AddDate(0, 0, 5).Add(time.Duration(random.IntN(3600)) * time.Second)
	given := rules.Given{}
	if random.IntN(3) == 0 {
		given.Switches = map[string]bool{"a": random.IntN(2) == 0}
	}
	text := madeUpWeek(random, zone, first)
	for neverHolds(t, text) {
		text = madeUpWeek(random, zone, first)
	}
	compareText(t, text, first, end, given)
}

// neverHolds reports whether a made-up file has a window of the clock that is empty, which check refuses.
func neverHolds(t *testing.T, text string) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, problems := rules.Load(path)
	return slices.ContainsFunc(problems, func(p rules.Problem) bool { return p.Code == "never-equal" })
}

func midnight(t *testing.T, zone, day string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	first, err := time.ParseInLocation(time.DateOnly, day, loc)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// TestWhateverTimeChangesIsSeenByItself has one condition a file: no other hides what is missing.
func TestWhateverTimeChangesIsSeenByItself(t *testing.T) {
	const first = "2018-11-01" // clocks in Brazil go from 00:00 to 01:00 on the fourth
	from := midnight(t, "America/Sao_Paulo", first)
	for _, c := range []struct {
		when  string
		given rules.Given
		hours int // around the clock change; 0: days
	}{
		{when: `open("shop")`}, {when: `open("night")`}, {when: `open("nepal")`},
		{when: `open(weekday == "sat" ? "shop" : "nepal")`},
		{when: `open("shop")`, given: rules.Given{Switches: map[string]bool{"shop": true}}},
		{when: `open("night")`, given: rules.Given{Switches: map[string]bool{"night": false}}},
		{when: `clock >= "17:30"`}, {when: `clock > "17:30"`}, {when: `clock == "23:59"`},
		{when: `"00:30" <= clock < "09:00"`},
		{when: `clock in ["10:00", "10:02"]`}, {when: `clock not in ["00:00"]`}, {when: `clock startsWith "1"`},
		{when: `clock < (open("shop") ? "12:34" : "23:45")`}, {when: `let c = clock; c > "11:11"`},
		{when: `today == "2018-11-03"`}, {when: `today in ["2018-11-02", "2018-11-04"]`}, {when: `weekday == "sat"`},
		{when: `weekday in ["sun", "fri"]`},
		{when: `holiday("own")`}, {when: `holiday("br")`}, {when: `holiday(weekday == "sun" ? "own" : "br")`},
		{when: `now.Hour() == 1`}, {when: `now.Hour() > 12`}, {when: `now.Minute() < 7`}, {when: `now.Day() == 3`},
		{when: `now.Weekday().String() == "Friday"`},
		{when: `now.Format("Monday 3PM") contains "PM"`}, {when: `now.Format("-0700") == "-0200"`},
		{when: `now.Format("15:04") > "11:11"`},
		{when: `now.Unix() > 1541296837`, hours: 4}, {when: `let n = now; n.Hour() == 23`, hours: 4},
		{when: `string(now) contains "23:30"`, hours: 4},
		{when: `listed("some")`}, {when: `listed(weekday == "sat" ? "some" : "some")`},
		{when: `opens("once") != ""`}, {when: `opens("shop") startsWith "Mon"`},
		{when: `closes("night") endsWith "06:00"`},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			text := `version: 1
timezone: America/Sao_Paulo
numbers: {main: {phone: "+55 11 2236-1741"}}
calendars: {own: {11-02: one, 2018-11-04: two}}
lists: {some: [{number: "+55 11 98888-7777", until: "2018-11-03T21:22:23-03:00"}]}
hours:
  shop: {weekly: {mon-fri: 09:00-18:30}, holidays: [own]}
  night: {weekly: {daily: 22:00-06:00}, dates: {2018-11-03: 23:15-24:00}}
  nepal: {timezone: Asia/Kathmandu, weekly: {daily: [09:00-12:00, 13:00-17:00]}}
  once: {dates: {2019-11-03: 10:00-11:00}}
rules:
` + rulestest.Rule("it", c.when, "{accept: bot}") + `answers: {bot: {url: "https://bot.example/answer"}}
default: reject
`
			from, to := from, from.AddDate(0, 0, 4)
			if c.hours > 0 {
				from = to.Add(-26 * time.Hour)
				to = from.Add(time.Duration(c.hours) * time.Hour)
			}
			if got := compareText(t, text, from, to, c.given); got < 2 && c.given.Switches == nil {
				t.Error("nothing changes: nothing is seen")
			}
		})
	}
}

// compareText compares the intervals of a file with a dry run at each minute, and just before and at each change. It
// answers how many there are.
func compareText(t *testing.T, text string, first, end time.Time, given rules.Given) int {
	t.Helper()
	f := load(t, text)
	call := rules.Call{Caller: rules.NewCaller("5511988887777", "", ""), Number: "main"}
	intervals, err := Intervals(f, call, first, end, given)
	if err != nil {
		t.Fatal(err)
	}
	if got := intervals[0].Start; !got.Equal(first) {
		t.Fatalf("starts at %v, not %v", got, first)
	}
	check := func(at time.Time, in Interval) {
		s, err := f.Simulate(call, at, given)
		if err != nil {
			t.Fatal(err)
		}
		if want := intervalOf(s, at); !in.sameAs(want) {
			t.Fatalf("at %v: the interval %v to %v says %s by %s, and a dry run %s by %s, of:\n%s",
				want.Start, in.Start, in.End, in.Action, in.By, want.Action, want.By, text)
		}
	}
	i := 0
	for at := first; at.Before(end); at = at.Truncate(time.Minute).Add(time.Minute) {
		for !at.Before(intervals[i].End) {
			check(intervals[i].End.Add(-1), intervals[i])
			if i++; !intervals[i].Start.Equal(intervals[i-1].End) || intervals[i].sameAs(intervals[i-1]) {
				t.Fatalf("%v does not go on from %v", intervals[i], intervals[i-1])
			}
			check(intervals[i].Start, intervals[i])
		}
		check(at, intervals[i])
	}
	if i != len(intervals)-1 || !intervals[i].End.Equal(end) {
		t.Fatalf("ends with %v, not at %v", intervals[len(intervals)-1], end)
	}
	return len(intervals)
}

// madeUpWeek is a rules file in which the clock decides.
func madeUpWeek(random *rand.Rand, zone string, first time.Time) string {
	pick := func(all ...string) string { return all[random.IntN(len(all))] }
	clock := func() string { return fmt.Sprintf("%02d:%02d", random.IntN(24), 5*random.IntN(12)) }
	day := func() string { return first.AddDate(0, 0, random.IntN(6)).Format(time.DateOnly) }
	window := func() string {
		start := random.IntN(24 * 60)
		end := (start + 1 + random.IntN(23*60)) % (24 * 60)
		return pick(hours.Window{Start: start, End: end}.String(), hours.Window{Start: start, End: end}.String(),
			"closed", "00:00-24:00")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\ntimezone: %s\nnumbers:\n  main: {phone: \"+55 11 2236-1741\"}\n", zone)
	fmt.Fprintf(&b, "calendars:\n  own: {%s: one, %s: two}\n", first.Format("01-02"),
		first.AddDate(0, 0, 2+random.IntN(2)).Format(time.DateOnly))
	b.WriteString("hours:\n")
	for _, name := range []string{"a", "b", "c"} {
		fmt.Fprintf(&b, "  %s:\n    timezone: %s\n    weekly:\n      mon-wed: %s\n      thu: %s\n      fri,sat: "+
			"%s\n      sun: %s\n",
			name, pick(zone, zone, "America/Manaus", "Asia/Kathmandu", "Europe/Lisbon", "Australia/Lord_Howe"),
			window(), window(), window(), window())
		fmt.Fprintf(&b, "    holidays: [%s]\n    dates:\n      %s: %s\n", pick("own", "br", "pt"),
			first.AddDate(0, 0, 1+random.IntN(4)).Format("01-02"), window())
	}
	fmt.Fprintf(&b, "lists:\n  some:\n    - {number: \"+55 11 98888-7777\", until: \"%s\"}\n",
		first.Add(time.Duration(random.IntN(96*3600))*time.Second).Format(time.RFC3339))
	var condition func(depth int) string
	condition = func(depth int) string {
		if random.IntN(400) == 0 { // it takes long
			return "now.Unix() % 5820 < 3000"
		}
		if depth > 0 && random.IntN(3) > 0 {
			switch random.IntN(3) {
			case 0:
				return "not (" + condition(depth-1) + ")"
			case 1:
				return "(" + condition(depth-1) + ") and (" + condition(depth-1) + ")"
			default:
				return "(" + condition(depth-1) + ") or (" + condition(depth-1) + ")"
			}
		}
		switch random.IntN(16) {
		case 0, 1, 2:
			return fmt.Sprintf("open(%q)", pick("a", "b", "c"))
		case 3, 4:
			return fmt.Sprintf("clock %s %q", pick("<", "<=", ">", ">=", "==", "!="), clock())
		case 5:
			return fmt.Sprintf("%q %s clock", clock(), pick("<", "<=", ">", ">="))
		case 6:
			return fmt.Sprintf("clock in [%q, %q]", clock(), clock())
		case 7:
			return fmt.Sprintf("%q <= clock < %q", clock(), clock())
		case 8:
			return fmt.Sprintf("today %s %q", pick("<", ">=", "==", "!="), day())
		case 9:
			return fmt.Sprintf("weekday %s [%q, %q]", pick("in", "not in"), pick("mon", "tue", "wed"),
				pick("thu", "fri", "sat", "sun"))
		case 10:
			return fmt.Sprintf("holiday(%q)", pick("own", "own", "br", "us"))
		case 11:
			return fmt.Sprintf("now.Hour() %s %d", pick("<", ">=", "==", "% 5 =="), random.IntN(24))
		case 12:
			return pick(`now.Day() % 2 == 0`, `now.Weekday().String() == "Sunday"`, `now.YearDay() % 3 == 1`,
				`now.Format("15") in ["02", "03"]`)
		case 13:
			return pick(`listed("some")`, `listed(weekday == "sat" ? "some" : "some")`)
		case 14:
			return pick(`open(weekday == "thu" ? "a" : "b")`, `clock > (open("c") ? "10:30" : "20:15")`,
				`let h = open("b"); h and clock < "12:00"`)
		default:
			return pick(`now.Minute() == 17`, `clock startsWith "1"`, `clock matches "^0[2-4]:3"`,
				`now.Format("1504") > "1410"`, `opens("a") endsWith "0"`, `closes("b") == ""`)
		}
	}
	b.WriteString("answers: {bot: {url: \"https://bot.example/answer\"}}\nrules:\n")
	for i, depth := range []int{0, 0, 1, 3} {
		fmt.Fprintf(&b, "  - name: rule %d\n    when: |\n      %s\n    then: %s\n", i, condition(depth),
			pick("reject", "{accept: bot}"))
	}
	b.WriteString("default: reject\n")
	return b.String()
}

const clockFile = `
version: 1
timezone: America/Sao_Paulo
numbers:
  main: {phone: "+55 11 2236-1741"}
  lisbon: {phone: "+351 21 111 2222"}
agents: {ana: {}}
queues: {sales: {agents: [ana]}}
messages: {closed: closed}
lists:
  known: ["+55 11 96123-4567", "+55 11 96123-4500"]
rules:
`

var loadedAt = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func clockRules(t testing.TB, text string) *rules.File {
	t.Helper()
	return load(t, clockFile+text+"default: reject\n")
}

func load(t testing.TB, text string) *rules.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, problems := rules.Load(path)
	if problems.HasErrors() {
		t.Fatalf("%v, of:\n%s", problems, text)
	}
	return f
}

func TestAConditionOnSecondsIsExactToTheSecond(t *testing.T) {
	f := clockRules(t, rulestest.Rule("late", `clock == "17:59" and now.Second() >= 30`, "{reject: {message: closed}}"))
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, f.Location())
	intervals, err := Intervals(f, rules.Call{Number: "main"}, from, from.AddDate(0, 0, 1), rules.Given{})
	if err != nil {
		t.Fatal(err)
	}
	var starts []string
	for _, i := range intervals {
		starts = append(starts, i.Start.Format("15:04:05"))
	}
	if got, want := strings.Join(starts, " "), "00:00:00 17:59:30 18:00:00"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAChangeThatChangesNothingIsNone(t *testing.T) {
	f := clockRules(t,
		rulestest.Rule("evening", `clock >= "17:00" and caller.country == "PT"`, "{reject: {message: closed}}")+
			rulestest.Rule("sales", `weekday != "sun"`, "{handoff: sales}"))
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, f.Location())
	call := rules.Call{Caller: rules.NewCaller("5511988887777", "", ""), Number: "main"}
	intervals, err := Intervals(f, call, from, from.AddDate(0, 0, 7), rules.Given{})
	if err != nil {
		t.Fatal(err)
	}
	if len(intervals) != 2 || *intervals[0].Rule != "sales" || *intervals[0].Queue != "sales" ||
		intervals[1].By != rules.ByDefault ||
		intervals[1].Start.Format(time.DateTime) != "2026-11-29 00:00:00" {
		t.Errorf("got %v", intervals)
	}
	if all, err := Intervals(f, call, from, from.AddDate(0, 0, 7),
		rules.Given{NoAnswer: []string{"sales"}}); err != nil || len(all) != 1 {
		t.Errorf("nobody picks up: got %v, %v", all, err)
	}
}

func TestIntervalsOfWhatDoesNotExist(t *testing.T) {
	f := clockRules(t, rulestest.Rule("sales", `clock > "12:00"`, "{handoff: sales}"))
	if _, err := Intervals(f, rules.Call{Number: "main"}, loadedAt, loadedAt, rules.Given{}); err == nil {
		t.Error("no time at all is no error")
	}
	if _, err := Intervals(f, rules.Call{Number: "mian"}, loadedAt, loadedAt.Add(1), rules.Given{}); err == nil ||
		!strings.Contains(err.Error(), `"main"`) {
		t.Errorf("an unknown number: %v", err)
	}
}
