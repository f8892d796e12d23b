// Package storetest is the suite that every [engine.Store] must pass, and what tests need to run it: a Redis server of
// their own, and a clock that they control.
package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"callrouter/engine"
)

// Clock is the time that a store under test counts by.
type Clock struct {
	// Now is the clock's time.
	Now func() time.Time
	// Pass waits until so much time has passed.
	Pass func(d time.Duration)
	// Manual is true if no time passes by itself.
	Manual bool
}

// ManualClock returns a clock that moves only by Pass. It starts at an instant that is no round number.
func ManualClock() Clock {
	var mu sync.Mutex
	now := time.Date(2026, 11, 23, 9, 30, 15, 123456789, time.UTC)
	return Clock{
		Now:    func() time.Time { mu.Lock(); defer mu.Unlock(); return now },
		Pass:   func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) },
		Manual: true,
	}
}

// RealClock returns the time of day.
func RealClock() Clock {
	return Clock{Now: time.Now, Pass: func(d time.Duration) { <-time.After(d) }}
}

const (
	long  = time.Hour             // outlasts any test
	short = 30 * time.Millisecond // is over after moment
	// moment is a little longer than short.
	moment = 45 * time.Millisecond
)

// Run runs the suite. open must return an empty store that counts by the clock, and close it when its test ends.
func Run(t *testing.T, open func(t *testing.T) engine.Store, clock Clock) {
	for _, part := range []struct {
		name string
		test func(s *suite)
	}{
		{"insert", testInsert}, {"insert once", testInsertOnce}, {"a call that came ended", testInsertEnded},
		{"update", testUpdate}, {"update of many at once", testUpdateRace}, {"due", testDue}, {"due of the dead", testDueOfTheDead},
		{"due after a refusal", testDueRefused}, {"due again", testDueAgain},
		{"list", testList}, {"a long list", testLongList}, {"pages of a list", testPages}, {"purge", testPurge},
		{"take a slot", testTake}, {"all or nothing", testAllOrNothing}, {"kinds of a slot", testKinds},
		{"a slot ends by itself", testSlotExpiry}, {"a slot lost meanwhile", testSlotLost},
		{"a queue that changed", testQueueChanged}, {"declined, and still in its queue", testDeclinedWaits},
		{"reassert", testReassert}, {"capacity by hand", testCapacity},
		{"presence", testPresence}, {"status", testStatus}, {"missed offers", testMissed}, {"offers missed at once", testMissedAtOnce},
		{"times of an agent", testTimes},
		{"tokens", testTokens}, {"queues", testQueues}, {"calls of a caller", testCallerCalls}, {"calls of a person", testCallsOfAPerson},
		{"empty snapshot", testEmptySnapshot},
		{"switches", testSwitches}, {"entries", testEntries}, {"versions of the rules", testVersions}, {"once", testOnce}, {"instances", testInstances},
		{"wakes of calls", testCallWakes}, {"wakes of agents", testAgentWakes}, {"wakes of others", testOtherWakes},
		{"a context that has ended", testContext}, {"slots against a model", testModel},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(&suite{T: t, Store: open(t), clock: clock}) })
	}
	for _, capacity := range []int{1, 2, 5} {
		t.Run("storm of capacity "+string(rune('0'+capacity)), func(t *testing.T) {
			Storm(t, capacity, 500*time.Millisecond, clock, open(t))
		})
	}
}

// suite is one test of the suite: a store, and short helpers.
type suite struct {
	*testing.T
	engine.Store
	clock Clock
}

func (s *suite) now() time.Time { return s.clock.Now() }

// ok fails the test on an error.
func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// is fails the test unless err is want.
func (s *suite) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got error %v, want %v", err, want)
	}
}

// call returns a call that has just arrived and is not stored.
func (s *suite) call(id string) *engine.Call {
	now := s.now()
	return &engine.Call{
		ID: id, State: engine.Received, Number: "main", Offer: "v=0\r\n",
		From: "5511999990000", CallerKey: "+5511999990000",
		ReceivedAt: now, Timestamp: now, Deadline: now.Add(25 * time.Second), Due: now.Add(time.Second), Owner: "one",
		Transitions: []engine.Transition{{State: engine.Received, At: now}},
	}
}

// insert stores a call and returns it as stored.
func (s *suite) insert(c *engine.Call) *engine.Call {
	s.Helper()
	_, err := s.Insert(s.Context(), c)
	s.ok(err)
	return s.get(c.Key())
}

func (s *suite) get(key string) *engine.Call {
	s.Helper()
	c, err := s.Get(s.Context(), key)
	s.ok(err)
	return c
}

// try changes a stored call.
func (s *suite) try(old *engine.Call, change func(c *engine.Call)) (*engine.Call, error) {
	next := old.Clone()
	change(next)
	return s.Update(s.Context(), old, next)
}

// change changes a stored call, which must succeed.
func (s *suite) change(old *engine.Call, change func(c *engine.Call)) *engine.Call {
	s.Helper()
	c, err := s.try(old, change)
	s.ok(err)
	return c
}

// hold returns a hold that ends after d.
func (s *suite) hold(agent string, kind engine.HoldKind, capacity int, d time.Duration) engine.Hold {
	return engine.Hold{Agent: agent, Kind: kind, Capacity: capacity, Until: s.now().Add(d)}
}

// online connects agents for longer than the test lasts.
func (s *suite) online(agents ...string) {
	s.Helper()
	for _, a := range agents {
		s.ok(s.Present(s.Context(), a, "browser", long))
	}
}

func (s *suite) agent(name string) engine.AgentState {
	s.Helper()
	snap, err := s.Snapshot(s.Context(), engine.Query{Agents: []string{name}})
	s.ok(err)
	return snap.Agents[name]
}

// slots returns the kind of slot that each call has of an agent.
func (s *suite) slots(agent string) map[string]engine.HoldKind {
	s.Helper()
	kinds := map[string]engine.HoldKind{}
	for _, sl := range s.agent(agent).Slots {
		kinds[sl.Call] = sl.Kind
	}
	return kinds
}

// near reports whether two instants are equal on clocks that differ a little.
func near(a, b time.Time) bool { return a.Sub(b).Abs() < time.Second }

// Eventually waits until a condition holds, for at most 10 s.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("did not happen within 10 s: %s", what)
		}
	}
}
