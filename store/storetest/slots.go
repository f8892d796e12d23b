package storetest

import (
	"time"

	"callrouter/engine"
)

// holding is a change that gives a call these holds.
func holding(holds ...engine.Hold) func(*engine.Call) {
	return func(c *engine.Call) { c.Holds = holds }
}

func testTake(s *suite) {
	a, b := s.insert(s.call("a")), s.insert(s.call("b"))
	ring := s.hold("ana", engine.HoldRinging, 1, long)

	_, err := s.try(a, holding(ring))
	s.is(err, engine.ErrBusy) // not connected
	if got := s.get(a.Key()); got.Rev != 1 || len(got.Holds) != 0 {
		s.Errorf("a refused write was written: %+v", got)
	}
	s.online("ana")
	s.ok(s.SetStatus(s.Context(), "ana", true, "lunch"))
	_, err = s.try(a, holding(ring))
	s.is(err, engine.ErrBusy) // away
	s.ok(s.SetStatus(s.Context(), "ana", false, ""))

	a = s.change(a, holding(ring))
	_, err = s.try(b, holding(ring))
	s.is(err, engine.ErrBusy) // full
	_, err = s.try(b, holding(s.hold("ana", engine.HoldActive, 1, long)))
	s.is(err, engine.ErrBusy) // an active call needs a slot too

	a = s.change(a, holding(s.hold("ana", engine.HoldRinging, 1, 2*long))) // its own slot is not counted twice
	sl := s.agent("ana").Slots
	if len(sl) != 1 || sl[0].Call != a.Key() || sl[0].Kind != engine.HoldRinging ||
		!near(sl[0].Until, s.now().Add(2*long)) {
		s.Errorf("slots %+v", sl)
	}
	a = s.change(a, holding())
	if n := len(s.slots("ana")); n != 0 {
		s.Errorf("%d slots after it was given back", n)
	}
	b = s.change(b, holding(ring))
	s.change(b, func(c *engine.Call) { c.State, c.Holds, c.EndedAt, c.Due = engine.Ended, nil, s.now(), time.Time{} })
	s.change(a, holding(ring))
}

func testAllOrNothing(s *suite) {
	s.online("ana", "bruno", "carla")
	a, b := s.insert(s.call("a")), s.insert(s.call("b"))
	ring := func(agent string) engine.Hold { return s.hold(agent, engine.HoldRinging, 1, long) }
	a = s.change(a, holding(ring("bruno")))
	_, err := s.try(b, holding(ring("ana"), ring("bruno"), ring("carla")))
	s.is(err, engine.ErrBusy)
	for _, agent := range []string{"ana", "carla"} {
		if n := len(s.slots(agent)); n != 0 {
			s.Errorf("%s has %d slots taken by a write that was refused", agent, n)
		}
	}
	if !s.agent("ana").OfferedAt.IsZero() {
		s.Error("a refused write counts as an offer")
	}
	// A slot is moved from one agent to another in one step, or stays.
	_, err = s.try(a, holding(s.hold("offline", engine.HoldRinging, 1, long)))
	s.is(err, engine.ErrBusy)
	if len(s.slots("bruno")) != 1 {
		s.Error("a refused write gave a slot back")
	}
	s.change(a, holding(ring("ana"), ring("carla")))
	if len(s.slots("ana")) != 1 || len(s.slots("bruno")) != 0 || len(s.slots("carla")) != 1 {
		s.Error("the slots were not moved")
	}
	// A write that is too late changes no slot either.
	_, err = s.try(a, holding())
	s.is(err, engine.ErrConflict)
	if len(s.slots("ana")) != 1 {
		s.Error("a late write gave a slot back")
	}
}

