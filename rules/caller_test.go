package rules

import (
	"strings"
	"testing"
	"time"

	"callrouter/rules/internal/rulestest"
)

func TestCallersAreNeverRefused(t *testing.T) {
	for _, c := range []struct {
		from, userID, name string
		want               Caller
		key                string
	}{
		{"554399951234", "", "Ana", Caller{"+5543999951234", "554399951234", "Ana", "BR", "43", ""}, "+5543999951234"},
		{"554399951234", "BR.1349", "", Caller{"+5543999951234", "554399951234", "", "BR", "43", "BR.1349"}, "+5543999951234"},
		{"5215512345678", "", "", Caller{"+525512345678", "5215512345678", "", "MX", "55", ""}, "+525512345678"},
		{"5491112345678", "", "", Caller{"+541112345678", "5491112345678", "", "AR", "11", ""}, "+541112345678"},
		{"351912345678", "", "", Caller{"+351912345678", "351912345678", "", "PT", "", ""}, "+351912345678"},
		{"14155552671", "", "", Caller{"+14155552671", "14155552671", "", "US", "415", ""}, "+14155552671"},
		{"16135550123", "", "", Caller{"+16135550123", "16135550123", "", "CA", "613", ""}, "+16135550123"},
		{"51999998888", "", "", Caller{"+51999998888", "51999998888", "", "PE", "", ""}, "+51999998888"},
		// A username: no number, known by the id alone.
		{"", "BR.13491208655302741918", "Bia", Caller{"", "BR.13491208655302741918", "Bia", "", "", "BR.13491208655302741918"},
			"id:BR.13491208655302741918"},
		{"BR.13491208655302741918", "", "", Caller{"", "BR.13491208655302741918", "", "", "", "BR.13491208655302741918"},
			"id:BR.13491208655302741918"},
		{"", "", "", Caller{}, ""},
		// No valid number, and yet a caller.
		{"5511", "", "", Caller{"+5511", "5511", "", "BR", "", ""}, "+5511"},
		{"551112345678", "", "", Caller{"+551112345678", "551112345678", "", "BR", "", ""}, "+551112345678"},
		{"190", "", "", Caller{"+190", "190", "", "", "", ""}, "+190"},
		{"999123456789", "", "", Caller{"+999123456789", "999123456789", "", "", "", ""}, "+999123456789"},
		{"123456789012345678901234567890", "", "",
			Caller{"+123456789012345678901234567890", "123456789012345678901234567890", "", "", "", ""},
			"+123456789012345678901234567890"},
		{"00", "", "", Caller{ID: "00", UserID: "00"}, "id:00"},
	} {
		got := NewCaller(c.from, c.userID, c.name)
		if got != c.want || got.Key() != c.key {
			t.Errorf("NewCaller(%q, %q, %q) = %+v, key %q; want %+v, key %q", c.from, c.userID, c.name, got, got.Key(),
				c.want, c.key)
		}
	}
}

// A caller who is on a list by user id does not get off it by showing the number, nor the other way round.
func TestACallerIsListedByUserIDAndByNumber(t *testing.T) {
	f := loadText(t, t.TempDir(), rulestest.Beginning+rulestest.Rule("in the file", `listed("vip")`, "{accept: bot}"))
	rt := &Runtime{Entries: map[string]map[string]time.Time{
		"vip": {"id:BR.7": loadedAt.Add(time.Hour), "+5511977776666": loadedAt}}}
	for _, step := range []struct {
		from, userID string
		listed       bool
	}{
		{"", "BR.1", true}, {"5521966665555", "BR.1", true}, {"BR.1", "", true}, {"5521966665555", "BR.2", false},
		{"5511988887777", "", true}, {"5511988887777", "BR.2", true}, // by number
		{"", "BR.7", true}, {"5521966665555", "BR.7", true}, // at run time
		{"5511977776666", "BR.7", true}, {"5511977776666", "BR.8", false}, // the entry of the number has ended
	} {
		call := Call{Caller: NewCaller(step.from, step.userID, ""), Number: "main"}
		if d, _ := f.Decide(f.Input(call, loadedAt, rt, Facts{}), 0); (d.Rule != "") != step.listed {
			t.Errorf("number %q, user id %q: listed: %v", step.from, step.userID, d.Rule != "")
		}
	}
}

func TestListEntriesHaveTheKeyOfTheirCaller(t *testing.T) {
	for s, caller := range map[string]Caller{
		"+55 43 99995-1234":            NewCaller("554399951234", "", ""),
		" 554399951234 ":               NewCaller("5543999951234", "", ""),
		"id:BR.13491208655302741918":   NewCaller("", "BR.13491208655302741918", ""),
		" id: BR.13491208655302741918": NewCaller("", "BR.13491208655302741918", ""),
	} {
		if key, err := ParseEntry(s); err != nil || key != caller.Key() {
			t.Errorf("ParseEntry(%q) = %q, %v; want %q", s, key, err, caller.Key())
		}
	}
	for s, want := range map[string]string{
		"id:":           "id:BR.13491208655302741918",
		"id:a b":        "id:BR.13491208655302741918",
		"11 98888-7777": "write +55 11 98888-7777",
		"BR.1349":       "has 'B' in it",
	} {
		if key, err := ParseEntry(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseEntry(%q) = %q, %v; want an error with %q", s, key, err, want)
		}
	}
}

const twoCountries = `
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

func TestAnyCallerIsNobodyTheFileKnows(t *testing.T) {
	f := loadText(t, t.TempDir(),
		twoCountries+rulestest.Rule("one", `caller.number == "+5511961234501"`, "reject")+"default: reject\n")
	if c := f.AnyCaller("main"); c.Country != "BR" || f.knows(c) || c.Number == "+5511961234567" {
		t.Errorf("got %+v", c)
	}
	if c := f.AnyCaller("lisbon"); c.Country != "PT" {
		t.Errorf("got %+v", c)
	}
}
