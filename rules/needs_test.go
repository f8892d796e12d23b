package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callrouter/rules/internal/condition"
	"callrouter/rules/internal/rulestest"

	"pgregory.net/rapid"
)

// queuesFile is a file of n queues, each asked for by a rule of its own.
func queuesFile(tb testing.TB, n int) *File {
	tb.Helper()
	var queues, rules strings.Builder
	for i := range n {
		fmt.Fprintf(&queues, "  q%d: {agents: [ana]}\n", i)
		rules.WriteString(rulestest.Rule(fmt.Sprintf("rule %d", i), fmt.Sprintf(`waiting("q%d") > %d`, i, i), "reject"))
	}
	return loadText(tb, tb.TempDir(), strings.Replace(rulestest.Beginning, "queues:\n", "queues:\n"+queues.String(), 1)+
		rules.String())
}

// Forty times as many queues may take two hundred times as long: looking for each among those before it takes 1,600
// times.
func TestNeedsAreFoundInOneStepForEachFact(t *testing.T) {
	took := func(n int) time.Duration {
		f := queuesFile(t, n)
		in := f.Input(callFrom("5511988887777"), loadedAt, nil, Facts{})
		shortest := time.Hour
		for range 20 {
			start := time.Now()
			if _, needs := f.Decide(in, 0); len(needs.Queues) != n || needs.Queues[n-1] != fmt.Sprintf("q%d", n-1) {
				t.Fatalf("%d queues: %+v", n, needs)
			}
			shortest = min(shortest, time.Since(start))
		}
		return shortest
	}
	if few, many := took(50), took(2000); many > 200*few {
		t.Errorf("the facts of 50 queues took %v, of 2,000 %v", few, many)
	}
}

// What many rules ask for is gathered once. With fifty times as many rules, finding it out may take ten times as long:
// going through them for each call takes fifty times.
func TestNeedsOfManyRulesAreGatheredOnce(t *testing.T) {
	took := func(n int) time.Duration {
		f := manyFile(t, n, "", func(i int) string { return fmt.Sprintf(`free("sales") > 0 and payload == "p%d"`, i) })
		in := f.Input(callFrom("5511988887777"), loadedAt, nil, Facts{})
		shortest := time.Hour
		for range 200 {
			start := time.Now()
			if _, needs := f.Decide(in, 0); len(needs.Queues) != 1 {
				t.Fatalf("%d rules: %+v", n, needs)
			}
			shortest = min(shortest, time.Since(start))
		}
		return shortest
	}
	if few, many := took(100), took(5000); many > 10*few {
		t.Errorf("the facts of 100 rules took %v, of 5,000 %v", few, many)
	}
}

func BenchmarkNeedsOfQueues(b *testing.B) {
	f := queuesFile(b, 1000)
	in := f.Input(callFrom("5511988887777"), loadedAt, nil, Facts{})
	b.ReportAllocs()
	for b.Loop() {
		f.Decide(in, 0)
	}
}

// plainNeeds is what needsFrom returns, found by looking for each fact among those before it.
func plainNeeds(f *File, i int, in *input, s *scratch) Needs {
	var n Needs
	add := func(of *condition.Needs) {
		addTo(&n.Queues, of.Queues...)
		if of.AnyQueue {
			addTo(&n.Queues, f.queueNames()...)
		}
		if in.key == "" {
			return
		}
		addTo(&n.Lists, of.Lists...)
		addTo(&n.Calls, of.Calls...)
		for _, l := range f.lists {
			if of.AnyList && l.Store {
				addTo(&n.Lists, l.Name)
			}
		}
	}
	for ; i < len(f.rules); i++ {
		r := &f.rules[i]
		if !r.answersFor(in.number) {
			continue
		}
		r.when.Each(func(a *condition.Atom) { add(&a.Needs) })
		if r.decision.Message != "" {
			add(&f.message(r.decision.Message).needs)
		}
		if r.when == nil && r.decision.Action != Handoff {
			break
		}
	}
	for _, d := range []Decision{f.fallback, f.onError} {
		if d.Message != "" {
			add(&f.message(d.Message).needs)
		}
	}
	addTo(&n.Lists, sortedKeys(in.facts.Listed)...)
	addTo(&n.Queues, sortedKeys(in.facts.Queues)...)
	addTo(&n.Calls, sortedKeys(in.facts.Calls)...)
	if s.last != 0 {
		addTo(&n.Calls, s.last)
	}
	return n
}

func TestNeedsAreThoseOfEveryRuleBehind(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		n := rapid.IntRange(1, 8).Draw(t, "rules")
		all := rapid.IntRange(0, n).Draw(t, "rule without a condition")
		for i := range n {
			if i == all {
				text.WriteString("  - {name: all, on: [other], then: {accept: bot}}\n")
			}
			beginning := rapid.SampledFrom(madeUpBeginnings).Draw(t, "beginning")
			text.WriteString(rulestest.Rule(fmt.Sprintf("rule %d", i), beginning+" and ("+genCondition(t, 2)+")",
				rapid.SampledFrom([]string{
					"{accept: bot}", "{handoff: sales}", "{reject: {message: busy}}"}).Draw(t, "then")))
			if i < all && rapid.IntRange(0, 3).Draw(t, "on") == 0 {
				text.WriteString("    on: [other]\n")
			}
		}
		f := loadText(t, folder, strings.Replace(rulestest.Beginning, "default: reject\n", rapid.SampledFrom([]string{
			"default: reject\n", "default: {reject: {message: busy}}\n"}).Draw(t, "default"), 1)+text.String())
		in := genInput(t, f)
		s := f.borrow()
		defer f.giveBack(s)
		s.last = rapid.SampledFrom([]time.Duration{0, time.Hour, time.Minute}).Draw(t, "last")
		for range 2 * len(f.rules) {
			i := rapid.IntRange(0, len(f.rules)-1).Draw(t, "from")
			got, want := f.needsFrom(i, in.input, s), plainNeeds(f, i, in.input, s)
			if !slices.Equal(got.Queues, want.Queues) || !slices.Equal(got.Lists, want.Lists) ||
				!slices.Equal(got.Calls, want.Calls) {
				t.Fatalf("from %d: %+v, want %+v", i, got, want)
			}
		}
	})
}
