package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"callrouter/rules/internal/rulestest"
)

// manyFile is a file of n rules, each with the condition that is made for it.
func manyFile(tb testing.TB, n int, lists string, conditionOf func(i int) string) *File {
	tb.Helper()
	var text strings.Builder
	text.WriteString(strings.Replace(rulestest.Beginning, "lists:\n", "lists:\n"+lists, 1))
	for i := range n {
		text.WriteString(rulestest.Rule(fmt.Sprintf("rule %d", i), conditionOf(i), "reject"))
	}
	return loadText(tb, tb.TempDir(), text.String())
}

var indexedConditions = map[string]func(i int) string{
	"or": func(i int) string { return fmt.Sprintf(`payload == "p%d" or caller.name == "n%d"`, i, i) },
	"or of and": func(i int) string {
		return fmt.Sprintf(`clock > "00:00" and payload == "p%d" or listed("l%d")`, i, i%50)
	},
	"rarest": func(i int) string { return fmt.Sprintf(`caller.country == "BR" and payload == "p%d"`, i) },
	"rarest of prefix": func(i int) string {
		return fmt.Sprintf(`payload in ["x", "y"] and caller.number startsWith "+5521%d"`, 20000+i)
	},
	"lists": func(i int) string { return fmt.Sprintf(`listed("l%d")`, i%50) },
}

// listsForTests are fifty lists of one caller each.
func listsForTests() string {
	var lists strings.Builder
	for i := range 50 {
		fmt.Fprintf(&lists, "  l%d: [\"+55 21 3333-%04d\"]\n", i, i)
	}
	return lists.String()
}

// A call meets the few rules that it could match, whatever their number.
func TestACallMeetsFewOfManyRules(t *testing.T) {
	const n = 500
	for name, conditionOf := range indexedConditions {
		f := manyFile(t, n, listsForTests(), conditionOf)
		for i := 0; i < n; i += 49 {
			caller := NewCaller(fmt.Sprintf("5521%d9", 200000+10*i), "", fmt.Sprintf("n%d", i))
			call := Call{Caller: caller, Number: "main", Payload: fmt.Sprintf("p%d", i)}
			switch name {
			case "rarest":
				call.Caller = NewCaller("5511988887777", "", "")
			case "rarest of prefix":
				call.Caller, call.Payload = NewCaller(fmt.Sprintf("5521%d999", 20000+i), "", ""), "x"
			case "lists":
				call.Caller = NewCaller(fmt.Sprintf("55213333%04d", i%50), "", "")
			}
			in := f.Input(call, loadedAt, nil, Facts{})
			s := f.borrow()
			d, needs := f.decide(in.input, 0, s)
			if looked := len(s.looked); looked > 2 || !needs.None() {
				t.Errorf("%s: %d rules were looked at, needs %v", name, looked, needs)
			}
			f.giveBack(s)
			if e, _, _ := f.Explain(in, 0); e.Index != d.Index || d.By != ByRule {
				t.Errorf("%s, call %d: %+v, and explained %+v", name, i, d, e)
			}
		}
	}
}

// Every form of a comparison is looked up, also behind a fact that is known. One that could fail is not.
func TestEveryFormIsLookedUp(t *testing.T) {
	const n = 500
	forms := map[string]int{ // how many rules a call may meet
		`free("sales") > 0 and payload == "p%03d"`:                                       1,
		`free("sales") + free("support") > 0 and calls("1h") < 5 and payload == "p%03d"`: 1,
		`clock > "00:00" and listed("blocked") == false and payload startsWith "p%03d"`:  1,
		`online("sales") > 0 and (payload == "p%03d" or caller.name == "x")`:             1,
		`lower(payload) == "p%03d"`:                                                      1,
		`upper(trim(payload)) in ["P%03d", "X"]`:                                         1,
		`payload endsWith "%03d"`:                                                        1,
		`hasSuffix(payload, "p%03d")`:                                                    1,
		`payload contains "%03d"`:                                                        1,
		`caller.name != "" and lower(caller.name) contains "a-%03d"`:                     1,
		`payload matches "^(p|q)?%03d$"`:                                                 1,
		`payload matches "p%03d.*"`:                                                      1,
		`now.Hour() in 0..23 and payload == "p%03d"`:                                     1,
		`int(caller.area) > 0 and payload == "p%03d"`:                                    n,
		`free(caller.id) > 0 and payload == "p%03d"`:                                     n,
	}
	for form, most := range forms {
		f := manyFile(t, n, "", func(i int) string { return fmt.Sprintf(form, i) })
		call := Call{Caller: NewCaller("5511988887777", "", "Ana-477"), Number: "main", Payload: "p477"}
		facts := Facts{Queues: map[string]QueueFacts{"sales": {Free: 1, Online: 1}, "support": {}},
			Listed: map[string]bool{"blocked": false}, Calls: map[time.Duration]int{time.Hour: 0}}
		in := f.Input(call, loadedAt, nil, facts)
		s := f.borrow()
		d, _ := f.decide(in.input, 0, s)
		if len(s.looked) > most || most == 1 && d.Index != 477 {
			t.Errorf("%s: %d rules were looked at: %+v", form, len(s.looked), d)
		}
		f.giveBack(s)
	}
}

