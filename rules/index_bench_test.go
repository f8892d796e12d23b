package rules

import (
	"fmt"
	"testing"
	"time"
)

// benchConditions are the forms of conditions of which a large file has many. None of them holds.
var benchConditions = []struct {
	name string
	of   func(i int) string
}{
	{"equal", func(i int) string { return fmt.Sprintf(`payload == "campaign-%05d"`, i) }},
	{"fact before", func(i int) string {
		return fmt.Sprintf(`free("sales") > 0 and payload == "campaign-%05d"`, i)
	}},
	{"lower", func(i int) string { return fmt.Sprintf(`lower(payload) == "campaign-%05d"`, i) }},
	{"startsWith", func(i int) string { return fmt.Sprintf(`payload startsWith "campaign-%05d"`, i) }},
	{"endsWith", func(i int) string { return fmt.Sprintf(`payload endsWith "campaign-%05d"`, i) }},
	{"contains", func(i int) string { return fmt.Sprintf(`payload contains "campaign-%05d"`, i) }},
	{"matches", func(i int) string { return fmt.Sprintf(`payload matches "campaign-%05d.*[0-9]"`, i) }},
	{"linear", func(i int) string { return fmt.Sprintf(`payload != "" and len(payload) == %d`, 1000+i) }},
}

// What a call costs, with its preparation, in files whose rules are all of one form.
func BenchmarkInputAndDecideByForm(b *testing.B) {
	for _, c := range benchConditions {
		for _, n := range []int{10, 1_000, 10_000} {
			b.Run(fmt.Sprintf("%s/rules=%d", c.name, n), func(b *testing.B) {
				f := manyFile(b, n, "", c.of)
				call := Call{Caller: NewCaller("5511988887777", "", "Ana"), Number: "main",
					Payload: "utm_source=instagram&campaign-x0001&ref=summer"}
				at := time.Date(2026, 11, 23, 13, 0, 0, 0, f.Location())
				facts := Facts{Queues: map[string]QueueFacts{"sales": {Free: 1, Online: 2}}}
				b.ReportAllocs()
				for b.Loop() {
					if d, _ := f.Decide(f.Input(call, at, nil, facts), 0); d.By != ByDefault {
						b.Fatal(d)
					}
				}
			})
		}
	}
}
