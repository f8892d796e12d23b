package week

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callrouter/rules"
	"callrouter/rules/internal/rulestest"
)

// benchFile is a file of n rules with conditions of every kind, of which only the last holds.
func benchFile(tb testing.TB, n, listed int) *rules.File {
	tb.Helper()
	var list strings.Builder
	for i := range listed {
		fmt.Fprintf(&list, "\n    - \"+55119%08d\"", 60000000+i)
	}
	return load(tb, rulestest.ManyRules(n, list.String()))
}

func BenchmarkWeekOfHundredRules(b *testing.B) {
	f := benchFile(b, 100, 1000)
	call := rules.Call{Caller: rules.NewCaller("5511988887777", "", ""), Number: "main"}
	from := time.Date(2026, 11, 23, 0, 0, 0, 0, f.Location())
	for b.Loop() {
		if _, err := Intervals(f, call, from, from.AddDate(0, 0, 7), rules.Given{}); err != nil {
			b.Fatal(err)
		}
	}
}
