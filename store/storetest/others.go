package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

func testSwitches(s *suite) {
	ctx := s.Context()
	s.ok(s.SetSwitch(ctx, "office", rules.Switch{Open: false, Until: s.now().Add(long), Reason: "flood"}))
	s.ok(s.SetSwitch(ctx, "night", rules.Switch{Open: true, Until: s.now().Add(long)}))
	all, err := s.Switches(ctx)
	s.ok(err)
	sw := all["office"]
	if len(all) != 2 || sw.Open || sw.Reason != "flood" || !all["night"].Open ||
		s.clock.Manual && !sw.Until.Equal(s.now().Add(long)) {
		s.Errorf("%+v", all)
	}
	s.ok(s.SetSwitch(ctx, "office", rules.Switch{Open: true, Until: s.now().Add(short)}))
	s.ok(s.ClearSwitch(ctx, "night"))
	s.ok(s.ClearSwitch(ctx, "night"))
	s.clock.Pass(moment)
	if all, err = s.Switches(ctx); err != nil || len(all) != 0 {
		s.Errorf("%+v, %v", all, err)
	}
}

func testEntries(s *suite) {
	ctx := s.Context()
	put := func(list, key, note string, until time.Time) {
		s.Helper()
		s.ok(s.PutEntry(ctx, list, rules.Entry{Key: key, Note: note, Until: until}))
	}
	listed := func(caller string) string {
		s.Helper()
		snap, err := s.Snapshot(ctx, engine.Query{Lists: []string{"vip", "vip2", "none"}, Caller: caller})
		s.ok(err)
		return fmt.Sprint(snap.Listed["vip"], snap.Listed["vip2"], snap.Listed["none"])
	}
	put("vip", "+1", "first", time.Time{})
	put("vip", "+2", "", s.now().Add(long))
	put("vip2", "+2", "", time.Time{})
	a, b, c := listed("+1"), listed("+2"), listed("")
	if a != "true false false" || b != "true true false" || c != "false false false" {
		s.Errorf("listed: %s; %s; %s", a, b, c)
	}
	put("vip", "+1", "second", time.Time{})
	entries, err := s.Entries(ctx, "vip")
	s.ok(err)
	slices.SortFunc(entries, func(a, b rules.Entry) int { return len(a.Note) - len(b.Note) })
	if len(entries) != 2 || entries[1].Key != "+1" || entries[1].Note != "second" || entries[0].Key != "+2" {
		s.Errorf("%+v", entries)
	}
	put("vip", "+2", "", s.now().Add(short))
	s.clock.Pass(moment)
	if got := listed("+2"); got != "false true false" {
		s.Errorf("an entry past its end counts: %s", got)
	}
	for other, want := range map[string]bool{"+1": true, "+2": false, "+3": false, "": false} {
		snap, err := s.Snapshot(ctx, engine.Query{Lists: []string{"vip"}, Caller: "+3", Other: other})
		s.ok(err)
		if snap.Listed["vip"] != want {
			s.Errorf("listed by the other key %q: %v", other, snap.Listed["vip"])
		}
	}
	all, err := s.AllEntries(ctx, []string{"vip", "vip2", "none"})
	s.ok(err)
	if len(all["vip"]) != 1 || len(all["vip2"]) != 1 || len(all["none"]) != 0 {
		s.Errorf("%+v", all)
	}
	s.ok(s.DeleteEntry(ctx, "vip", "+1"))
	s.is(s.DeleteEntry(ctx, "vip", "+1"), engine.ErrNotFound)
	s.is(s.DeleteEntry(ctx, "none", "+1"), engine.ErrNotFound)
	if got := listed("+1"); got != "false false false" {
		s.Errorf("a deleted entry counts: %s", got)
	}
	// What ended long ago is forgotten with the calls of that time; what did not, stays.
	_, err = s.Purge(ctx, s.now().Add(long))
	s.ok(err)
	s.is(s.DeleteEntry(ctx, "vip", "+2"), engine.ErrNotFound)
	s.ok(s.DeleteEntry(ctx, "vip2", "+2"))
}