// The clock comes before the store in these rules: by day nobody asks the store, whatever else is switched.
func TestAPartOfTheClockComesBeforeTheStoreWhileHoursAreSwitched(t *testing.T) {
	f := manyFile(t, 10, "", func(i int) string {
		return fmt.Sprintf(`clock >= "23:00" and free("sales") > 0 and caller.name != "x%d"`, i)
	})
	for _, rt := range []*Runtime{nil, {Switches: map[string]Switch{"office": {Until: loadedAt.AddDate(1, 0, 0)}}}} {
		if d, needs := f.Decide(f.Input(callFrom("5511988887777"), loadedAt, rt, Facts{}), 0); d.By != ByDefault {
			t.Errorf("%+v, needs %+v", d, needs)
		}
	}
}

// A caller who is on a list by an entry at run time alone is found among many lists too.
func TestManyListsAreLookedUp(t *testing.T) {
	f := manyFile(t, 50, listsForTests(), indexedConditions["lists"])
	rt := NewRuntime(nil, map[string][]Entry{"l31": {{Key: "+5511988887777"}}, "l7": {{Key: "id:BR.1"}}, "l8": {}})
	for from, want := range map[string]string{"5511988887777": "rule 7", "552133330009": "rule 7", "": "rule 7"} {
		call := Call{Caller: NewCaller(from, "BR.1", ""), Number: "main"}
		if d, _ := f.Decide(f.Input(call, loadedAt, rt, Facts{}), 0); d.Rule != want {
			t.Errorf("%q: %+v, want %s", from, d, want)
		}
		if d, _ := f.Decide(f.Input(call, loadedAt, rt, Facts{}), 8); from == "5511988887777" && d.Rule != "rule 31" {
			t.Errorf("%q from 8: %+v", from, d)
		}
	}
}

// Parts of the conditions of a large file. Some fail, some ask the store.
var (
	equalParts = []string{`payload == "office"`, `"sales" == payload`, `payload in ["1h", "office", "x"]`}
	plainParts = []string{
		`payload startsWith "s"`,
		`payload endsWith "e"`, `payload contains "ff"`, `payload contains "f"`, `payload matches "^(sal|off).*e"`,
		`payload matches "e$"`, `payload matches "^1h$"`, `payload matches "(?i)SALES"`, `hasPrefix(payload, "no")`,
		`lower(payload) == "sales"`, `upper(trim(payload)) in ["SALES", "OFFICE"]`, `lower(caller.name) == "ana"`,
		`caller.country in ["BR", "US"]`, `caller.number startsWith "+5511"`, `caller.number endsWith "77"`,
		`listed("vip")`, `number == "main"`, `lower(number) startsWith "m"`, `not (caller.name == "Ana")`,
		`caller.area != "11"`,
		`(payload == "1h" or caller.name == "Ana")`, `(caller.country == "US" or payload == "sales" and listed("vip"))`,
		`(payload contains "h" or not (payload endsWith "e"))`, `(payload == "sales" or number == "main")`,
		`open("office")`, `not open("office")`, `clock >= "12:00"`, `weekday in ["mon", "tue"]`, `now.Hour() in 9..17`,
	}
	askingParts = []string{
		`free("sales") > 0`, `free("sales") > 0`, `free("sales") + online("support") > 1`, `waiting("support") < 9`,
		`listed("blocked")`, `not listed("blocked")`, `calls("1h") > 1`, `calls("2h") < 3`,
		`(payload == "sales" or free("sales") > 0)`, `(free("support") > 0 and payload == "office" or payload == "1h")`,
	}
	failingParts = []string{
		`int(caller.name) > 0`, `split(payload, "")[2] == "l"`, `open(payload)`, `free(payload) > 0`,
		`calls(payload) > 1`, `len(caller.name) / len(payload) > 1`,
	}
)

