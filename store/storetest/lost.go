package storetest

import (
	"errors"
	"slices"
	"time"

	"callrouter/engine"
)

// A call that begins to wait between a look at the queue and the taking of its agent was perhaps there first.
func testQueueChanged(s *suite) {
	ctx := s.Context()
	s.online("ana")
	rev := func() int64 {
		snap, err := s.Snapshot(ctx, engine.Query{Queues: []string{"sales"}})
		s.ok(err)
		return snap.Revs["sales"]
	}
	wait := func(c *engine.Call) *engine.Call {
		return s.change(c, func(n *engine.Call) {
			n.State = engine.Waiting
			n.Step = &engine.Handoff{Queue: "sales", Joined: s.now()}
		})
	}
	first, second := s.insert(s.call("first")), s.insert(s.call("second"))
	offer := func(c *engine.Call, seen int64) (*engine.Call, error) {
		return s.try(c, func(n *engine.Call) {
			n.State = engine.Offered
			n.Step = &engine.Handoff{Queue: "sales", Joined: s.now(), Seen: seen}
			n.Holds = []engine.Hold{s.hold("ana", engine.HoldRinging, 1, long)}
		})
	}
	seen := rev()
	if seen == 0 {
		s.Fatal("a revision of 0 means that it does not matter")
	}
	first = wait(first)
	_, err := offer(second, seen)
	s.is(err, engine.ErrBusy)
	if len(s.slots("ana")) != 0 {
		s.Error("the slot was taken all the same")
	}
	due, err := s.Due(ctx, s.now().Add(long), nil, 10)
	s.ok(err)
	if !slices.Contains(due, second.Key()) {
		s.Error("a step that was refused took the call out of the sweep's sight")
	}
	first, err = offer(first, rev())
	s.ok(err)
	s.change(first, func(n *engine.Call) { n.State, n.Step, n.Holds = engine.Deciding, nil, nil })
	_, err = offer(second, rev())
	s.ok(err)
}

// A call that was offered and rings nowhere any more waits in its old place, until it is offered again.
func testDeclinedWaits(s *suite) {
	s.online("ana")
	first, second := s.insert(s.call("first")), s.insert(s.call("second"))
	joined := s.now()
	step := func(c *engine.Call, state engine.State, after time.Duration, offers ...engine.Offer) *engine.Call {
		return s.change(c, func(n *engine.Call) {
			n.State, n.Step = state, &engine.Handoff{Queue: "sales", Joined: joined.Add(after)}
			n.Offers = offers
		})
	}
	expect := func(what string, want ...*engine.Call) {
		s.Helper()
		snap, err := s.Snapshot(s.Context(), engine.Query{Queues: []string{"sales"}})
		s.ok(err)
		var got, keys []string
		for _, w := range snap.Queues["sales"] {
			got = append(got, w.Key)
		}
		for _, c := range want {
			keys = append(keys, c.Key())
		}
		if !slices.Equal(got, keys) {
			s.Errorf("%s: %v wait, want %v", what, got, keys)
		}
	}
	first, second = step(first, engine.Waiting, 0), step(second, engine.Waiting, time.Second)
	expect("both wait", first, second)
	rings := engine.Offer{ID: first.Key() + "-1", Agent: "ana", Queue: "sales", RingsUntil: s.now().Add(long)}
	declined := rings
	declined.Result = engine.OfferDeclined
	first = step(first, engine.Offered, 0, rings)
	expect("the first rings", second)
	first = step(first, engine.Offered, 0, declined)
	expect("it was declined", first, second)
	snap, err := s.Snapshot(s.Context(), engine.Query{Queues: []string{"sales"}})
	s.ok(err)
	if w := snap.Queues["sales"][0]; !slices.Equal(w.Rung, []string{"ana"}) {
		s.Errorf("it was offered to %v, want ana", w.Rung)
	}
	again := rings
	again.ID, again.Agent = first.Key()+"-2", "bia"
	first = step(first, engine.Offered, 0, declined, again)
	expect("it rings again", second)
	s.change(first, func(n *engine.Call) { n.State, n.Step = engine.Deciding, nil })
	expect("it has left", second)
}

// What a store has lost is put back, with its slots; what it knows better stays.
func testReassert(s *suite) {
	ctx := s.Context()
	s.online("ana")
	c := s.insert(s.call("talks"))
	c = s.change(c, func(n *engine.Call) {
		n.State, n.Agent = engine.Active, "ana"
		n.Holds = []engine.Hold{s.hold("ana", engine.HoldRinging, 1, long)}
	})
	newer := s.change(c, func(n *engine.Call) { n.Why = "newer" })
	s.ok(s.Reassert(ctx, c))
	if got := s.get(c.Key()); got.Why != "newer" || got.Rev != newer.Rev {
		s.Errorf("an older record was put over a newer one: %q, revision %d", got.Why, got.Rev)
	}
	lost := s.call("lost")
	lost.Rev, lost.State, lost.Agent = 7, engine.Active, "ana"
	lost.Holds = []engine.Hold{s.hold("ana", engine.HoldActive, 1, long)}
	s.ok(s.Reassert(ctx, lost))
	s.ok(s.Reassert(ctx, lost))
	got := s.get(lost.Key())
	if got.Rev != 7 || got.State != engine.Active {
		s.Errorf("put back as %s, revision %d", got.State, got.Rev)
	}
	if slots := s.slots("ana"); len(slots) != 2 || slots[lost.Key()] != engine.HoldActive {
		s.Errorf("slots %v: a call that goes on has its slot, whatever else was given", slots)
	}
	third := s.insert(s.call("third"))
	_, err := s.try(third, func(n *engine.Call) { n.Holds = []engine.Hold{s.hold("ana", engine.HoldRinging, 2, long)} })
	if !errors.Is(err, engine.ErrBusy) {
		s.Errorf("a third call for two slots: %v", err)
	}
	s.change(got, func(n *engine.Call) { n.State, n.Holds = engine.Ended, nil })
	if len(s.slots("ana")) != 1 {
		s.Error("a call that was put back does not give its slot back")
	}
}
