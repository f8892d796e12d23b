package store

import (
	"path/filepath"
	"testing"
	"time"

	"callrouter/engine"
)

// machine is a machine whose clock can be set, and a router on it whose time follows the store's as an engine's does.
type machine struct {
	*testing.T
	engine.Store
	began          time.Time
	up, set, moved time.Duration
}

func (m *machine) now() time.Time { return m.began.Add(m.up + m.moved) }

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{T: t, began: time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)}
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "calls.db"), Config{
		Now: m.now, Uptime: func() time.Duration { return m.up },
		Wall: func() time.Time { return m.began.Add(m.up + m.set) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m.Store = s
	return m
}

// pass beats every two seconds.
func (m *machine) pass(d time.Duration) {
	m.Helper()
	for end := m.up + d; m.up < end; {
		m.up += 2 * time.Second
		_, at, err := m.Beat(m.Context(), "one", 6*time.Second)
		if err != nil {
			m.Fatal(err)
		}
		if ahead := at.Sub(m.now()); ahead.Abs() > time.Second {
			m.moved += ahead
		}
	}
}

// The machine's clock is set: the router's time comes to it by 2 % while calls live, and at once when none came for a day.
func TestEmbeddedTimeComesToTheWall(t *testing.T) {
	t.Parallel()
	for _, set := range []time.Duration{time.Hour, -time.Hour} {
		m := newMachine(t)
		call := &engine.Call{ID: "lives", State: engine.Active, ReceivedAt: m.now().Add(-30 * time.Hour), Due: m.now()}
		if _, err := m.Insert(t.Context(), call); err != nil {
			t.Fatal(err)
		}
		check := func(when string, want time.Duration) {
			t.Helper()
			if set < 0 {
				want = -want
			}
			if (m.moved - want).Abs() > 1500*time.Millisecond {
				t.Errorf("set by %s, %s: the router's time has moved by %s, want %s", set, when, m.moved, want)
			}
		}
		m.pass(time.Minute)
		check("before", 0)
		m.set = set
		m.pass(10 * time.Minute)
		check("ten minutes later", 12*time.Second)
		m.pass(50 * time.Hour)
		check("two days later", time.Hour)
		m.set = 0
		m.pass(10 * time.Minute)
		check("put right", time.Hour-12*time.Second)
		call.Rev = 1
		ended := call.Clone()
		ended.State, ended.Outcome, ended.EndedAt, ended.Due = engine.Ended, engine.Answered, m.now(), time.Time{}
		if _, err := m.Update(t.Context(), call, ended); err != nil {
			t.Fatal(err)
		}
		m.pass(4 * time.Second)
		check("a day after the last call", 0)
	}
}
