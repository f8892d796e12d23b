package metrics

import (
	"context"
	"errors"
	"slices"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// Store returns a store whose operations are timed.
func (m *Metrics) Store(s engine.Store) engine.Store { return &timedStore{s, m} }

// timedStore is a store whose operations are timed, and that counts what only a whole record before and after a
// change tells. Operations that are not listed here are those that people cause by hand.
type timedStore struct {
	engine.Store
	m *Metrics
}

// timed starts timing an operation; the function it returns stops it.
func (s *timedStore) timed(operation string) func(err error) {
	start := time.Now()
	return func(err error) {
		s.m.store.WithLabelValues(operation, storeResult(err)).Observe(time.Since(start).Seconds())
	}
}

func storeResult(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, engine.ErrConflict), errors.Is(err, engine.ErrExists), errors.Is(err, engine.ErrNotFound),
		errors.Is(err, engine.ErrBusy), errors.Is(err, engine.ErrGate):
		return "refused"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "error"
}

// Insert is part of [engine.Calls].
func (s *timedStore) Insert(ctx context.Context, c *engine.Call) (*engine.Call, error) {
	done := s.timed("insert")
	existing, err := s.Store.Insert(ctx, c)
	done(err)
	if err == nil && c.Live() {
		s.m.received.Inc()
	}
	return existing, err
}

// Get is part of [engine.Calls].
func (s *timedStore) Get(ctx context.Context, key string) (*engine.Call, error) {
	done := s.timed("get")
	c, err := s.Store.Get(ctx, key)
	done(err)
	return c, err
}

// Update is part of [engine.Calls].
func (s *timedStore) Update(ctx context.Context, old, next *engine.Call) (*engine.Call, error) {
	done := s.timed("update")
	c, err := s.Store.Update(ctx, old, next)
	done(err)
	if err == nil {
		s.m.countOffers(old, next)
		s.m.countLost(old, next, time.Now())
	}
	return c, err
}

// countOffers counts the offers that got their result with a change.
func (m *Metrics) countOffers(old, next *engine.Call) {
	for i, o := range next.Offers {
		if o.Result != "" && (i >= len(old.Offers) || old.Offers[i].Result == "") {
			m.offers.WithLabelValues(o.Queue, string(o.Result)).Inc()
		}
	}
}

// countLost counts the slots that a change gives back, or takes anew, after their lease had ended.
func (m *Metrics) countLost(old, next *engine.Call, now time.Time) {
	for _, h := range old.Holds {
		if h.Kind == engine.HoldWrapUp || !now.After(h.Until) {
			continue
		}
		if !slices.ContainsFunc(
			next.Holds,
			func(n engine.Hold) bool { return n.Agent == h.Agent && n.Until.Equal(h.Until) },
		) {
			m.lost.WithLabelValues(string(h.Kind)).Inc()
		}
	}
}

// Reassert is part of [engine.Calls].
func (s *timedStore) Reassert(ctx context.Context, c *engine.Call) error {
	done := s.timed("reassert")
	err := s.Store.Reassert(ctx, c)
	done(err)
	return err
}

// Due is part of [engine.Calls].
func (s *timedStore) Due(ctx context.Context, t time.Time, alive []string, limit int) ([]string, error) {
	done := s.timed("due")
	keys, err := s.Store.Due(ctx, t, alive, limit)
	done(err)
	return keys, err
}

// CountLive is part of [engine.Calls].
func (s *timedStore) CountLive(ctx context.Context) (int, error) {
	done := s.timed("count_live")
	n, err := s.Store.CountLive(ctx)
	done(err)
	return n, err
}

// List is part of [engine.Calls].
func (s *timedStore) List(ctx context.Context, f engine.Filter) ([]*engine.Call, error) {
	done := s.timed("list")
	calls, err := s.Store.List(ctx, f)
	done(err)
	return calls, err
}

// Purge is part of [engine.Calls].
func (s *timedStore) Purge(ctx context.Context, t time.Time) (int, error) {
	done := s.timed("purge")
	n, err := s.Store.Purge(ctx, t)
	done(err)
	return n, err
}

// Snapshot is part of [engine.Agents].
func (s *timedStore) Snapshot(ctx context.Context, q engine.Query) (engine.Snapshot, error) {
	done := s.timed("snapshot")
	snap, err := s.Store.Snapshot(ctx, q)
	done(err)
	return snap, err
}

// Present is part of [engine.Agents].
func (s *timedStore) Present(ctx context.Context, agent, connection string, lease time.Duration) error {
	done := s.timed("present")
	err := s.Store.Present(ctx, agent, connection, lease)
	done(err)
	return err
}

// AgentByToken is part of [engine.Agents].
func (s *timedStore) AgentByToken(ctx context.Context, hash string) (string, error) {
	done := s.timed("agent_by_token")
	agent, err := s.Store.AgentByToken(ctx, hash)
	done(err)
	return agent, err
}

// Switches is part of [engine.Overrides].
func (s *timedStore) Switches(ctx context.Context) (map[string]rules.Switch, error) {
	done := s.timed("switches")
	all, err := s.Store.Switches(ctx)
	done(err)
	return all, err
}

// AllEntries is part of [engine.Overrides].
func (s *timedStore) AllEntries(ctx context.Context, lists []string) (map[string][]rules.Entry, error) {
	done := s.timed("all_entries")
	all, err := s.Store.AllEntries(ctx, lists)
	done(err)
	return all, err
}

// Once is part of [engine.Limits].
func (s *timedStore) Once(ctx context.Context, key string, every time.Duration) (bool, error) {
	done := s.timed("once")
	first, err := s.Store.Once(ctx, key, every)
	done(err)
	return first, err
}

// Beat is part of [engine.Instances].
func (s *timedStore) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	done := s.timed("beat")
	epoch, at, err := s.Store.Beat(ctx, instance, lease)
	done(err)
	return epoch, at, err
}

// Alive is part of [engine.Instances].
func (s *timedStore) Alive(ctx context.Context) ([]string, error) {
	done := s.timed("alive")
	all, err := s.Store.Alive(ctx)
	done(err)
	return all, err
}

// Ping is part of [engine.Store].
func (s *timedStore) Ping(ctx context.Context) error {
	done := s.timed("ping")
	err := s.Store.Ping(ctx)
	done(err)
	return err
}
