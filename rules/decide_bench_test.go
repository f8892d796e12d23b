package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"callrouter/rules/internal/rulestest"
)

// benchFile is a file of n rules with conditions of every kind, of which only the last holds.
func benchFile(tb testing.TB, n, listed int) *File {
	tb.Helper()
	var list strings.Builder
	for i := range listed {
		fmt.Fprintf(&list, "+55119%08d\n", 60000000+i)
	}
	folder := tb.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "known.txt"), []byte(list.String()), 0o644); err != nil {
		tb.Fatal(err)
	}
	return loadText(tb, folder, rulestest.ManyRules(n, "{file: known.txt}"))
}

// benchInputs are calls of many callers, spread over ten minutes in which the last rule decides.
func benchInputs(f *File) []Input {
	inputs := make([]Input, 256)
	for i := range inputs {
		call := Call{Caller: NewCaller(fmt.Sprintf("55119%08d", 60000000+i*7), "", "Ana"), Number: "main"}
		facts := Facts{Queues: map[string]QueueFacts{"sales": {Free: i % 4, Online: 2}},
			Listed: map[string]bool{"blocked": false}}
		inputs[i] = f.Input(call, time.Date(2026, 11, 23, 10, i%10, i%50, 0, f.Location()), nil, facts)
	}
	return inputs
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			f := benchFile(b, n, 100_000)
			inputs := benchInputs(f)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if d, _ := f.Decide(inputs[i%len(inputs)], 0); d.Index != n-1 {
					b.Fatal(d)
				}
			}
		})
	}
}

// What an evaluation costs with its preparation: every call has an input of its own.
func BenchmarkInputAndDecide(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			f := benchFile(b, n, 1_000)
			inputs := benchInputs(f)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				in := inputs[i%len(inputs)]
				if d, _ := f.Decide(f.Input(in.call, inputs[0].now, nil, in.facts), 0); d.Index != n-1 {
					b.Fatal(d)
				}
			}
		})
	}
}

// What a call of a router costs: its input, the decision, and what its record says of the rules.
func BenchmarkInputAndDecideTold(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			f := benchFile(b, n, 1_000)
			inputs := benchInputs(f)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				in := inputs[i%len(inputs)]
				if d, _, _ := f.DecideTold(f.Input(in.call, inputs[0].now, nil, in.facts), 0); d.Index != n-1 {
					b.Fatal(d)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	f := benchFile(b, 1_000, 10)
	for b.Loop() {
		if _, problems := Load(f.Path()); problems.HasErrors() {
			b.Fatal(problems)
		}
	}
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes pools allocate")
	}
	f := benchFile(t, 100, 100)
	inputs := benchInputs(f)
	i := 0
	got := testing.AllocsPerRun(2000, func() {
		if d, _ := f.Decide(inputs[i%len(inputs)], 0); d.Index != 99 {
			t.Fatal(d)
		}
		i++
	})
	if got != 0 {
		t.Errorf("%v allocations a decision", got)
	}
}
