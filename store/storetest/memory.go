package storetest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// Memory is a store in memory, for tests that write more records than a disk can sync, and for those in the time of a
// synctest bubble, which disk writes would hold up. It keeps and returns the records themselves, not copies, so a test
// must not change one. It passes the suite that every store must pass.
type Memory struct {
	now    func() time.Time
	onWake atomic.Pointer[func(string)]

	mu        sync.Mutex
	calls     map[string]*engine.Call
	live      map[string]*engine.Call
	queues    int64 // revision of all queues
	agents    map[string]*memoryAgent
	instances map[string]time.Time // when their leases end
	switches  map[string]rules.Switch
	entries   map[string]map[string]rules.Entry // by list and caller
	once      map[string]time.Time
	versions  map[string]memoryVersion
}

type memoryVersion struct {
	packed  []byte
	touched time.Time
}

// NewMemory returns an empty store that takes the time from now.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{
		now: now, calls: map[string]*engine.Call{}, live: map[string]*engine.Call{}, queues: 1,
		agents: map[string]*memoryAgent{}, instances: map[string]time.Time{},
		switches: map[string]rules.Switch{}, entries: map[string]map[string]rules.Entry{}, once: map[string]time.Time{},
		versions: map[string]memoryVersion{},
	}
}

// Rewind puts back an older, live record, as when a replica that lags is made master. Slots and the epoch stay as they
// are.
func (m *Memory) Rewind(c *engine.Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls[c.Key()], m.live[c.Key()] = c, c
}

// past reports whether something that lasts until an instant (zero: for ever) is over.
func past(until, now time.Time) bool { return !until.IsZero() && !now.Before(until) }

// step does one atomic step, and wakes topics after it.
func (m *Memory) step(ctx context.Context, do func(now time.Time) (topics []string, err error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	topics, err := do(m.now())
	m.mu.Unlock()
	if f := m.onWake.Load(); f != nil && err == nil {
		for _, t := range topics {
			(*f)(t)
		}
	}
	return err
}

// OnWake is part of [engine.Wakes].
func (m *Memory) OnWake(f func(topic string)) { m.onWake.Store(&f) }

// Ping is part of [engine.Store].
func (m *Memory) Ping(ctx context.Context) error { return ctx.Err() }

// Close is part of [engine.Store].
func (m *Memory) Close() error { return nil }

// Wake is part of [engine.Wakes].
func (m *Memory) Wake(ctx context.Context, topic string) error {
	return m.step(ctx, func(time.Time) ([]string, error) { return []string{topic}, nil })
}

// Insert is part of [engine.Calls].
func (m *Memory) Insert(ctx context.Context, c *engine.Call) (existing *engine.Call, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		if existing = m.calls[c.Key()]; existing != nil {
			return nil, engine.ErrExists
		}
		next := c.Clone()
		next.Rev = 1
		return m.write(nil, next, false, now)
	})
	return existing, err
}

// Get is part of [engine.Calls].
func (m *Memory) Get(ctx context.Context, key string) (c *engine.Call, err error) {
	err = m.step(ctx, func(time.Time) ([]string, error) {
		if c = m.calls[key]; c == nil {
			return nil, engine.ErrNotFound
		}
		return nil, nil
	})
	return c, err
}

