package rules

import (
	"fmt"
	"strings"
	"testing"
	"time"

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
			call := Call{Caller: NewCaller(fmt.Sprintf("5521%d9", 200000+10*i), "", fmt.Sprintf("n%d", i)), Number: "main",
				Payload: fmt.Sprintf("p%d", i)}
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
