package storetest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"callrouter/engine"
)

// memoryAgent is what a [Memory] keeps about an agent.
type memoryAgent struct {
	engine.AgentState
	conns  map[string]time.Time
	slots  map[string]engine.Slot
	missed map[string]bool // the offers that were counted
	token  string
}

// agent returns an agent without leases and slots that have expired.
func (m *Memory) agent(name string, now time.Time) *memoryAgent {
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

// mayHold reports whether a call may have the slot it wants.
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

// changeSlots takes and gives back the slots that a write changes, all or none, and returns the topics to wake; or it
// returns ErrBusy.
func (m *Memory) changeSlots(old, next *engine.Call, force bool, now time.Time) (topics []string, err error) {
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
		stale := !held && next.Step != nil && next.Step.Seen > 0 && next.Step.Seen != m.queues
		talks := held && b.Kind == engine.HoldActive && h.Kind == engine.HoldActive
		if !force && !talks && (stale || !m.agent(h.Agent, now).mayHold(key, h)) {
			return nil, engine.ErrBusy
		}
		changed = append(changed, h)
	}
	for _, h := range changed {
		a := m.agent(h.Agent, now)
		wasActive := slices.ContainsFunc(old.Holds, func(b engine.Hold) bool {
			return b.Agent == h.Agent && b.Kind == engine.HoldActive
		})
		a.slots[key] = engine.Slot{Call: key, Kind: h.Kind, Until: h.Until}
		topics = append(topics, engine.TopicAgent(h.Agent))
		if h.Kind == engine.HoldWrapUp {
			topics = append(topics, engine.TopicSlots(h.Agent))
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
		topics = append(topics, engine.TopicAgent(agent), engine.TopicSlots(agent))
	}
	return topics, nil
}

// change changes what is kept about an agent.
func (m *Memory) change(ctx context.Context, name string, change func(a *memoryAgent, now time.Time) []string) error {
	return m.step(ctx, func(now time.Time) ([]string, error) { return change(m.agent(name, now), now), nil })
}

// Present is part of [engine.Agents].
func (m *Memory) Present(ctx context.Context, agent, connection string, lease time.Duration) error {
	return m.change(ctx, agent, func(a *memoryAgent, now time.Time) []string {
		first := len(a.conns) == 0
		a.conns[connection] = now.Add(lease)
		if !first {
			return nil
		}
		if !a.Away {
			a.IdleSince = now
		}
		return []string{engine.TopicAgent(agent), engine.TopicSlots(agent)}
	})
}

// Absent is part of [engine.Agents].
func (m *Memory) Absent(ctx context.Context, agent, connection string) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		_, had := a.conns[connection]
		if delete(a.conns, connection); had && len(a.conns) == 0 {
			return []string{engine.TopicAgent(agent)}
		}
		return nil
	})
}

// SetStatus is part of [engine.Agents].
func (m *Memory) SetStatus(ctx context.Context, agent string, away bool, reason string) error {
	return m.change(ctx, agent, func(a *memoryAgent, now time.Time) []string {
		if a.Away && !away {
			a.IdleSince = now
		}
		a.Away, a.Reason, a.Missed = away, reason, 0
		if away {
			return []string{engine.TopicAgent(agent)}
		}
		return []string{engine.TopicAgent(agent), engine.TopicSlots(agent)}
	})
}

// SetCapacity is part of [engine.Agents].
func (m *Memory) SetCapacity(ctx context.Context, agent string, capacity *int, until time.Time) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		if a.Capacity, a.CapacityUntil = capacity, until; capacity == nil {
			a.CapacityUntil = time.Time{}
		}
		return []string{engine.TopicAgent(agent), engine.TopicSlots(agent)}
	})
}

// Missed is part of [engine.Agents].
func (m *Memory) Missed(ctx context.Context, agent, offer string, limit int, reason string) (n int, err error) {
	err = m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		if !a.missed[offer] {
			if a.missed == nil {
				a.missed = map[string]bool{}
			}
			a.missed[offer] = true
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

// Answered is part of [engine.Agents].
func (m *Memory) Answered(ctx context.Context, agent string) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string { a.Missed = 0; return nil })
}

// SetToken is part of [engine.Agents].
func (m *Memory) SetToken(ctx context.Context, agent, hash string) error {
	return m.change(ctx, agent, func(a *memoryAgent, _ time.Time) []string {
		a.token = hash
		return []string{engine.TopicAgent(agent)}
	})
}

// AgentByToken is part of [engine.Agents].
func (m *Memory) AgentByToken(ctx context.Context, hash string) (agent string, err error) {
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

// Token is part of [engine.Agents].
func (m *Memory) Token(ctx context.Context, agent string) (hash string, err error) {
	err = m.step(ctx, func(time.Time) ([]string, error) {
		a := m.agents[agent]
		if a == nil || a.token == "" {
			return nil, engine.ErrNotFound
		}
		hash = a.token
		return nil, nil
	})
	return hash, err
}

// Beat is part of [engine.Instances].
func (m *Memory) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	var at time.Time
	err := m.step(ctx, func(now time.Time) ([]string, error) {
		at = now
		m.instances[instance] = now.Add(lease)
		return nil, nil
	})
	return "memory", at, err
}

// Leave is part of [engine.Instances].
func (m *Memory) Leave(ctx context.Context, instance string) error {
	return m.step(ctx, func(time.Time) ([]string, error) { delete(m.instances, instance); return nil, nil })
}

// Alive is part of [engine.Instances].
func (m *Memory) Alive(ctx context.Context) (alive []string, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		maps.DeleteFunc(m.instances, func(_ string, until time.Time) bool { return past(until, now) })
		alive = slices.Collect(maps.Keys(m.instances))
		return nil, nil
	})
	return alive, err
}
