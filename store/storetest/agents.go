package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"callrouter/engine"
)

func testPresence(s *suite) {
	ctx := s.Context()
	if a := s.agent("ana"); a.Connected || a.Away || len(a.Slots) != 0 {
		s.Errorf("an agent never heard of: %+v", a)
	}
	s.ok(s.Present(ctx, "ana", "one", long))
	s.ok(s.Present(ctx, "ana", "two", long))
	if a := s.agent("ana"); !a.Connected || a.Away {
		s.Errorf("after the first connection ever: %+v", a)
	}
	s.ok(s.Absent(ctx, "ana", "one"))
	s.ok(s.Absent(ctx, "ana", "one"))
	if !s.agent("ana").Connected {
		s.Error("one of two connections has ended, and the agent is gone")
	}
	s.ok(s.Present(ctx, "ana", "two", short))
	s.clock.Pass(moment)
	if s.agent("ana").Connected {
		s.Error("the lease has ended, and the agent is still there")
	}
	s.ok(s.Present(ctx, "ana", "three", long))
	s.ok(s.Present(ctx, "ana", "four", short))
	s.clock.Pass(moment)
	if !s.agent("ana").Connected {
		s.Error("one of two leases has ended, and the agent is gone")
	}
	s.ok(s.Absent(ctx, "ana", "three"))
	if s.agent("ana").Connected {
		s.Error("all connections have ended, and the agent is still there")
	}
	s.ok(s.Absent(ctx, "nobody", "one"))
}

func testStatus(s *suite) {
	ctx := s.Context()
	s.online("ana")
	s.ok(s.SetStatus(ctx, "ana", true, "lunch"))
	if a := s.agent("ana"); !a.Away || a.Reason != "lunch" || !a.Connected {
		s.Errorf("%+v", a)
	}
	s.ok(s.Absent(ctx, "ana", "browser"))
	s.online("ana")
	if a := s.agent("ana"); !a.Away || a.Reason != "lunch" {
		s.Errorf("the status last set does not hold on connecting again: %+v", a)
	}
	s.ok(s.SetStatus(ctx, "ana", false, ""))
	if a := s.agent("ana"); a.Away || a.Reason != "" {
		s.Errorf("%+v", a)
	}
}

func testMissed(s *suite) {
	ctx := s.Context()
	s.online("ana")
	offer := 0
	miss := func(limit, want int) {
		s.Helper()
		offer++
		n, err := s.Missed(ctx, "ana", fmt.Sprint(offer), limit, "missed too many")
		s.ok(err)
		again, err := s.Missed(ctx, "ana", fmt.Sprint(offer), limit, "missed too many")
		s.ok(err)
		if n != want || again != want || s.agent("ana").Missed != want {
			s.Errorf("%d in a row, want %d", n, want)
		}
	}
	miss(3, 1)
	miss(3, 2)
	s.ok(s.Answered(ctx, "ana"))
	if s.agent("ana").Missed != 0 {
		s.Error("an answered offer does not clear missed ones")
	}
	miss(3, 1)
	miss(3, 2)
	if s.agent("ana").Away {
		s.Error("away before the limit")
	}
	miss(3, 3)
	if a := s.agent("ana"); !a.Away || a.Reason != "missed too many" {
		s.Errorf("at the limit: %+v", a)
	}
	s.ok(s.SetStatus(ctx, "ana", false, ""))
	if a := s.agent("ana"); a.Away || a.Missed != 0 {
		s.Errorf("after the agent came back: %+v", a)
	}
	for i := range 5 {
		miss(0, i+1)
	}
	if s.agent("ana").Away {
		s.Error("away although there is no limit")
	}
}

// Of several offers that an agent misses at once, each is reported by whoever finds it, some twice: each counts once.
func testMissedAtOnce(s *suite) {
	ctx := s.Context()
	s.online("ana")
	for i, offer := range []string{"A", "B", "A", "B", "C", "A", "C", "B"} {
		n, err := s.Missed(ctx, "ana", offer, 0, "")
		s.ok(err)
		want := min(i+1, 2)
		if i >= 4 {
			want = 3
		}
		if n != want {
			s.Errorf("report %d, of offer %s: %d missed, want %d", i+1, offer, n, want)
		}
	}
	s.ok(s.Answered(ctx, "ana"))
	if n, err := s.Missed(ctx, "ana", "B", 0, ""); err != nil || n != 0 {
		s.Errorf("an offer missed before an answered one, reported again after it: %d missed, %v; want 0", n, err)
	}
}

