package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// checkExport reads the export as a replay would.
func (o *operated) checkExport(vip, other string) {
	o.Helper()
	var lines []exportedCall
	for line := range strings.Lines(o.ok([]string{"calls", "export", "--since", "1h"})) {
		var c exportedCall
		o.must(json.Unmarshal([]byte(line), &c))
		lines = append(lines, c)
	}
	if len(lines) != 2 || lines[0].Key != vip || lines[1].Key != other {
		o.Fatalf("the export has %d lines, or not from the oldest on: %+v", len(lines), lines)
	}
	file, problems := rules.Load(o.rules)
	o.must(problems.Err())
	c := lines[0]
	if c.Format != 1 || c.Caller != (exportedCaller{Number: "+" + operatedVIP, Name: "Vera", Received: operatedVIP}) ||
		c.Number != "main" || c.RulesVersion != file.Version() || c.ReceivedAt.IsZero() ||
		c.Timezone != "America/Sao_Paulo" ||
		*c.Decision.Action != rules.Handoff || *c.Decision.Rule != "vip" || *c.Decision.Queue != "sales" ||
		*c.Outcome != engine.Answered {
		o.Errorf("the first line is %+v", c)
	}
	if len(c.Facts) == 0 || !c.Facts[0].Listed["vip"] {
		o.Fatalf("the facts are %+v", c.Facts)
	}
	// What was exported is enough to decide again, with the same end.
	call := rules.Call{
		Caller: rules.NewCaller(c.Caller.Received, c.Caller.ID, c.Caller.Name), Number: c.Number, Payload: c.Payload,
	}
	in := file.Input(call, c.Facts[0].At, nil, rules.Facts{
		Listed: c.Facts[0].Listed, Queues: c.Facts[0].Queues,
		Calls: map[time.Duration]int{time.Hour: c.Facts[0].Calls["1h0m0s"]},
	})
	if d, needs := file.Decide(in, 0); !needs.None() || d.Action != *c.Decision.Action || d.Rule != *c.Decision.Rule {
		o.Errorf("decided again: %+v, needs %+v", d, needs)
	}
	var newest exportedCall
	o.must(json.Unmarshal([]byte(o.ok([]string{"calls", "export", "--limit", "1"})), &newest))
	if newest.Key != other {
		o.Errorf("the newest is %s, want %s", newest.Key, other)
	}
}

// An export has every call that is kept once, from the oldest on, also those of one instant.
func TestExportOfManyCalls(t *testing.T) {
	t.Parallel()
	o := startOperated(t)
	const n = 2 * exportPage
	began := time.Now().Add(-time.Hour)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			c := &engine.Call{
				ID: fmt.Sprint("call ", i), State: engine.Ended, Outcome: engine.Rejected,
				ReceivedAt: began.Add(time.Duration(i/7) * time.Second),
			}
			if _, err := o.router.Store().Insert(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen, last := map[string]bool{}, time.Time{}
	for line := range strings.Lines(o.ok([]string{"calls", "export"})) {
		var c exportedCall
		o.must(json.Unmarshal([]byte(line), &c))
		if seen[c.ID] || c.ReceivedAt.Before(last) {
			t.Errorf("%s, of %s, comes twice, or after %s", c.ID, c.ReceivedAt, last)
		}
		seen[c.ID], last = true, c.ReceivedAt
	}
	if len(seen) != n {
		t.Errorf("%d calls, want %d", len(seen), n)
	}
}
