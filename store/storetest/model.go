package storetest

import (
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"callrouter/engine"
)

// model is what a store must do with slots, as plain as can be.
type model struct {
	s      *suite
	now    time.Time
	agents []*modelAgent
	calls  []*engine.Call
}

type modelAgent struct {
	name     string
	conns    map[string]time.Time
	away     bool
	override *int
	until    time.Time
	slots    map[string]engine.Hold
}

// live returns the slots that have not expired.
func (m *model) live(a *modelAgent) map[string]engine.Hold {
	maps.DeleteFunc(a.slots, func(_ string, h engine.Hold) bool { return !m.now.Before(h.Until) })
	return a.slots
}

func (m *model) connected(a *modelAgent) bool {
	maps.DeleteFunc(a.conns, func(_ string, until time.Time) bool { return !m.now.Before(until) })
	return len(a.conns) > 0
}

func (m *model) capacity(a *modelAgent, byRules int) int {
	if a.override != nil && m.now.Before(a.until) {
		return *a.override
	}
	return byRules
}

// allows reports whether a call may hold a slot.
func (m *model) allows(a *modelAgent, call string, h engine.Hold) bool {
	slots := m.live(a)
	if _, own := slots[call]; own || h.Kind == engine.HoldWrapUp {
		return true
	}
	if h.Kind == engine.HoldRinging && (a.away || !m.connected(a)) {
		return false
	}
	return len(slots) < m.capacity(a, h.Capacity)
}

func testModel(s *suite) {
	var round atomic.Int64
	rapid.Check(s.T, func(t *rapid.T) {
		m := &model{s: s, now: s.now()}
		n := round.Add(1)
		for i := range 3 {
			m.agents = append(m.agents, &modelAgent{
				name: fmt.Sprintf("r%d agent%d", n, i), conns: map[string]time.Time{}, slots: map[string]engine.Hold{},
			})
		}
		for i := range 5 {
			m.calls = append(m.calls, s.insert(s.call(fmt.Sprintf("r%d call%d", n, i))))
		}
		t.Repeat(map[string]func(*rapid.T){
			"hold": m.hold, "present": m.present, "absent": m.absent, "status": m.status, "capacity": m.setCapacity,
			"time passes": m.pass, "": m.check,
		})
	})
}

// lease draws how long something lasts: where time passes by itself, long enough that it never does.
func (m *model) lease(t *rapid.T) time.Duration {
	if !m.s.clock.Manual {
		return long
	}
	return time.Duration(rapid.IntRange(1, 10).Draw(t, "lease")) * time.Second
}

func (m *model) agent(t *rapid.T) *modelAgent { return rapid.SampledFrom(m.agents).Draw(t, "agent") }

// hold gives a call other holds: of each agent none, the same, or a new one.
func (m *model) hold(t *rapid.T) {
	i := rapid.IntRange(0, len(m.calls)-1).Draw(t, "call")
	old := m.calls[i]
	next := old.Clone()
	next.Holds = nil
	allowed := true
	for _, a := range m.agents {
		before := -1
		for j, h := range old.Holds {
			if h.Agent == a.name {
				before = j
			}
		}
		switch what := rapid.SampledFrom([]string{"same", "same", "none", "new"}).Draw(t, "hold"); {
		case what == "same" && before >= 0:
			next.Holds = append(next.Holds, old.Holds[before])
		case what == "new":
			h := engine.Hold{
				Agent: a.name, Capacity: rapid.IntRange(1, 2).Draw(t, "capacity"), Until: m.now.Add(m.lease(t)),
				Kind: rapid.SampledFrom([]engine.HoldKind{
					engine.HoldRinging, engine.HoldActive, engine.HoldWrapUp,
				}).Draw(t, "kind"),
			}
			next.Holds = append(next.Holds, h)
			if before < 0 || h.Kind != old.Holds[before].Kind || !h.Until.Equal(old.Holds[before].Until) {
				talks := before >= 0 && h.Kind == engine.HoldActive && old.Holds[before].Kind == engine.HoldActive
				allowed = allowed && (talks || m.allows(a, old.Key(), h))
			}
		}
	}
	got, err := m.s.Update(m.s.Context(), old, next)
	if !allowed {
		if !errors.Is(err, engine.ErrBusy) {
			t.Fatalf("got %v, want a refusal", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.calls[i] = got
	for _, a := range m.agents {
		m.settle(a, old, got)
	}
}

// settle brings the model's slots of one agent in line with a write that succeeded.
func (m *model) settle(a *modelAgent, old, next *engine.Call) {
	find := func(c *engine.Call) *engine.Hold {
		for i := range c.Holds {
			if c.Holds[i].Agent == a.name {
				return &c.Holds[i]
			}
		}
		return nil
	}
	before, after := find(old), find(next)
	switch {
	case after == nil:
		delete(a.slots, old.Key())
	case before == nil || before.Kind != after.Kind || !before.Until.Equal(after.Until):
		a.slots[old.Key()] = *after
	}
}

func (m *model) present(t *rapid.T) {
	a, conn, lease := m.agent(t), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "connection"), m.lease(t)
	m.s.ok(m.s.Present(m.s.Context(), a.name, conn, lease))
	a.conns[conn] = m.now.Add(lease)
}

func (m *model) absent(t *rapid.T) {
	a, conn := m.agent(t), rapid.SampledFrom([]string{"x", "y"}).Draw(t, "connection")
	m.s.ok(m.s.Absent(m.s.Context(), a.name, conn))
	delete(a.conns, conn)
}

func (m *model) status(t *rapid.T) {
	a := m.agent(t)
	a.away = rapid.Bool().Draw(t, "away")
	m.s.ok(m.s.SetStatus(m.s.Context(), a.name, a.away, ""))
}

func (m *model) setCapacity(t *rapid.T) {
	a := m.agent(t)
	a.override, a.until = nil, m.now.Add(m.lease(t))
	if n := rapid.IntRange(-1, 3).Draw(t, "capacity"); n >= 0 {
		a.override = &n
	}
	m.s.ok(m.s.SetCapacity(m.s.Context(), a.name, a.override, a.until))
}

func (m *model) pass(t *rapid.T) {
	if m.s.clock.Manual {
		d := time.Duration(rapid.IntRange(1, 4).Draw(t, "seconds")) * time.Second
		m.s.clock.Pass(d)
		m.now = m.s.now()
	}
}

// check compares the store with the model.
func (m *model) check(t *rapid.T) {
	var q engine.Query
	for _, a := range m.agents {
		q.Agents = append(q.Agents, a.name)
	}
	snap, err := m.s.Snapshot(m.s.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range m.agents {
		got := snap.Agents[a.name]
		if got.Connected != m.connected(a) || got.Away != a.away {
			t.Fatalf("%s: connected %v, away %v; want %v, %v", a.name, got.Connected, got.Away, m.connected(a), a.away)
		}
		want := m.live(a)
		if len(got.Slots) != len(want) {
			t.Fatalf("%s: slots %+v, want %+v", a.name, got.Slots, want)
		}
		for _, sl := range got.Slots {
			if h, ok := want[sl.Call]; !ok || h.Kind != sl.Kind || !near(h.Until, sl.Until) {
				t.Fatalf("%s: slots %+v, want %+v", a.name, got.Slots, want)
			}
		}
	}
}
