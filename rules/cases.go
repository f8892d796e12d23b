package rules

import (
	"fmt"
	"slices"
	"time"

	"callrouter/rules/hours"
	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/source"
	"callrouter/rules/phone"
)

// Case is one test: a made-up call, and what must become of it.
type Case struct {
	Name   string
	At     source.Span // of the name
	Call   Call
	Time   time.Time
	Given  Given
	Expect []Expectation
}

// Expectation is one thing that must hold.
type Expectation struct {
	What string // "action", "rule", "by", "queue", "answer" or "message"
	Want string
	at   source.Span // of the value
}

// readTests reads the tests of the document as tests of the file.
func (l *loader) readTests() []Case {
	var all []Case
	first := map[string]*source.Node{}
	for n := range l.Items(l.Child(l.Root, "tests")) {
		if n.Kind != source.MappingNode {
			continue
		}
		t := Case{At: l.Of(n)}
		if name := l.Child(n, "name"); name != nil {
			t.Name, t.At = name.Value, l.Of(name)
			if other := first[name.Value]; other != nil {
				l.Fail(name, "duplicate-name",
					fmt.Sprintf("there is a test %s already, at line %d", source.Quoted(name.Value), other.Line),
					"give it another name")
			}
			first[name.Value] = name
		}
		l.readTestCall(&t, l.Child(n, "call"))
		l.readGiven(&t.Given, l.Child(n, "given"))
		l.readExpect(&t, l.Child(n, "expect"))
		all = append(all, t)
	}
	return all
}

// Withheld stands for the number of a caller who hides it, in tests and flags.
const Withheld = "withheld"

func (l *loader) readTestCall(t *Case, n *source.Node) {
	from := ""
	if v := l.Child(n, "from"); v != nil && v.Value != Withheld {
		if _, err := phone.Normalize(v.Value); err != nil {
			l.FailWith(v, "bad-phone", err)
		}
		from = v.Value
	}
	t.Call = Call{Caller: NewCaller(from, l.text(n, "id"), l.text(n, "name")), Payload: l.text(n, "payload")}
	if len(l.f.numbers) > 0 {
		t.Call.Number = l.f.numbers[0].Name
	}
	if to := l.Child(n, "to"); to != nil {
		t.Call.Number, _ = l.refer(condition.Number, to)
	}
	if at := l.Child(n, "at"); at != nil {
		var err error
		if t.Time, err = hours.ParseTime(at.Value, l.f.loc, l.now); err != nil {
			l.FailWith(at, "bad-time", err)
		}
	}
}

func (l *loader) readGiven(g *Given, n *source.Node) {
	if n == nil {
		return
	}
	counts := func(name string) map[string]int {
		m := map[string]int{}
		for k := range l.Entries(l.Child(n, name)) {
			if _, ok := l.refer(condition.Queue, k); ok {
				m[k.Value] = l.count(l.Child(n, name), k.Value, 0)
			}
		}
		return m
	}
	list := func(name string, k condition.Kind) (all []string) {
		for item := range l.Items(l.Child(n, name)) {
			if s, ok := l.refer(k, item); ok {
				all = append(all, s)
			}
		}
		return all
	}
	g.Free, g.Online, g.Waiting = counts("free"), counts("online"), counts("waiting")
	g.Listed, g.NoAnswer, g.Fails = list("listed", condition.List), list("no_answer", condition.Queue),
		list("fails", condition.Answer)
	g.Calls = l.count(n, "calls", 0)
	g.Switches = map[string]bool{}
	for k, v := range l.Entries(l.Child(n, "switch")) {
		if name, ok := l.refer(condition.Hours, k); ok {
			g.Switches[name] = v.Value == "open"
		}
	}
	g.StoreDown = l.Child(n, "store") != nil
}

func (l *loader) readExpect(t *Case, n *source.Node) {
	kinds := map[string]condition.Kind{"rule": condition.Rule, "queue": condition.Queue, "answer": condition.Answer}
	for k, v := range l.Entries(n) {
		if k, ok := kinds[k.Value]; ok && !slices.Contains(l.known[k], v.Value) {
			l.unknownName(k, l.Of(v), v.Value)
		}
		t.Expect = append(t.Expect, Expectation{k.Value, v.Value, l.Of(v)})
	}
}
