package store

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/store/storetest"
)

const ringer = "+5511999990000"

// came stores a call that came so long ago; it lives, or was rejected.
func (c clocked) came(id string, ago time.Duration, lives bool) *engine.Call {
	c.Helper()
	at := time.Now().Add(-ago)
	call := &engine.Call{ID: id, State: engine.Active, CallerKey: ringer, ReceivedAt: at, Due: at}
	if !lives {
		call.State, call.Outcome, call.EndedAt, call.Due = engine.Ended, engine.Rejected, at, time.Time{}
	}
	if _, err := c.Insert(context.Background(), call); err != nil {
		c.Fatal(err)
	}
	call.Rev = 1
	return call
}

// ends ends a call that was stored by came.
func (c clocked) ends(call *engine.Call) {
	c.Helper()
	ended := call.Clone()
	ended.State, ended.Outcome, ended.EndedAt, ended.Due = engine.Ended, engine.Answered, time.Now(), time.Time{}
	if _, err := c.Update(context.Background(), call, ended); err != nil {
		c.Fatal(err)
	}
}

// counts fails the test if the caller's calls within some windows are not as many as they should be.
func (c clocked) counts(when string, want map[time.Duration]int) {
	c.Helper()
	q := engine.Query{Caller: ringer}
	for d := range want {
		q.Calls = append(q.Calls, d)
	}
	snap, err := c.Snapshot(context.Background(), q)
	if err != nil {
		c.Fatal(err)
	}
	for d, n := range want {
		if snap.Calls[d] != n {
			c.Errorf("%s: %d calls within %s, want %d", when, snap.Calls[d], d, n)
		}
	}
}

// The clock of Redis is set forward, back and twice: a caller's calls are counted as if nobody had set it, before an
// instance notices, after that, while calls live, and once none does.
func TestRedisCallsAreCountedEvenly(t *testing.T) {
	t.Parallel()
	server := storetest.NewRedisWithClock(t)
	one, two := openClocked(t, server, "one"), openClocked(t, server, "two")
	even(t, "at first", 0, one, two)
	lives := one.came("lives", 3*time.Hour, true)
	for i, ago := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 90 * time.Minute} {
		one.came(strconv.Itoa(i), ago, false)
	}
	want := map[time.Duration]int{10 * time.Minute: 2, time.Hour: 3, 2 * time.Hour: 4, 24 * time.Hour: 5}
	check := func(when string) {
		t.Helper()
		for _, c := range []clocked{one, two} {
			c.counts(c.name+", "+when, want)
		}
	}
	check("at first")
	for _, ahead := range []time.Duration{time.Hour, 2 * time.Hour, 0, -time.Hour, -26 * time.Hour, 90 * time.Minute} {
		set := "set to " + ahead.String()
		server.SetClock(ahead)
		check(set + ", not noticed")
		even(t, set, 0, two, one)
		check(set)
		one.came(set, time.Second, false)
		for d := range want {
			want[d]++
		}
		check(set + ", after another call")
	}
	one.ends(lives)
	even(t, "once no call lives", 0, two, one)
	check("once no call lives")
}

// The store's time comes back to the clock of Redis: by 2 % of the time that passes while calls live, and all at once
// when none came for a day.
func TestRedisTimeComesBackSlowly(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		server := storetest.NewRedisWithClock(t)
		one := openClocked(t, server, "one")
		even(t, "at first", 0, one)
		lives := one.came("lives", 30*time.Hour, true)
		server.SetClock(ahead)
		even(t, "when it was set", 0, one)
		const step, steps = 1500 * time.Millisecond, 200 // too little to look as if the clock had been set
		for i := range steps {
			server.SetClock(ahead + time.Duration(i+1)*step)
			one.beats()
		}
		passed, back := steps*step, steps*step/50
		if ahead < 0 {
			back = -back
		}
		even(t, "after five minutes", passed+back, one)
		one.ends(lives)
		even(t, "a day after the last call", passed+ahead, one)
	}
}

// What lasts for a time lasts for that time, and what ends at a time of day ends then, while the clock of Redis is set.
func TestRedisLimitsWhileTheClockIsSet(t *testing.T) {
	t.Parallel()
	server := storetest.NewRedisWithClock(t)
	one, two := openClocked(t, server, "one"), openClocked(t, server, "two")
	even(t, "at first", 0, one, two)
	one.came("lives", 0, true)
	ctx, three := t.Context(), 3
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	once := func(key string, want bool) {
		t.Helper()
		if first, err := two.Once(ctx, key, 30*time.Minute); err != nil || first != want {
			t.Errorf("the first within half an hour: %t, %v; want %t", first, err, want)
		}
	}
	once("message", true)
	ok(one.SetCapacity(ctx, "ana", &three, time.Now().Add(30*time.Minute)))
	for _, ahead := range []time.Duration{time.Hour, -time.Hour} {
		server.SetClock(ahead)
		for range 2 {
			alive, err := two.Alive(ctx)
			if ok(err); !slices.Equal(alive, []string{"one", "two"}) {
				t.Errorf("set to %s: %q are alive, want both", ahead, alive)
			}
			one.beats() // and two has not noticed yet
		}
		even(t, "when it was set", 0, two, one)
		once("message", false)
		ok(one.Present(ctx, "ana", "tab", time.Minute))
		ok(one.SetStatus(ctx, "ana", true, ""))
		ok(one.SetStatus(ctx, "ana", false, ""))
		snap, err := one.Snapshot(ctx, engine.Query{Agents: []string{"ana"}})
		ok(err)
		a := snap.Agents["ana"]
		if a.Capacity == nil || *a.Capacity != three {
			t.Errorf("set to %s: the capacity until in half an hour is over", ahead)
		}
		if ago := time.Since(a.IdleSince); ago.Abs() > 5*time.Second {
			t.Errorf("set to %s: idle since %s ago, want just now", ahead, ago)
		}
	}
}