// Update is part of [engine.Calls].
func (m *Memory) Update(ctx context.Context, old, next *engine.Call) (c *engine.Call, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		if stored := m.calls[old.Key()]; stored == nil || stored.Rev != old.Rev {
			return nil, engine.ErrConflict
		}
		c = next.Clone()
		c.Rev = old.Rev + 1
		return m.write(old, c, false, now)
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Reassert is part of [engine.Calls].
func (m *Memory) Reassert(ctx context.Context, c *engine.Call) error {
	return m.step(ctx, func(now time.Time) ([]string, error) {
		stored := m.calls[c.Key()]
		next := engine.Reconcile(stored, c)
		if next == nil {
			return nil, nil
		}
		_, err := m.write(stored, next, true, now)
		return nil, err
	})
}

// write stores a record with its slots and returns the topics to wake, or returns ErrBusy.
func (m *Memory) write(old, next *engine.Call, force bool, now time.Time) (topics []string, err error) {
	if old == nil {
		old = &engine.Call{}
	} else {
		topics = append(topics, engine.TopicCall(next.Key()))
	}
	touched, err := m.changeSlots(old, next, force, now)
	if err != nil {
		return nil, err
	}
	for _, o := range next.Offers {
		i := slices.IndexFunc(old.Offers, func(b engine.Offer) bool { return b.ID == o.ID })
		if i < 0 {
			m.agent(o.Agent, now).OfferedAt = now
		}
		if i < 0 || old.Offers[i].Result != o.Result {
			touched = append(touched, engine.TopicAgent(o.Agent))
		}
	}
	if next.Agent != "" && (old.State != next.State || old.Agent != next.Agent) {
		touched = append(touched, engine.TopicAgent(next.Agent))
	}
	if waiting(old) != waiting(next) || len(old.Offers) != len(next.Offers) {
		m.queues++
	}
	m.calls[next.Key()] = next
	if delete(m.live, next.Key()); next.Live() {
		m.live[next.Key()] = next
	}
	slices.Sort(touched)
	return append(topics, slices.Compact(touched)...), nil
}

// waiting returns the queue that a call waits in, or "".
func waiting(c *engine.Call) string {
	queue, _ := c.Waits()
	return queue
}

// Due is part of [engine.Calls].
func (m *Memory) Due(ctx context.Context, t time.Time, alive []string, limit int) (keys []string, err error) {
	err = m.step(ctx, func(time.Time) ([]string, error) {
		for key, c := range m.live {
			orphan := alive != nil && c.Owner != "" && !slices.Contains(alive, c.Owner)
			if !c.Due.IsZero() && (orphan || !c.Due.After(t)) {
				keys = append(keys, key)
			}
		}
		slices.SortFunc(keys, func(a, b string) int {
			return cmp.Or(m.live[a].Due.Compare(m.live[b].Due), cmp.Compare(a, b))
		})
		keys = keys[:min(limit, len(keys))]
		return nil, nil
	})
	return keys, err
}

// CountLive is part of [engine.Calls].
func (m *Memory) CountLive(ctx context.Context) (n int, err error) {
	err = m.step(ctx, func(time.Time) ([]string, error) {
		n = len(m.live)
		return nil, nil
	})
	return n, err
}

// List is part of [engine.Calls].
func (m *Memory) List(ctx context.Context, f engine.Filter) (calls []*engine.Call, err error) {
	err = m.step(ctx, func(time.Time) ([]string, error) {
		for _, c := range m.calls {
			if (f.State == "" || c.State == f.State) && (f.Outcome == "" || c.Outcome == f.Outcome) &&
				(f.Caller == "" || c.CallerKey == f.Caller || c.OtherKey() == f.Caller) && !c.ReceivedAt.Before(f.Since) {
				calls = append(calls, c)
			}
		}
		slices.SortFunc(calls, func(a, b *engine.Call) int { return behind(f, a.Cursor(), b.Cursor()) })
		if f.After != (engine.Cursor{}) {
			calls = slices.DeleteFunc(calls, func(c *engine.Call) bool { return behind(f, f.After, c.Cursor()) >= 0 })
		}
		calls = calls[:min(cmp.Or(f.Limit, 100), len(calls))]
		return nil, nil
	})
	return calls, err
}

// behind compares two places in a list.
func behind(f engine.Filter, a, b engine.Cursor) int {
	n := cmp.Or(b.Received.Compare(a.Received), cmp.Compare(b.Key, a.Key))
	if f.Oldest {
		return -n
	}
	return n
}

// Purge is part of [engine.Calls].
func (m *Memory) Purge(ctx context.Context, t time.Time) (n int, err error) {
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		for key, c := range m.calls {
			if !c.Live() && c.EndedAt.Before(t) {
				delete(m.calls, key)
				n++
			}
		}
		m.purge(t, now)
		return nil, nil
	})
	return n, err
}

// Snapshot is part of [engine.Agents].
func (m *Memory) Snapshot(ctx context.Context, q engine.Query) (s engine.Snapshot, err error) {
	s = engine.Snapshot{
		Agents: map[string]engine.AgentState{}, Queues: map[string][]engine.Waiter{}, Revs: map[string]int64{},
		Listed: map[string]bool{}, Calls: map[time.Duration]int{},
	}
	err = m.step(ctx, func(now time.Time) ([]string, error) {
		for _, name := range q.Agents {
			s.Agents[name] = m.agent(name, now).state()
		}
		for _, name := range q.Queues {
			s.Queues[name], s.Revs[name] = m.waiters(name), m.queues
		}
		for _, list := range q.Lists {
			e, ok := m.entries[list][q.Caller]
			other, also := m.entries[list][q.Other]
			s.Listed[list] = ok && !past(e.Until, now) || also && !past(other.Until, now)
		}
		for _, d := range q.Calls {
			for key, c := range m.calls {
				mine := c.CallerKey == q.Caller || c.CallerKey == q.Other && q.Other != "" ||
					c.OtherKey() != "" && (c.OtherKey() == q.Caller || c.OtherKey() == q.Other)
				if mine && q.Caller != "" && key != q.Except && !c.ReceivedAt.Before(now.Add(-d)) {
					s.Calls[d]++
				}
			}
		}
		return nil, nil
	})
	return s, err
}

// waiters lists who waits in a queue, in order of arrival.
func (m *Memory) waiters(queue string) (list []engine.Waiter) {
	for key, c := range m.live {
		if waiting(c) != queue {
			continue
		}
		w := engine.Waiter{Key: key, Joined: c.Step.Joined, Version: c.RulesVersion, Owner: c.Owner}
		for _, o := range c.Offers {
			w.Rung = append(w.Rung, o.Agent)
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b engine.Waiter) int {
		return cmp.Or(a.Joined.Compare(b.Joined), cmp.Compare(a.Key, b.Key))
	})
	return list
}