// genFacts are facts of which some are not known, or all are as the store says, or it says that it is down.
func genFacts(t *rapid.T) Facts {
	facts := Facts{Queues: map[string]QueueFacts{}, Listed: map[string]bool{}, Calls: map[time.Duration]int{}}
	known := rapid.SampledFrom([]int{0, 3, 3, 4, 4, 4}).Draw(t, "quarters of the facts that are known")
	is := func(fact string) bool { return rapid.IntRange(0, 3).Draw(t, fact) < known }
	for _, q := range []string{"sales", "support"} {
		if is(q) {
			facts.Queues[q] = QueueFacts{Free: rapid.IntRange(0, 2).Draw(t, "free"), Online: 2}
		}
	}
	if is("blocked") {
		facts.Listed["blocked"] = rapid.Bool().Draw(t, "is blocked")
	}
	for _, d := range []time.Duration{time.Hour, 2 * time.Hour} {
		if is(d.String()) {
			facts.Calls[d] = rapid.IntRange(0, 3).Draw(t, "calls")
		}
	}
	if rapid.IntRange(0, 4).Draw(t, "down") == 0 {
		facts.Err = errors.New("the store is down")
	}
	return facts
}

// walk is Decide without the index: every rule is looked at.
func walk(f *File, in *input, from int) (Decision, Needs) {
	s := f.borrow()
	defer f.giveBack(s)
	for i := from; i < len(f.rules); i++ {
		r := &f.rules[i]
		if !r.answersFor(in.number) {
			continue
		}
		switch t := f.holds(r.when, in, s); {
		case t == IsTrue:
			return r.decision, Needs{}
		case t == undecided && s.lacking:
			return Decision{}, f.needsFrom(i, in, s)
		case t == undecided:
			return f.OnError(s.failure(r)), Needs{}
		}
	}
	return f.fallback, Needs{}
}

// With the index or without it: the same decision, the same error, the same facts that are asked for.
func TestTheIndexDecidesAsAWalkDoes(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var some []string // so few that rules share them
		for range rapid.IntRange(3, 9).Draw(t, "different parts") {
			of := [][]string{plainParts, plainParts, plainParts, askingParts, askingParts, failingParts}
			some = append(some, rapid.SampledFrom(rapid.SampledFrom(of).Draw(t, "kind")).Draw(t, "part"))
		}
		n := rapid.IntRange(1, 40).Draw(t, "rules")
		for i := range n {
			parts := rapid.SliceOfN(rapid.SampledFrom(some), 1, 4).Draw(t, "parts")
			if rapid.Bool().Draw(t, "equal") { // to two of them no payload is
				at := rapid.IntRange(0, len(parts)).Draw(t, "place")
				parts = slices.Insert(parts, at, rapid.SampledFrom(equalParts).Draw(t, "equal part"))
			}
			text.WriteString(rulestest.Rule(fmt.Sprintf("rule %d", i), strings.Join(parts, " and "),
				"{handoff: sales}"))
			if rapid.IntRange(0, 4).Draw(t, "on") == 0 {
				text.WriteString("    on: [other]\n")
			}
		}
		f := loadText(t, folder, rulestest.Beginning+text.String())
		for range 20 {
			facts := genFacts(t)
			made := genInput(t, f)
			in := f.Input(made.call, made.now, made.runtime, facts)
			for from := 0; from < n; from += 1 + n/4 {
				decided, needs := f.Decide(in, from)
				walked, needsToo := walk(f, in.input, from)
				if fmt.Sprint(needs) != fmt.Sprint(needsToo) || fmt.Sprint(decided) != fmt.Sprint(walked) {
					t.Fatalf("%+v at %v with %+v, from %d: %+v %v; walked %+v %v", made.call, made.now, facts, from,
						decided, needs, walked, needsToo)
				}
			}
		}
	})
}

func BenchmarkManyRules(b *testing.B) {
	for name, conditionOf := range indexedConditions {
		b.Run(name, func(b *testing.B) {
			f := manyFile(b, 10_000, listsForTests(), conditionOf)
			call := Call{Caller: NewCaller("5511988887777", "", "Ana"), Number: "main", Payload: "p1"}
			in := f.Input(call, time.Date(2026, 11, 23, 13, 0, 0, 0, f.Location()), nil, Facts{})
			b.ReportAllocs()
			for b.Loop() {
				f.Decide(in, 0)
			}
		})
	}
}