func testOnce(s *suite) {
	ctx := s.Context()
	var first atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			ok, err := s.Once(ctx, "closed:+1", long)
			if err != nil {
				s.Error(err)
			}
			if ok {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if first.Load() != 1 {
		s.Errorf("%d were the first", first.Load())
	}
	if ok, err := s.Once(ctx, "closed:+2", short); err != nil || !ok {
		s.Errorf("another key: %v, %v", ok, err)
	}
	s.clock.Pass(moment)
	if ok, err := s.Once(ctx, "closed:+2", short); err != nil || !ok {
		s.Errorf("after the duration: %v, %v", ok, err)
	}
	_, err := s.Purge(ctx, s.now())
	s.ok(err)
	if ok, err := s.Once(ctx, "closed:+1", long); err != nil || ok {
		s.Errorf("a purge must not forget what still counts: %v, %v", ok, err)
	}
}

func testInstances(s *suite) {
	ctx := s.Context()
	alive := func(want ...string) {
		s.Helper()
		got, err := s.Alive(ctx)
		s.ok(err)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			s.Errorf("alive: %v, want %v", got, want)
		}
	}
	alive()
	for _, i := range []string{"a", "b", "c"} {
		s.beat(i, long)
	}
	alive("a", "b", "c")
	s.ok(s.Leave(ctx, "b"))
	s.ok(s.Leave(ctx, "b"))
	s.beat("c", short)
	s.clock.Pass(moment)
	alive("a")
	if a, b := s.beat("c", long), s.beat("a", long); a == "" || a != b {
		s.Errorf("epochs %q and %q, although nothing was lost", a, b)
	}
	alive("a", "c")
}

// beat is an instance's sign of life.
func (s *suite) beat(instance string, lease time.Duration) (epoch string) {
	s.Helper()
	before := s.now()
	epoch, at, err := s.Beat(s.Context(), instance, lease)
	s.ok(err)
	if late := at.Sub(before); late < -time.Second || late > time.Minute {
		s.Errorf("the store's clock is %s ahead", late)
	}
	return epoch
}

// woken listens to a store, and checks that an action wakes just these topics.
func (s *suite) woken(action func(), want ...string) {
	s.Helper()
	var mu sync.Mutex
	seen := map[string]bool{}
	s.OnWake(func(topic string) { mu.Lock(); seen[topic] = true; mu.Unlock() })
	has := func(topic string) bool { mu.Lock(); defer mu.Unlock(); return seen[topic] }
	s.fence(has) // what was woken before is out of the way
	mu.Lock()
	clear(seen)
	mu.Unlock()
	action()
	s.fence(has)
	mu.Lock()
	defer mu.Unlock()
	for _, topic := range want {
		if !seen[topic] {
			s.Errorf("%s was not woken; woken: %v", topic, seen)
		}
	}
	for topic := range seen {
		if !slices.Contains(want, topic) && !strings.HasPrefix(topic, "fence ") {
			s.Errorf("%s was woken; want only %v", topic, want)
		}
	}
}

// fence wakes a topic of its own until it arrives: wakes arrive in order, so all before it have arrived too.
func (s *suite) fence(has func(string) bool) {
	s.Helper()
	topic := "fence " + rand.Text()
	Eventually(s, "a wake arrives", func() bool {
		if has(topic) {
			return true
		}
		s.ok(s.Wake(s.Context(), topic))
		return false
	})
}

