package main

import (
	"context"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/positus/fake"
	"callrouter/store"
	"callrouter/store/storetest"
)

// 3,000 calls, each raced for by three webhooks at three routers, three agents who pick up at once, the end of the
// ringing and the caller who hangs up, while one reply of Redis in ten is lost: each call gets one action.
func TestFleetRaces(t *testing.T) {
	f := newFleet(
		t,
		fleetPlan{capacity: 200, ring: 2 * time.Second, env: map[string]string{"CALLROUTER_STORE_DOWN": "refuse"}},
	)
	for _, m := range f.members {
		m.proxy.Set(storetest.Trouble{Cut: 0.1})
	}
	const calls = 3000
	every := 25 * time.Millisecond
	f.underLoad(every, calls*every, func(*mathrand.Rand) fake.Phone {
		way := "race"
		if lastCaller.Load()%10 == 0 {
			way = "reject"
		}
		p := phone(way)
		p.TalkFor = 2 * time.Second
		p.ConnectRepeat = []time.Duration{0, 0}
		return p
	}, func() {})
	f.settle(25 * time.Second)
	for _, m := range f.members {
		m.proxy.Set(storetest.Trouble{})
	}
	v := f.judge(false)
	f.freed(freedWithin)
	repeated := 0
	for _, c := range f.fake.Calls() {
		if n := f.finals(c.ID); n > 1 {
			repeated++
		}
	}
	t.Logf(
		"%d calls, %d triggers each; none decided %d, decided in two ways %d, action repeated %d",
		v.calls,
		6,
		v.lost,
		v.conflicting,
		repeated,
	)
	if f.taken409.Load() == 0 || f.other409.Load() == 0 {
		t.Error("nobody lost a race, so nothing is proven")
	}
}

// finals counts the requests that decide a call.
func (f *fleet) finals(id string) int {
	n := 0
	for _, r := range f.fake.ActionsFor(id) {
		if r.Kind == fake.KindAccept || r.Kind == fake.KindReject {
			n++
		}
	}
	return n
}

// A router that rings at two hundred phones is killed, three times: its slots are passed on within the lease and a
// sweep, not before the lease is over, and all are free once the callers are gone.
func TestFleetSlotsOfTheDead(t *testing.T) {
	f := newFleet(t, fleetPlan{capacity: 25, ring: 10 * time.Second, stay: true})
	f.silent.Store(true)
	s, err := store.Open(t.Context(), f.redis.URL, store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	lease := engine.DefaultTiming().Lease
	for round, m := range f.members {
		f.fake.SetWebhookURL("http://" + m.run.Load().public + "/webhooks/positus/" + f.secret)
		var calls []*fake.Call
		for range 200 {
			p := phone("line")
			p.NoTerminate = true
			calls = append(calls, f.call(p))
		}
		within(t, 8*time.Second, "two hundred phones ring", func() bool { n, _ := holding(t, s, ""); return n == 200 })
		_, owner := holding(t, s, "")
		m.run.Load().kill()
		killed := time.Now()
		var first, last time.Duration
		if !soon(2*freedWithin, func() bool {
			n, _ := holding(t, s, owner)
			if n < 200 && first == 0 {
				first = time.Since(killed)
			}
			last = time.Since(killed)
			return n == 0
		}) {
			t.Fatal("slots are still held by a router that is dead")
		}
		f.silent.Store(true)
		m.start()
		for _, c := range calls {
			c.HangUp()
		}
		within(
			t,
			25*time.Second,
			"every slot is free once nobody calls any more",
			func() bool { n, _ := holding(t, s, ""); return n == 0 },
		)
		t.Logf(
			"round %d: 200 slots, the first passed on %s after the kill, the last %s; all free %s after it",
			round+1,
			first.Round(
				10*time.Millisecond,
			),
			last.Round(10*time.Millisecond),
			time.Since(killed).Round(10*time.Millisecond),
		)
		if first < lease-3*time.Second || last > 15*time.Second {
			t.Errorf("passed on after %s to %s; the lease is %s", first, last, lease)
		}
	}
}

// holding counts the calls that hold slots and are owned by a router, or by any if owner is empty, and names the owner
// of one of them.
func holding(t *testing.T, s engine.Store, owner string) (n int, one string) {
	t.Helper()
	calls, err := s.List(context.Background(), engine.Filter{Limit: 10_000, State: engine.Offered})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range calls {
		if len(c.Holds) > 0 && (owner == "" || c.Owner == owner) {
			n++
			one = c.Owner
		}
	}
	return n, one
}

// Positus takes no hang-up for 20 s while sixty calls pass max_call: three routers sweep, each call is tried in time,
// by one at a time, and until it is ended.
func TestFleetHangUps(t *testing.T) {
	const maxCall = 5 * time.Second
	f := newFleet(t, fleetPlan{maxCall: maxCall})
	f.fake.Adjust(func(d *fake.Dials) { d.Latency[fake.KindHangUp] = 100 * time.Millisecond })
	f.fake.FailNext(fake.KindHangUp, fake.Fault{Status: 503, Times: fake.Forever})
	for range 60 {
		p := phone("bot")
		p.TalkFor = 10 * time.Minute
		f.call(p)
	}
	wait(maxCall + 8*time.Second)
	var latest time.Duration
	records := f.records()
	for _, c := range f.fake.Calls() {
		if r := records[c.ID]; r == nil || r.HangUp == nil {
			t.Errorf("call %s: nobody tries to end it", engine.Key(c.ID))
		} else {
			latest = max(latest, r.HangUp.Since.Sub(r.ActiveAt))
		}
	}
	wait(12 * time.Second)
	f.fake.ClearFaults()
	healed := time.Now()
	within(t, engine.DefaultTiming().HangUpMax, "every call is ended", func() bool {
		return !slices.ContainsFunc(f.fake.Calls(), func(c *fake.Call) bool { return c.State() != fake.Ended })
	})
	ended := time.Since(healed)
	var gap time.Duration
	attempts := 0
	for _, c := range f.fake.Calls() {
		var before time.Time
		asked := f.fake.ActionsFor(c.ID)
		slices.SortFunc(asked, func(a, b fake.Request) int { return a.Time.Compare(b.Time) })
		for _, r := range asked {
			if r.Kind != fake.KindHangUp {
				continue
			}
			attempts++
			if d := r.Time.Sub(before); !before.IsZero() && (gap == 0 || d < gap) {
				gap = d
			}
			before = r.Time
		}
		if n := len(f.fake.AppliedTo(c.ID)); n != 2 {
			t.Errorf(
				"call %s: %d requests were carried out: %s",
				engine.Key(c.ID),
				n,
				requests(f.fake.ActionsFor(c.ID)),
			)
		}
	}
	t.Logf(
		"60 calls, %d hang-ups asked for; begun at the latest %s after the accept (max_call %s); all ended %s after Positus was back; shortest time between two attempts at one call %s",
		attempts,
		latest.Round(time.Millisecond),
		maxCall,
		ended.Round(time.Millisecond),
		gap.Round(time.Millisecond),
	)
	if latest > maxCall+5*time.Second {
		t.Errorf("a call lived for %s before anybody tried to end it", latest)
	}
	if ended > 20*time.Second {
		t.Errorf("calls went on for %s after Positus was back", ended)
	}
	if gap < 100*time.Millisecond { // as long as Positus takes for one
		t.Errorf("two attempts at one call were under way at once, %s apart", gap)
	}
	if n := strings.Count(f.logs.String(), `"kind":"hang_up"`); n == 0 {
		t.Error("no log line says that a hang-up failed")
	}
}
