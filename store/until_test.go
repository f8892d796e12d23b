package store

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/rules"
	"callrouter/store/storetest"
)

// What somebody set until a time of day ends at that time by the clock on the wall, also where the router's time is
// behind it: because the machine slept, or because its clock was set. It does not end before, where the router's time is
// ahead.
func TestUntilIsByTheClockOnTheWall(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) string{
		"embedded": func(t *testing.T) string { return filepath.Join(t.TempDir(), "calls.db") },
		"redis":    func(t *testing.T) string { return storetest.StartRedis(t) },
	} {
		t.Run(name, func(t *testing.T) {
			var wall, even atomic.Int64 // how far they are ahead of now
			ahead := func(by *atomic.Int64) func() time.Time {
				return func() time.Time { return time.Now().Add(time.Duration(by.Load())) }
			}
			s, err := Open(t.Context(), open(t), Config{Now: ahead(&even), Wall: ahead(&wall), Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			setUntil(t, s, time.Now().Add(8*time.Hour))
			for _, step := range []struct {
				wall, even time.Duration
				counts     bool
			}{{0, 0, true}, {0, 9 * time.Hour, true}, {9 * time.Hour, 0, false}} {
				wall.Store(int64(step.wall))
				even.Store(int64(step.even))
				for what, is := range countsUntil(t, s) {
					if is != step.counts {
						t.Errorf("the wall is %s ahead, the router's time %s, and %s counts: %t; want %t",
							step.wall, step.even, what, is, step.counts)
					}
				}
			}
		})
	}
}

func setUntil(t *testing.T, s engine.Store, until time.Time) {
	t.Helper()
	ctx, one := t.Context(), 1
	for _, err := range []error{
		s.Present(ctx, "ana", "tab", 24*time.Hour),
		s.SetCapacity(ctx, "ana", &one, until),
		s.SetSwitch(ctx, "office", rules.Switch{Open: true, Until: until}),
		s.PutEntry(ctx, "vip", rules.Entry{Key: ringer, Until: until}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// countsUntil reports what of all that setUntil set still counts.
func countsUntil(t *testing.T, s engine.Store) map[string]bool {
	t.Helper()
	ctx := t.Context()
	snap, err := s.Snapshot(ctx, engine.Query{Agents: []string{"ana"}, Lists: []string{"vip"}, Caller: ringer})
	if err != nil {
		t.Fatal(err)
	}
	switches, err := s.Switches(ctx)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := s.Entries(ctx, "vip")
	if err != nil {
		t.Fatal(err)
	}
	_, switched := switches["office"]
	return map[string]bool{
		"the capacity": snap.Agents["ana"].Capacity != nil, "the list": snap.Listed["vip"],
		"the switch": switched, "the entry": len(entries) == 1,
	}
}