func testTimes(s *suite) {
	ctx := s.Context()
	start := s.now()
	s.online("ana")
	if a := s.agent("ana"); !near(a.IdleSince, start) || !a.OfferedAt.IsZero() {
		s.Errorf("on coming: %+v", a)
	}
	c := s.insert(s.call("a"))
	s.clock.Pass(moment)
	rang := s.agent("ana").IdleSince
	c = s.change(c, func(n *engine.Call) {
		n.State = engine.Offered
		n.Offers = []engine.Offer{{ID: "1", Agent: "ana", Queue: "sales", At: s.now()}}
		n.Holds = []engine.Hold{s.hold("ana", engine.HoldRinging, 1, long)}
	})
	a := s.agent("ana")
	offered := a.OfferedAt
	if !offered.After(rang) || !a.IdleSince.Equal(rang) {
		s.Errorf("after an offer: %+v", a)
	}
	s.clock.Pass(moment)
	c = s.change(c, func(n *engine.Call) { n.Offers[0].Result = engine.OfferAnswered })
	c = s.change(c, holding(s.hold("ana", engine.HoldActive, 1, long)))
	if a = s.agent("ana"); !a.OfferedAt.Equal(offered) || !a.IdleSince.Equal(rang) {
		s.Errorf("while talking: %+v", a)
	}
	s.clock.Pass(moment)
	c = s.change(c, holding(s.hold("ana", engine.HoldWrapUp, 1, long)))
	ended := s.agent("ana").IdleSince
	if !ended.After(offered) {
		s.Errorf("idle since %v after a call that ended", ended)
	}
	s.clock.Pass(moment)
	s.change(c, holding())
	if got := s.agent("ana").IdleSince; !got.Equal(ended) {
		s.Errorf("the end of the wrap-up moved idle since to %v", got)
	}
	s.ok(s.SetStatus(ctx, "ana", false, ""))
	if got := s.agent("ana").IdleSince; !got.Equal(ended) {
		s.Error("an agent who was available did not become available")
	}
	s.ok(s.SetStatus(ctx, "ana", true, ""))
	s.clock.Pass(moment)
	s.ok(s.SetStatus(ctx, "ana", false, ""))
	back := s.agent("ana").IdleSince
	if !back.After(ended) {
		s.Errorf("idle since %v after coming back", back)
	}
	// An active call that ends without wrap-up.
	d := s.change(s.insert(s.call("d")), holding(s.hold("ana", engine.HoldRinging, 1, long)))
	d = s.change(d, holding(s.hold("ana", engine.HoldActive, 1, long)))
	s.clock.Pass(moment)
	s.change(d, holding())
	if got := s.agent("ana").IdleSince; !got.After(back) {
		s.Errorf("idle since %v after a call without wrap-up", got)
	}
}

func testTokens(s *suite) {
	ctx := s.Context()
	_, err := s.AgentByToken(ctx, "h1")
	s.is(err, engine.ErrNotFound)
	s.ok(s.SetStatus(ctx, "ana", false, "")) // known, and without a token
	for _, agent := range []string{"ana", "nobody"} {
		_, err = s.Token(ctx, agent)
		s.is(err, engine.ErrNotFound)
	}
	s.ok(s.SetToken(ctx, "ana", "h1"))
	s.ok(s.SetToken(ctx, "bruno", "h2"))
	if a, err := s.AgentByToken(ctx, "h1"); err != nil || a != "ana" {
		s.Errorf("%q, %v", a, err)
	}
	s.ok(s.SetToken(ctx, "ana", "h3"))
	_, err = s.AgentByToken(ctx, "h1")
	s.is(err, engine.ErrNotFound)
	for hash, want := range map[string]string{"h2": "bruno", "h3": "ana"} {
		if a, err := s.AgentByToken(ctx, hash); err != nil || a != want {
			s.Errorf("%q, %v", a, err)
		}
		if h, err := s.Token(ctx, want); err != nil || h != hash {
			s.Errorf("%s has the token %q, %v; want %s", want, h, err, hash)
		}
	}
}