func testKinds(s *suite) {
	s.online("ana")
	a, b := s.insert(s.call("a")), s.insert(s.call("b"))
	a = s.change(a, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	s.ok(s.SetStatus(s.Context(), "ana", true, "lunch"))
	s.ok(s.Absent(s.Context(), "ana", "browser"))
	for _, kind := range []engine.HoldKind{engine.HoldActive, engine.HoldWrapUp} {
		a = s.change(a, holding(s.hold("ana", kind, 1, long))) // a call keeps its slot even if the agent is gone
		if got := s.slots("ana"); len(got) != 1 || got[a.Key()] != kind {
			s.Errorf("slots %v, want one %s", got, kind)
		}
	}
	if until := s.agent("ana").WrapUpUntil; !near(until, s.now().Add(long)) {
		s.Errorf("wrap-up until %v", until)
	}
	s.online("ana")
	s.ok(s.SetStatus(s.Context(), "ana", false, ""))
	_, err := s.try(b, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	s.is(err, engine.ErrBusy) // wrap-up takes a slot
	s.change(a, holding(s.hold("ana", engine.HoldWrapUp, 1, short)))
	s.clock.Pass(moment)
	s.change(b, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	if !s.agent("ana").WrapUpUntil.IsZero() {
		s.Error("the wrap-up is over")
	}
}

func testSlotExpiry(s *suite) {
	s.online("ana")
	a, b := s.insert(s.call("a")), s.insert(s.call("b"))
	a = s.change(a, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	a = s.change(a, holding(s.hold("ana", engine.HoldRinging, 1, short)))
	s.clock.Pass(moment)
	if n := len(s.slots("ana")); n != 0 {
		s.Errorf("%d slots after the end of the lease", n)
	}
	b = s.change(b, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	// The record of the first still names its hold. Writing it again, or giving it back, harms nobody.
	a = s.change(a, func(c *engine.Call) { c.Name = "changed" })
	a = s.change(a, holding())
	if got := s.slots("ana"); len(got) != 1 || got[b.Key()] == "" {
		s.Errorf("slots %v", got)
	}
	_, err := s.try(a, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	s.is(err, engine.ErrBusy)
}

func testSlotLost(s *suite) {
	s.online("ana")
	a, b := s.insert(s.call("a")), s.insert(s.call("b"))
	a = s.change(a, holding(s.hold("ana", engine.HoldRinging, 1, short)))
	s.clock.Pass(moment)
	b = s.change(b, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	for _, kind := range []engine.HoldKind{engine.HoldRinging, engine.HoldActive} {
		_, err := s.try(a, holding(s.hold("ana", kind, 1, long)))
		s.is(err, engine.ErrBusy) // another call has it now
	}
	b = s.change(b, holding())
	s.ok(s.SetStatus(s.Context(), "ana", true, "lunch"))
	_, err := s.try(a, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	s.is(err, engine.ErrBusy) // ringing again needs an agent who is available
	a = s.change(a, holding(s.hold("ana", engine.HoldActive, 1, short)))
	s.clock.Pass(moment)
	s.ok(s.SetStatus(s.Context(), "ana", false, ""))
	s.change(b, holding(s.hold("ana", engine.HoldRinging, 1, long)))
	a = s.change(a, holding(s.hold("ana", engine.HoldActive, 1, long))) // she talks, whoever else has her by now
	s.change(a, holding(s.hold("ana", engine.HoldWrapUp, 1, long)))     // wrap-up is a fact, and never refused
	if got := s.slots("ana"); len(got) != 2 {
		s.Errorf("slots %v", got)
	}
}

func testCapacity(s *suite) {
	s.online("ana")
	var calls []*engine.Call
	for _, id := range []string{"a", "b", "c"} {
		calls = append(calls, s.insert(s.call(id)))
	}
	ring := func() engine.Hold { return s.hold("ana", engine.HoldRinging, 1, long) }
	two, none := 2, 0
	s.ok(s.SetCapacity(s.Context(), "ana", &two, s.now().Add(long)))
	if got := s.agent("ana"); got.Capacity == nil || *got.Capacity != 2 || !near(got.CapacityUntil, s.now().Add(long)) {
		s.Errorf("capacity %v until %v", got.Capacity, got.CapacityUntil)
	}
	calls[0] = s.change(calls[0], holding(ring()))
	calls[1] = s.change(calls[1], holding(ring()))
	_, err := s.try(calls[2], holding(ring()))
	s.is(err, engine.ErrBusy)

	s.ok(s.SetCapacity(s.Context(), "ana", &none, s.now().Add(long)))
	calls[0] = s.change(calls[0], holding())
	calls[1] = s.change(calls[1], holding())
	_, err = s.try(calls[2], holding(ring()))
	s.is(err, engine.ErrBusy) // nobody rings at an agent without capacity

	s.ok(s.SetCapacity(s.Context(), "ana", nil, time.Time{}))
	if s.agent("ana").Capacity != nil {
		s.Error("the capacity was taken back")
	}
	calls[0] = s.change(calls[0], holding(ring()))
	_, err = s.try(calls[1], holding(ring()))
	s.is(err, engine.ErrBusy) // the rules' capacity counts again

	s.ok(s.SetCapacity(s.Context(), "ana", &two, s.now().Add(short)))
	s.clock.Pass(moment)
	if s.agent("ana").Capacity != nil {
		s.Error("the capacity has ended")
	}
	_, err = s.try(calls[1], holding(ring()))
	s.is(err, engine.ErrBusy)
}
