package engine_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// memoryAgents is what [memory] knows of agents and instances.
type memoryAgents struct {
	*memory
	agents    map[string]*memoryAgent
	instances map[string]time.Time
}

type memoryAgent struct {
	engine.AgentState
	conns  map[string]time.Time
	slots  map[string]engine.Slot
	missed string // the last offer that was counted
	token  string
}

// agent is an agent without what has expired.
func (m *memoryAgents) agent(name string, now time.Time) *memoryAgent {
	a := m.agents[name]
	if a == nil {
		a = &memoryAgent{conns: map[string]time.Time{}, slots: map[string]engine.Slot{}}
		m.agents[name] = a
	}
	maps.DeleteFunc(a.conns, func(_ string, until time.Time) bool { return past(until, now) })
	maps.DeleteFunc(a.slots, func(_ string, s engine.Slot) bool { return past(s.Until, now) })
	if past(a.CapacityUntil, now) {
		a.Capacity, a.CapacityUntil = nil, time.Time{}
	}
	return a
}

func (a *memoryAgent) state() engine.AgentState {
	s := a.AgentState
	s.Connected = len(a.conns) > 0
	s.Slots = slices.SortedFunc(maps.Values(a.slots), func(x, y engine.Slot) int {
		return cmp.Or(x.Until.Compare(y.Until), cmp.Compare(x.Call, y.Call))
	})
	for _, sl := range s.Slots {
		if sl.Kind == engine.HoldWrapUp && sl.Until.After(s.WrapUpUntil) {
			s.WrapUpUntil = sl.Until
		}
	}
	return s
}

// mayHold says whether a call may have the slot it wants.
func (a *memoryAgent) mayHold(key string, h engine.Hold) bool {
	if _, own := a.slots[key]; own || h.Kind == engine.HoldWrapUp {
		return true
	}
	if h.Kind == engine.HoldRinging && (a.Away || len(a.conns) == 0) {
		return false
	}
	if a.Capacity != nil {
		return len(a.slots) < *a.Capacity
	}
	return len(a.slots) < h.Capacity
}

// changeSlots does what a write means for agents: all of it, or nothing and ErrBusy. It answers who is to be woken.
func (m *memoryAgents) changeSlots(old, next *engine.Call, force bool, now time.Time) (topics []string, err error) {
	key := next.Key()
	before := map[string]engine.Hold{}
	for _, h := range old.Holds {
		before[h.Agent] = h
	}
	var changed []engine.Hold
	for _, h := range next.Holds {
		b, held := before[h.Agent]
		delete(before, h.Agent)
		if held && b.Kind == h.Kind && b.Until.Equal(h.Until) {
			continue
		}
		stale := !held && next.Step != nil && next.Step.Seen > 0 && next.Step.Seen != m.queue
		talks := held && b.Kind == engine.HoldActive && h.Kind == engine.HoldActive
		if !force && !talks && (stale || !m.agent(h.Agent, now).mayHold(key, h)) {
			return nil, engine.ErrBusy
		}
		changed = append(changed, h)
	}
	for _, h := range changed {
		a := m.agent(h.Agent, now)
		wasActive := slices.ContainsFunc(old.Holds, func(b engine.Hold) bool { return b.Agent == h.Agent && b.Kind == engine.HoldActive })
		a.slots[key] = engine.Slot{Call: key, Kind: h.Kind, Until: h.Until}
		topics = append(topics, engine.TopicAgent(h.Agent))
		if h.Kind == engine.HoldWrapUp {
			topics = append(topics, engine.TopicSlots)
			if wasActive {
				a.IdleSince = now
			}
		}
	}
	for agent, h := range before {
		a := m.agent(agent, now)
		if delete(a.slots, key); h.Kind == engine.HoldActive {
			a.IdleSince = now
		}
		topics = append(topics, engine.TopicAgent(agent), engine.TopicSlots)
	}
	return topics, nil
}

// change changes what is kept about an agent.
func (m *memoryAgents) change(ctx context.Context, name string, change func(a *memoryAgent, now time.Time) []string) error {
	return m.step(ctx, func(now time.Time) ([]string, error) { return change(m.agent(name, now), now), nil })
}

func (m *memoryAgents) Present(ctx context.Context, agent, connection string, lease time.Duration) error {
	return m.change(ctx, agent, func(a *memoryAgent, now time.Time) []string {
		first := len(a.conns) == 0
		a.conns[connection] = now.Add(lease)
		if !first {
			return nil
		}
		if !a.Away {
			a.IdleSince = now
		}
		return []string{engine.TopicAgent(agent), engine.TopicSlots}
	})
}

func (m *memoryAgents) Absent(ctx context.Context, agent, connection string) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		_, had := a.conns[connection]
		if delete(a.conns, connection); had && len(a.conns) == 0 {
			return []string{engine.TopicAgent(agent)}
		}
		return nil
	})
}

func (m *memoryAgents) SetStatus(ctx context.Context, agent string, away bool, reason string) error {
	return m.change(ctx, agent, func(a *memoryAgent, now time.Time) []string {
		if a.Away && !away {
			a.IdleSince = now
		}
		a.Away, a.Reason, a.Missed = away, reason, 0
		if away {
			return []string{engine.TopicAgent(agent)}
		}
		return []string{engine.TopicAgent(agent), engine.TopicSlots}
	})
}

