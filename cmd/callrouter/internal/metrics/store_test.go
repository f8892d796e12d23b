package metrics

import (
	"testing"
	"time"

	"callrouter/engine"
)

func TestSlotsThatEndByTheirLeaseAreLost(t *testing.T) {
	t.Parallel()
	now := time.Now()
	hold := func(kind engine.HoldKind, until time.Duration) engine.Hold {
		return engine.Hold{Agent: "ana", Kind: kind, Until: now.Add(until)}
	}
	for name, c := range map[string]struct {
		old, next []engine.Hold
		lost      float64
	}{
		"given back in time":       {[]engine.Hold{hold(engine.HoldActive, time.Second)}, nil, 0},
		"given back too late":      {[]engine.Hold{hold(engine.HoldActive, -time.Second)}, nil, 1},
		"taken anew":               {[]engine.Hold{hold(engine.HoldActive, -time.Second)}, []engine.Hold{hold(engine.HoldActive, time.Minute)}, 1},
		"expired, and left so":     {[]engine.Hold{hold(engine.HoldActive, -time.Second)}, []engine.Hold{hold(engine.HoldActive, -time.Second)}, 0},
		"extended":                 {[]engine.Hold{hold(engine.HoldActive, time.Second)}, []engine.Hold{hold(engine.HoldActive, time.Minute)}, 0},
		"a wrap-up always ends so": {[]engine.Hold{hold(engine.HoldWrapUp, -time.Second)}, nil, 0},
	} {
		m := New()
		m.countLost(&engine.Call{Holds: c.old}, &engine.Call{Holds: c.next}, now)
		if got := counted(t, m, "callrouter_slots_lost_total"); got != c.lost {
			t.Errorf("%s: %v lost, want %v", name, got, c.lost)
		}
	}
}

// counted is the sum of a counter over its labels.
func counted(t *testing.T, m *Metrics, name string) (sum float64) {
	t.Helper()
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			if f.GetName() == name {
				sum += metric.GetCounter().GetValue()
			}
		}
	}
	return sum
}