func testQueues(s *suite) {
	base := s.now()
	wait := func(id, queue string, joined time.Duration) *engine.Call {
		return s.change(s.insert(s.call(id)), func(c *engine.Call) {
			c.State = engine.Waiting
			c.Step = &engine.Handoff{Queue: queue, Joined: base.Add(joined)}
		})
	}
	wait("second", "sales", 2*time.Second)
	first := wait("first", "sales", time.Second)
	wait("other", "sales2", 0)
	third := wait("third", "sales", 3*time.Second)
	first = s.change(first, func(c *engine.Call) {
		c.Owner = "two"
		c.Offers = []engine.Offer{
			{ID: "1", Agent: "ana", Result: engine.OfferMissed},
			{ID: "2", Agent: "bruno", Result: engine.OfferDeclined},
		}
	})
	read := func() []engine.Waiter {
		s.Helper()
		snap, err := s.Snapshot(s.Context(), engine.Query{Queues: []string{"sales", "nobody"}})
		s.ok(err)
		if len(snap.Queues["nobody"]) != 0 {
			s.Errorf("an empty queue has %v", snap.Queues["nobody"])
		}
		return snap.Queues["sales"]
	}
	expect := func(ids ...string) {
		s.Helper()
		var got, want []string
		for _, w := range read() {
			got = append(got, w.Key)
		}
		for _, id := range ids {
			want = append(want, engine.Key(id))
		}
		if !slices.Equal(got, want) {
			s.Errorf("waiting %v, want %v", got, want)
		}
	}
	expect("first", "second", "third")
	w := read()[0]
	if !slices.Equal(w.Rung, []string{"ana", "bruno"}) || w.Owner != "two" || !w.Joined.Equal(base.Add(time.Second)) {
		s.Errorf("%+v", w)
	}
	first = s.change(first, func(c *engine.Call) {
		c.State, c.Offers = engine.Offered, append(c.Offers, engine.Offer{ID: "3", Agent: "carla"})
	})
	expect("second", "third") // one that rings does not wait
	first = s.change(first, func(c *engine.Call) { c.State, c.Offers = engine.Waiting, c.Offers[:2] })
	expect("first", "second", "third") // and comes back to its old place
	s.change(first, func(c *engine.Call) {
		c.State, c.Step, c.EndedAt, c.Due = engine.Ended, nil, s.now(), time.Time{}
	})
	s.change(third, func(c *engine.Call) { c.Step = &engine.Handoff{Queue: "sales2", Joined: base} })
	expect("second")
}

func testCallerCalls(s *suite) {
	base := s.now()
	for i, age := range []time.Duration{30 * time.Second, 30 * time.Minute, 90 * time.Minute, 3 * time.Hour} {
		c := s.call(string(rune('a' + i)))
		c.ReceivedAt = base.Add(-age)
		s.insert(c)
	}
	other := s.call("other")
	other.CallerKey = "+55119999900001" // begins like the first
	s.insert(other)
	withheld := s.call("withheld")
	withheld.CallerKey = ""
	s.insert(withheld)
	snap, err := s.Snapshot(s.Context(), engine.Query{
		Caller: "+5511999990000", Except: engine.Key("a"),
		Calls: []time.Duration{time.Hour, 2 * time.Hour, 24 * time.Hour},
	})
	s.ok(err)
	for d, want := range map[time.Duration]int{time.Hour: 1, 2 * time.Hour: 2, 24 * time.Hour: 3} {
		if snap.Calls[d] != want {
			s.Errorf("%d calls within %s, want %d", snap.Calls[d], d, want)
		}
	}
	if n := s.callsOf("+5511999990000", engine.Key("d")); n != 1 {
		s.Errorf("%d calls, want the one: what is left out is older than the window", n)
	}
	if n := s.callsOf("", ""); n != 0 {
		s.Errorf("a caller who withholds the number has %d calls", n)
	}
	hidden := s.call("hidden")
	hidden.CallerKey = "id:BR.1"
	s.insert(hidden)
	for except, want := range map[string]int{"": 3, hidden.Key(): 2, engine.Key("a"): 2} {
		snap, err := s.Snapshot(s.Context(), engine.Query{
			Caller: "+5511999990000", Other: "id:BR.1", Except: except, Calls: []time.Duration{time.Hour},
		})
		s.ok(err)
		if n := snap.Calls[time.Hour]; n != want {
			s.Errorf("%d calls of one person with and without the number, but for %q; want %d", n, except, want)
		}
	}
	if n := s.callsOf("id:BR.1", ""); n != 1 {
		s.Errorf("%d calls by id, want 1", n)
	}
}