func testCallWakes(s *suite) {
	s.online("ana", "bruno")
	a := s.call("a")
	call, ana, bruno := engine.TopicCall(a.Key()), engine.TopicAgent("ana"), engine.TopicAgent("bruno")
	a = s.insert(a)
	s.woken(func() { a = s.change(a, func(c *engine.Call) { c.State = engine.Deciding }) }, call)
	s.woken(func() {
		a = s.change(a, func(c *engine.Call) {
			c.State = engine.Offered
			c.Offers = []engine.Offer{{ID: "1", Agent: "ana"}, {ID: "2", Agent: "bruno"}}
			c.Holds = []engine.Hold{
				s.hold("ana", engine.HoldRinging, 1, long), s.hold("bruno", engine.HoldRinging, 1, long),
			}
		})
	}, call, ana, bruno)
	s.woken(func() {
		a = s.change(a, func(c *engine.Call) {
			c.State, c.Agent = engine.Accepting, "ana"
			c.Offers[0].Result, c.Offers[1].Result = engine.OfferAnswered, engine.OfferTaken
			c.Holds = c.Holds[:1]
		})
	}, call, ana, bruno, engine.TopicSlots("bruno"))
	s.woken(func() { a = s.change(a, func(c *engine.Call) { c.State = engine.Active }) }, call, ana)
	s.woken(func() {
		a = s.change(a, func(c *engine.Call) {
			c.State, c.EndedAt, c.Due = engine.Ended, s.now(), time.Time{}
			c.Holds = []engine.Hold{s.hold("ana", engine.HoldWrapUp, 1, long)}
		})
	}, call, ana, engine.TopicSlots("ana"))
	// Nothing happened, so nobody is woken.
	s.woken(func() {
		if _, err := s.try(s.call("unknown"), func(*engine.Call) {}); !errors.Is(err, engine.ErrConflict) {
			s.Error(err)
		}
		b := s.insert(s.call("b"))
		if _, err := s.try(b, holding(s.hold("ana", engine.HoldRinging, 1, long))); !errors.Is(err, engine.ErrBusy) {
			s.Error(err)
		}
	})
}

func testAgentWakes(s *suite) {
	ctx, ana, slots := s.Context(), engine.TopicAgent("ana"), engine.TopicSlots("ana")
	s.woken(func() { s.ok(s.Present(ctx, "ana", "one", long)) }, ana, slots)
	s.woken(func() { s.ok(s.Present(ctx, "ana", "one", long)) })
	s.woken(func() { s.ok(s.Present(ctx, "ana", "two", long)) })
	s.woken(func() { s.ok(s.SetStatus(ctx, "ana", true, "lunch")) }, ana)
	s.woken(func() { s.ok(s.SetStatus(ctx, "ana", false, "")) }, ana, slots)
	s.woken(func() {
		_, err := s.Missed(ctx, "ana", "1", 2, "missed")
		s.ok(err)
	})
	s.woken(func() {
		_, err := s.Missed(ctx, "ana", "2", 2, "missed")
		s.ok(err)
	}, ana)
	one := 1
	s.woken(func() { s.ok(s.SetCapacity(ctx, "ana", &one, s.now().Add(long))) }, ana, slots)
	s.woken(func() { s.ok(s.Absent(ctx, "ana", "one")) })
	s.woken(func() { s.ok(s.Absent(ctx, "ana", "two")) }, ana)
	s.woken(func() { s.ok(s.SetToken(ctx, "ana", "hash")) }, ana)
}

func testOtherWakes(s *suite) {
	ctx := s.Context()
	s.woken(func() { s.ok(s.Wake(ctx, "anything")) }, "anything")
	s.woken(func() { s.ok(s.SetSwitch(ctx, "office", rules.Switch{Until: s.now().Add(long)})) }, engine.TopicOverrides)
	s.woken(func() { s.ok(s.ClearSwitch(ctx, "office")) }, engine.TopicOverrides)
	s.woken(func() { s.ok(s.PutEntry(ctx, "vip", rules.Entry{Key: "+1"})) }, engine.TopicOverrides)
	s.woken(func() { s.ok(s.DeleteEntry(ctx, "vip", "+1")) }, engine.TopicOverrides)
	s.woken(func() { s.is(s.DeleteEntry(ctx, "vip", "+1"), engine.ErrNotFound) })
}
