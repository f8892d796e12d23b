package store

import (
	"context"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/store/storetest"
)

// clocked is an instance of a test, on a Redis whose clock can be set.
type clocked struct {
	*testing.T
	*redisStore
	name string
}

func openClocked(t *testing.T, server *storetest.Redis, name string) clocked {
	t.Helper()
	s, err := Open(t.Context(), server.URL, Config{Timeout: time.Second, Gate: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return clocked{t, s.(*redisStore), name}
}

// beats is how far the store's time is ahead of this machine's, and the epoch.
func (c clocked) beats() (ahead time.Duration, epoch string) {
	c.Helper()
	epoch, at, err := c.Beat(context.Background(), c.name, 6*time.Second)
	if err != nil {
		c.Fatal(err)
	}
	return time.Until(at), epoch
}

// even fails the test if the store's time is not as far ahead as it should be, for each instance.
func even(t *testing.T, when string, want time.Duration, instances ...clocked) {
	t.Helper()
	for _, c := range instances {
		if got, _ := c.beats(); (got - want).Abs() > 500*time.Millisecond {
			t.Errorf("%s: for %s the store's time is %s ahead, want %s", when, c.name, got, want)
		}
	}
}

// The clock of Redis is set while a call lives: the store's time goes on as before for all instances, also for those
// that start later. Once no call lives, the store's time is that of Redis again.
func TestRedisTimeGoesOnEvenly(t *testing.T) {
	t.Parallel()
	server := storetest.NewRedisWithClock(t)
	one, two := openClocked(t, server, "one"), openClocked(t, server, "two")
	even(t, "at first", 0, one, two)
	call := &engine.Call{ID: "lives", State: engine.Active, ReceivedAt: time.Now(), Due: time.Now()}
	if _, err := one.Insert(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	_, before := one.beats()
	for _, ahead := range []time.Duration{time.Minute, -time.Hour, 24 * time.Hour, 10 * time.Second} {
		server.SetClock(ahead)
		even(t, "set to "+ahead.String(), 0, two, one, openClocked(t, server, "later"))
	}
	if _, after := one.beats(); after == before {
		t.Error("the epoch is the one before, so nobody writes back what may be lost")
	}
	call.Rev = 1
	ended := call.Clone()
	ended.State, ended.Due = engine.Ended, time.Time{}
	if _, err := one.Update(t.Context(), call, ended); err != nil {
		t.Fatal(err)
	}
	even(t, "once no call lives", 10*time.Second, one, two)
}

// To a machine that slept, the clock of Redis seems to jump, as if it had been set. The other instances prove that it
// was not: the store's time stays the same, and no slot is held back.
func TestRedisTimeOfAMachineThatSlept(t *testing.T) {
	t.Parallel()
	server := storetest.NewRedisWithClock(t)
	awake, slept := openClocked(t, server, "awake"), openClocked(t, server, "slept")
	even(t, "at first", 0, awake, slept)
	_, before := awake.beats()
	last := *slept.clock.last.Load()
	last.at = last.at.Add(-30 * time.Second) // its own clock stood still for so long
	slept.clock.last.Store(&last)
	even(t, "once it woke", 0, slept, awake, slept)
	if _, after := awake.beats(); after != before {
		t.Error("a new epoch began, so that no agent is rung for a while")
	}
}