// callerOf returns the person of a call as the engine asks for it.
func callerOf(c *engine.Call, d time.Duration) engine.Query {
	return engine.Query{Caller: c.CallerKey, Other: c.OtherKey(), Except: c.Key(), Calls: []time.Duration{d}}
}

// People call with the number shown, with it hidden and a user id instead, and with both, in any order. A call is one of
// the person who calls now if it has the same number or the same user id, and counts once.
func testCallsOfAPerson(s *suite) {
	kinds := []struct{ number, id string }{
		{"+5511999990000", ""}, {"", "BR.1"}, {"+5511999990000", "BR.1"}, // one person
		{"+5511999990001", "BR.1"}, {"+5511999990000", "BR.2"}, // who has another number, or another id
		{"+5511999990002", "BR.2"}, {"", "BR.3"}, // and others
	}
	same := func(a, b *engine.Call) bool {
		return a.UserID != "" && a.UserID == b.UserID || a.CallerKey == b.CallerKey
	}
	random := rand.New(rand.NewPCG(21, 5))
	var all []*engine.Call
	check := func(c *engine.Call) {
		s.Helper()
		for _, d := range []time.Duration{10 * time.Minute, time.Hour} {
			want := 0
			for _, other := range all {
				if other.Key() != c.Key() && same(c, other) && s.now().Sub(other.ReceivedAt) < d {
					want++
				}
			}
			snap, err := s.Snapshot(s.Context(), callerOf(c, d))
			s.ok(err)
			if n := snap.Calls[d]; n != want {
				s.Fatalf("%d calls: the caller %q with the id %q has %d within %s, want %d",
					len(all), c.CallerKey, c.UserID, n, d, want)
			}
		}
	}
	for i := range 60 {
		kind := kinds[random.IntN(len(kinds))]
		c := s.call(fmt.Sprint("person ", i))
		c.CallerKey, c.UserID = cmp.Or(kind.number, "id:"+kind.id), kind.id
		c.ReceivedAt = c.ReceivedAt.Add(-time.Duration(random.IntN(120))*time.Minute - 30*time.Second)
		check(c) // before it is stored
		all = append(all, s.insert(c))
		check(all[random.IntN(len(all))])
	}
	listed, err := s.List(s.Context(), engine.Filter{Caller: "id:BR.1", Limit: 100})
	s.ok(err)
	for _, c := range listed {
		if c.UserID != "BR.1" {
			s.Errorf("among the calls of an id is one of %q, %q", c.CallerKey, c.UserID)
		}
	}
	last := all[len(all)-1]
	for _, c := range all {
		s.change(c, func(c *engine.Call) {
			c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, c.ReceivedAt, time.Time{}
		})
	}
	for _, c := range all {
		check(c)
	}
	_, err = s.Purge(s.Context(), s.now().Add(-20*time.Minute))
	s.ok(err)
	all = slices.DeleteFunc(all, func(c *engine.Call) bool { return s.now().Sub(c.ReceivedAt) > 20*time.Minute })
	for _, c := range append(all, last) {
		check(c)
	}
}

func testEmptySnapshot(s *suite) {
	snap, err := s.Snapshot(s.Context(), engine.Query{})
	s.ok(err)
	if len(snap.Agents)+len(snap.Queues)+len(snap.Listed)+len(snap.Calls) != 0 {
		s.Errorf("%+v", snap)
	}
	snap, err = s.Snapshot(s.Context(), engine.Query{
		Agents: []string{"ana", "bruno"}, Lists: []string{"vip"}, Caller: "+1",
	})
	s.ok(err)
	if len(snap.Agents) != 2 || snap.Listed["vip"] {
		s.Errorf("%+v", snap)
	}
}
