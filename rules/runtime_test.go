package rules

import (
	"fmt"
	"testing"
	"time"

	"callrouter/rules/internal/rulestest"
)

// runtimeEntries is what a store returns of one list with n entries at run time.
func runtimeEntries(n int) map[string][]Entry {
	all := make([]Entry, n)
	for i := range all {
		all[i] = Entry{Key: fmt.Sprintf("+55119%08d", 60_000_000+i)}
	}
	return map[string][]Entry{"vip": all}
}

// A hundred times as many entries may take ten times as long, which is far more than two look-ups can differ by.
func TestACallerIsLookedUpAmongTheEntriesAtRunTime(t *testing.T) {
	f := loadText(t, t.TempDir(), rulestest.Beginning+rulestest.Rule("a", `listed("vip")`, "{accept: bot}"))
	took := func(n int) time.Duration {
		rt := NewRuntime(nil, runtimeEntries(n))
		shortest := time.Hour
		for i := range 200 {
			from, want := fmt.Sprintf("55119%08d", 60_000_000+n-1-i%2*n), "a"
			if i%2 == 1 {
				want = ""
			}
			call := callFrom(from)
			start := time.Now()
			if d, _ := f.Decide(f.Input(call, loadedAt, rt, Facts{}), 0); d.Rule != want {
				t.Fatalf("%s: %+v", from, d)
			}
			shortest = min(shortest, time.Since(start))
		}
		return shortest
	}
	if few, many := took(1_000), took(100_000); many > 10*few {
		t.Errorf("with 1,000 entries it took %v, with 100,000 %v", few, many)
	}
}

func TestOfTwoEntriesAtRunTimeTheLongerOneCounts(t *testing.T) {
	soon, later := loadedAt.Add(time.Hour), loadedAt.Add(2*time.Hour)
	rt := NewRuntime(nil, map[string][]Entry{
		"vip":     {{Key: "a", Until: later}, {Key: "a", Until: soon}, {Key: "b", Until: soon}, {Key: "b"}},
		"blocked": {{Key: "a", Until: soon}},
	})
	if got := rt.Entries["vip"]; len(got) != 2 || got["a"] != later || !got["b"].IsZero() {
		t.Errorf("%v", got)
	}
	if got := rt.Entries["blocked"]; len(got) != 1 || got["a"] != soon {
		t.Errorf("%v", got)
	}
}

func BenchmarkACallerAmongEntriesAtRunTime(b *testing.B) {
	f := loadText(b, b.TempDir(), rulestest.Beginning+rulestest.Rule("a", `listed("vip")`, "{accept: bot}"))
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("entries=%d", n), func(b *testing.B) {
			rt, call := NewRuntime(nil, runtimeEntries(n)), callFrom("5511988887777")
			b.ReportAllocs()
			for b.Loop() {
				f.Decide(f.Input(call, loadedAt, rt, Facts{}), 0)
			}
		})
	}
}
