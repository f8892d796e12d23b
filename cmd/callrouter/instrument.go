package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// instrumentedStore is a store whose operations are timed, and that counts what only a whole record before and after a
// change tells. Operations that are not listed here are those that people cause by hand.
type instrumentedStore struct {
	engine.Store
	m *metrics
}

// timed begins the timing of an operation; the function it answers ends it.
func (s *instrumentedStore) timed(operation string) func(err error) {
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
func (s *instrumentedStore) Insert(ctx context.Context, c *engine.Call) (*engine.Call, error) {
	done := s.timed("insert")
	existing, err := s.Store.Insert(ctx, c)
	done(err)
	if err == nil && c.Live() {
		s.m.received.Inc()
	}
	return existing, err
}

// Get is part of [engine.Calls].
func (s *instrumentedStore) Get(ctx context.Context, key string) (*engine.Call, error) {
	done := s.timed("get")
	c, err := s.Store.Get(ctx, key)
	done(err)
	return c, err
}

// Update is part of [engine.Calls].
func (s *instrumentedStore) Update(ctx context.Context, old, next *engine.Call) (*engine.Call, error) {
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
func (m *metrics) countOffers(old, next *engine.Call) {
	for i, o := range next.Offers {
		if o.Result != "" && (i >= len(old.Offers) || old.Offers[i].Result == "") {
			m.offers.WithLabelValues(o.Queue, string(o.Result)).Inc()
		}
	}
}

// countLost counts the slots that a change gives back, or takes anew, after their lease had ended.
func (m *metrics) countLost(old, next *engine.Call, now time.Time) {
	for _, h := range old.Holds {
		if h.Kind == engine.HoldWrapUp || !now.After(h.Until) {
			continue
		}
		if !slices.ContainsFunc(next.Holds, func(n engine.Hold) bool { return n.Agent == h.Agent && n.Until.Equal(h.Until) }) {
			m.lost.WithLabelValues(string(h.Kind)).Inc()
		}
	}
}

// Reassert is part of [engine.Calls].
func (s *instrumentedStore) Reassert(ctx context.Context, c *engine.Call) error {
	done := s.timed("reassert")
	err := s.Store.Reassert(ctx, c)
	done(err)
	return err
}

// Due is part of [engine.Calls].
func (s *instrumentedStore) Due(ctx context.Context, t time.Time, limit int) ([]string, error) {
	done := s.timed("due")
	keys, err := s.Store.Due(ctx, t, limit)
	done(err)
	return keys, err
}

// List is part of [engine.Calls].
func (s *instrumentedStore) List(ctx context.Context, f engine.Filter) ([]*engine.Call, error) {
	done := s.timed("list")
	calls, err := s.Store.List(ctx, f)
	done(err)
	return calls, err
}

// Purge is part of [engine.Calls].
func (s *instrumentedStore) Purge(ctx context.Context, t time.Time) (int, error) {
	done := s.timed("purge")
	n, err := s.Store.Purge(ctx, t)
	done(err)
	return n, err
}

// Snapshot is part of [engine.Agents].
func (s *instrumentedStore) Snapshot(ctx context.Context, q engine.Query) (engine.Snapshot, error) {
	done := s.timed("snapshot")
	snap, err := s.Store.Snapshot(ctx, q)
	done(err)
	return snap, err
}

// Present is part of [engine.Agents].
func (s *instrumentedStore) Present(ctx context.Context, agent, connection string, lease time.Duration) error {
	done := s.timed("present")
	err := s.Store.Present(ctx, agent, connection, lease)
	done(err)
	return err
}

// AgentByToken is part of [engine.Agents].
func (s *instrumentedStore) AgentByToken(ctx context.Context, hash string) (string, error) {
	done := s.timed("agent_by_token")
	agent, err := s.Store.AgentByToken(ctx, hash)
	done(err)
	return agent, err
}

// Switches is part of [engine.Overrides].
func (s *instrumentedStore) Switches(ctx context.Context) (map[string]rules.Switch, error) {
	done := s.timed("switches")
	all, err := s.Store.Switches(ctx)
	done(err)
	return all, err
}

// AllEntries is part of [engine.Overrides].
func (s *instrumentedStore) AllEntries(ctx context.Context, lists []string) (map[string][]rules.Entry, error) {
	done := s.timed("all_entries")
	all, err := s.Store.AllEntries(ctx, lists)
	done(err)
	return all, err
}

// Once is part of [engine.Limits].
func (s *instrumentedStore) Once(ctx context.Context, key string, every time.Duration) (bool, error) {
	done := s.timed("once")
	first, err := s.Store.Once(ctx, key, every)
	done(err)
	return first, err
}

// Beat is part of [engine.Instances].
func (s *instrumentedStore) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	done := s.timed("beat")
	epoch, at, err := s.Store.Beat(ctx, instance, lease)
	done(err)
	return epoch, at, err
}

// Alive is part of [engine.Instances].
func (s *instrumentedStore) Alive(ctx context.Context) ([]string, error) {
	done := s.timed("alive")
	all, err := s.Store.Alive(ctx)
	done(err)
	return all, err
}

// Ping is part of [engine.Store].
func (s *instrumentedStore) Ping(ctx context.Context) error {
	done := s.timed("ping")
	err := s.Store.Ping(ctx)
	done(err)
	return err
}

// instrumentedProvider is a provider whose requests are timed, with all their repeats.
type instrumentedProvider struct {
	engine.Provider
	m *metrics
}

func (p *instrumentedProvider) timed(operation string, request func() error) error {
	start := time.Now()
	err := request()
	result := "ok"
	if pe := (*engine.ProviderError)(nil); errors.As(err, &pe) {
		result = string(pe.Kind)
	} else if err != nil {
		result = string(engine.Unavailable)
	}
	p.m.positus.WithLabelValues(operation, result).Observe(time.Since(start).Seconds())
	return err
}

// Accept is part of [engine.Provider].
func (p *instrumentedProvider) Accept(ctx context.Context, numberID, callID, sdp string) error {
	return p.timed("accept", func() error { return p.Provider.Accept(ctx, numberID, callID, sdp) })
}

// Reject is part of [engine.Provider].
func (p *instrumentedProvider) Reject(ctx context.Context, numberID, callID string) error {
	return p.timed("reject", func() error { return p.Provider.Reject(ctx, numberID, callID) })
}

// HangUp is part of [engine.Provider].
func (p *instrumentedProvider) HangUp(ctx context.Context, numberID, callID string) error {
	return p.timed("hang_up", func() error { return p.Provider.HangUp(ctx, numberID, callID) })
}

// SendText is part of [engine.Provider].
func (p *instrumentedProvider) SendText(ctx context.Context, numberID, to, text string) error {
	return p.timed("send_text", func() error { return p.Provider.SendText(ctx, numberID, to, text) })
}

// webhooksCounted counts and times the webhooks that a handler answers.
func (m *metrics) webhooksCounted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		m.webhooks.WithLabelValues(strconv.Itoa(s.status)).Inc()
		m.answered.Observe(time.Since(start).Seconds())
	})
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader is part of [http.ResponseWriter].
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets [http.ResponseController] reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
