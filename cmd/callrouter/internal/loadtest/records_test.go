package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"callrouter/engine/testrun"
	"callrouter/store/storetest"
)

// TestRecordsNothingIsLost: each step on a store with some records. Webhooks go on meanwhile, none is lost, and the
// purge deletes half.
func TestRecordsNothingIsLost(t *testing.T) {
	testrun.NotShort(t, "it builds and starts routers")
	b, err := newBench(t.Context(), t.TempDir(), plan{rules: 10})
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	sample, err := b.sampleRecord(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"disk", "redis"} {
		t.Run(kind, func(t *testing.T) {
			if kind == "redis" {
				storetest.Need(t, "redis-server", "Redis (apt-get install redis-server, brew install redis)")
			}
			s := &shelf{
				bench: b, kind: kind, records: 500,
				plan: recordsPlan{records: 500, length: 400 * time.Millisecond, rate: 50},
			}
			defer s.close()
			if err := s.measure(t.Context(), sample); err != nil {
				t.Fatal(err)
			}
			for _, r := range s.rows {
				t.Logf("%-46s %s", r.name, r.value)
				if strings.Contains(r.value, "lost") {
					t.Errorf("%s: %s", r.name, r.value)
				}
			}
			if s.purged < 240 || s.purged > 260 {
				t.Errorf("%d of 500 records were purged, want half", s.purged)
			}
			exported := func(r row) bool { return strings.HasPrefix(r.name, "export") && r.value != "0" }
			if !slices.ContainsFunc(s.rows, exported) {
				t.Error("nothing was exported")
			}
		})
	}
}

func TestRecordsPlan(t *testing.T) {
	for args, want := range map[string]string{
		"-n=0": "more than 0", "-rate=0": "more than 0", "-stores=paper": "neither disk nor redis",
	} {
		if _, err := readRecordsPlan([]string{args}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