func (m *memoryAgents) SetCapacity(ctx context.Context, agent string, capacity *int, until time.Time) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		if a.Capacity, a.CapacityUntil = capacity, until; capacity == nil {
			a.CapacityUntil = time.Time{}
		}
		return []string{engine.TopicAgent(agent), engine.TopicSlots}
	})
}

func (m *memoryAgents) Missed(ctx context.Context, agent, offer string, limit int, reason string) (n int, err error) {
	err = m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		if a.missed != offer {
			a.missed = offer
			a.AgentState.Missed++
		}
		n = a.AgentState.Missed
		if limit == 0 || n < limit || a.Away {
			return nil
		}
		a.Away, a.Reason = true, reason
		return []string{engine.TopicAgent(agent)}
	})
	return n, err
}

func (m *memoryAgents) Answered(ctx context.Context, agent string) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string { a.Missed = 0; return nil })
}

func (m *memoryAgents) SetToken(ctx context.Context, agent, hash string) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		a.token = hash
		return []string{engine.TopicAgent(agent)}
	})
}

func (m *memoryAgents) AgentByToken(ctx context.Context, hash string) (agent string, err error) {
	err = m.step(ctx, func(time.Time) ([]string, error) {
		for name, a := range m.agents {
			if a.token == hash {
				agent = name
				return nil, nil
			}
		}
		return nil, engine.ErrNotFound
	})
	return agent, err
}

func (m *memoryAgents) Beat(ctx context.Context, instance string, lease time.Duration) (epoch string, at time.Time, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		at = now
		m.instances[instance] = now.Add(lease)
		return nil, nil
	})
	return "memory", at, err
}

func (m *memoryAgents) Leave(ctx context.Context, instance string) error {
	return m.step(ctx, func(time.Time) ([]string, error) { delete(m.instances, instance); return nil, nil })
}

func (m *memoryAgents) Alive(ctx context.Context) (alive []string, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		maps.DeleteFunc(m.instances, func(_ string, until time.Time) bool { return past(until, now) })
		alive = slices.Collect(maps.Keys(m.instances))
		return nil, nil
	})
	return alive, err
}

// memoryOverrides is what [memory] knows of all else.
type memoryOverrides struct {
	*memory
	switches map[string]rules.Switch
	entries  map[string]map[string]rules.Entry // by list and caller
	once     map[string]time.Time
}

func (m *memoryOverrides) Switches(ctx context.Context) (map[string]rules.Switch, error) {
	all := map[string]rules.Switch{}
	return all, m.step(ctx, func(now time.Time) ([]string, error) {
		for hours, sw := range m.switches {
			if !past(sw.Until, now) {
				all[hours] = sw
			}
		}
		return nil, nil
	})
}

// override changes what is read with every call.
func (m *memoryOverrides) override(ctx context.Context, do func() error) error {
	return m.step(ctx, func(time.Time) ([]string, error) { return []string{engine.TopicOverrides}, do() })
}

func (m *memoryOverrides) SetSwitch(ctx context.Context, hours string, s rules.Switch) error {
	return m.override(ctx, func() error { m.switches[hours] = s; return nil })
}

func (m *memoryOverrides) ClearSwitch(ctx context.Context, hours string) error {
	return m.override(ctx, func() error { delete(m.switches, hours); return nil })
}

func (m *memoryOverrides) Entries(ctx context.Context, list string) ([]rules.Entry, error) {
	all, err := m.AllEntries(ctx, []string{list})
	return all[list], err
}

func (m *memoryOverrides) AllEntries(ctx context.Context, lists []string) (map[string][]rules.Entry, error) {
	all := map[string][]rules.Entry{}
	return all, m.step(ctx, func(now time.Time) ([]string, error) {
		for _, list := range lists {
			for _, e := range m.entries[list] {
				if !past(e.Until, now) {
					all[list] = append(all[list], e)
				}
			}
		}
		return nil, nil
	})
}

func (m *memoryOverrides) PutEntry(ctx context.Context, list string, e rules.Entry) error {
	return m.override(ctx, func() error {
		if m.entries[list] == nil {
			m.entries[list] = map[string]rules.Entry{}
		}
		m.entries[list][e.Key] = e
		return nil
	})
}

func (m *memoryOverrides) DeleteEntry(ctx context.Context, list, key string) error {
	return m.override(ctx, func() error {
		if _, ok := m.entries[list][key]; !ok {
			return engine.ErrNotFound
		}
		delete(m.entries[list], key)
		return nil
	})
}

func (m *memoryOverrides) Once(ctx context.Context, key string, every time.Duration) (first bool, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		if first = past(m.once[key], now) || m.once[key].IsZero(); first {
			m.once[key] = now.Add(every)
		}
		return nil, nil
	})
	return first, err
}

// purge forgets what ended before t, and what may happen again by now.
func (m *memoryOverrides) purge(t, now time.Time) {
	ended := func(until time.Time) bool { return !until.IsZero() && until.Before(t) }
	maps.DeleteFunc(m.switches, func(_ string, s rules.Switch) bool { return ended(s.Until) })
	for _, list := range m.entries {
		maps.DeleteFunc(list, func(_ string, e rules.Entry) bool { return ended(e.Until) })
	}
	maps.DeleteFunc(m.once, func(_ string, until time.Time) bool { return past(until, now) })
}
