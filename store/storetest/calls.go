package storetest

import (
	"context"
	"encoding/json"
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

func testInsert(s *suite) {
	c := s.call("wacid.A+/=")
	c.Trace = []rules.Trace{{
		Rule: "vip", Line: 3, Result: rules.Result("no_match"), Values: map[string]any{"weekday": "mon"}, At: s.now(),
	}}
	c.Facts = []engine.FactRecord{{At: s.now(), Listed: map[string]bool{"vip": false}}}
	existing, err := s.Insert(s.Context(), c)
	s.ok(err)
	if existing != nil {
		s.Error("inserting a new call returned an existing one")
	}
	got := s.get(c.Key())
	if got.Rev != 1 {
		s.Errorf("revision %d, want 1", got.Rev)
	}
	if a, b := asJSON(s, c), asJSON(s, got); a != b {
		s.Errorf("stored\n%s\nread\n%s", a, b)
	}

	again := s.call("wacid.A+/=")
	again.From = "somebody else"
	existing, err = s.Insert(s.Context(), again)
	s.is(err, engine.ErrExists)
	if existing == nil || existing.From != c.From || existing.Rev != 1 {
		s.Errorf("the call that is there: %+v", existing)
	}
	if got := s.get(c.Key()); got.From != c.From {
		s.Error("the second insert changed the call")
	}
	_, err = s.Get(s.Context(), engine.Key("unknown"))
	s.is(err, engine.ErrNotFound)
}

func asJSON(s *suite, c *engine.Call) string {
	doc, err := json.Marshal(c)
	s.ok(err)
	return string(doc)
}

func testInsertOnce(s *suite) {
	var won, there atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			c := s.call("one")
			c.Name = fmt.Sprint(i)
			existing, err := s.Insert(s.Context(), c)
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, engine.ErrExists) && existing != nil:
				there.Add(1)
			default:
				s.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || there.Load() != 49 {
		s.Errorf("%d inserted it and %d found it, want 1 and 49", won.Load(), there.Load())
	}
	if n := s.callsOf("+5511999990000", ""); n != 1 {
		s.Errorf("counted %d times for its caller", n)
	}
}

func (s *suite) callsOf(caller, except string) int {
	s.Helper()
	snap, err := s.Snapshot(s.Context(), engine.Query{
		Caller: caller, Calls: []time.Duration{time.Minute}, Except: except,
	})
	s.ok(err)
	return snap.Calls[time.Minute]
}

func testInsertEnded(s *suite) {
	c := s.call("tombstone")
	c.State, c.Outcome, c.EndedAt, c.Due, c.CallerKey = engine.Ended, engine.Abandoned, s.now(), time.Time{}, ""
	c.Holds = []engine.Hold{s.hold("ana", engine.HoldWrapUp, 1, long)}
	s.insert(c)
	due, err := s.Due(s.Context(), s.now().Add(long), nil, 10)
	s.ok(err)
	if len(due) != 0 {
		s.Errorf("an ended call is due: %v", due)
	}
	list, err := s.List(s.Context(), engine.Filter{State: engine.Ended})
	s.ok(err)
	if len(list) != 1 || list[0].ID != "tombstone" {
		s.Errorf("list of ended calls: %v", list)
	}
	if got := s.slots("ana"); got[c.Key()] != engine.HoldWrapUp {
		s.Errorf("slots %v", got)
	}
}

func testUpdate(s *suite) {
	c := s.insert(s.call("a"))
	next := c.Clone()
	next.State, next.Rule = engine.Deciding, "vip"
	got, err := s.Update(s.Context(), c, next)
	s.ok(err)
	if got.Rev != 2 || got.Rule != "vip" || c.Rev != 1 || c.Rule != "" {
		s.Errorf("returned %d %q; old is now %d %q", got.Rev, got.Rule, c.Rev, c.Rule)
	}
	if stored := s.get(c.Key()); stored.Rev != 2 || stored.Rule != "vip" || stored.State != engine.Deciding {
		s.Errorf("stored %+v", stored)
	}
	// The reply was lost, and the same write comes again.
	_, err = s.Update(s.Context(), c, next)
	s.is(err, engine.ErrConflict)
	if stored := s.get(c.Key()); stored.Rev != 2 {
		s.Errorf("revision %d after a repeated write", stored.Rev)
	}
	_, err = s.Update(s.Context(), s.call("unknown"), s.call("unknown"))
	s.is(err, engine.ErrConflict)
}

func testUpdateRace(s *suite) {
	c := s.insert(s.call("a"))
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				old, err := s.Get(s.Context(), c.Key())
				if err != nil {
					s.Error(err)
					return
				}
				next := old.Clone()
				next.Transitions = append(next.Transitions, engine.Transition{State: engine.Deciding})
				switch _, err = s.Update(s.Context(), old, next); {
				case err == nil:
					done++
				case !errors.Is(err, engine.ErrConflict):
					s.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := s.get(c.Key()); len(got.Transitions) != 1+writers*each || got.Rev != 1+writers*each {
		s.Errorf("%d transitions and revision %d after %d writes", len(got.Transitions), got.Rev, writers*each)
	}
}

func testDue(s *suite) {
	base := s.now()
	dues := map[string]time.Duration{"late": 3 * time.Second, "soon": time.Second, "mid": 2 * time.Second}
	calls := map[string]*engine.Call{}
	for id, d := range dues {
		c := s.call(id)
		c.Due = base.Add(d)
		calls[id] = s.insert(c)
	}
	none := s.call("none")
	none.Due = time.Time{}
	s.insert(none)
	expect := func(t time.Time, limit int, ids ...string) {
		s.Helper()
		got, err := s.Due(s.Context(), t, nil, limit)
		s.ok(err)
		var want []string
		for _, id := range ids {
			want = append(want, engine.Key(id))
		}
		if !slices.Equal(got, want) {
			s.Errorf("due: %v, want %v", got, want)
		}
	}
	expect(base, 10)
	expect(base.Add(2*time.Second), 10, "soon", "mid")
	expect(base.Add(2*time.Second-time.Millisecond), 10, "soon")
	expect(base.Add(long), 10, "soon", "mid", "late")
	expect(base.Add(long), 2, "soon", "mid")
	s.change(calls["soon"], func(c *engine.Call) { c.Due = base.Add(4 * time.Second) })
	expect(base.Add(long), 10, "mid", "late", "soon")
	s.change(calls["mid"], func(c *engine.Call) {
		c.State, c.EndedAt, c.Due = engine.Ended, base, time.Time{}
	})
	expect(base.Add(long), 10, "late", "soon")
	live, err := s.CountLive(s.Context())
	s.ok(err)
	if live != 3 {
		s.Errorf("%d calls are live, want late, soon and none", live)
	}
}

// What an instance that is gone left behind is found at once, whatever its due time, until somebody has taken it over.
func testDueOfTheDead(s *suite) {
	base := s.now()
	owned := func(id, owner string) *engine.Call {
		c := s.call(id)
		c.Owner, c.Due = owner, base.Add(time.Minute)
		return s.insert(c)
	}
	ofOne, ofTwo := owned("a", "one"), owned("b", "two")
	owned("c", "")
	expect := func(what string, alive []string, ids ...string) {
		s.Helper()
		got, err := s.Due(s.Context(), base, alive, 10)
		s.ok(err)
		var want []string
		for _, id := range ids {
			want = append(want, engine.Key(id))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			s.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	expect("nobody is known to be gone", nil)
	expect("both live", []string{"one", "two"})
	expect("one is gone", []string{"two"}, "a")
	expect("both are gone", []string{}, "a", "b")
	ofOne = s.change(ofOne, func(c *engine.Call) { c.Owner = "two" })
	expect("it was taken over", []string{"two"})
	expect("its new owner is gone", []string{"one"}, "a", "b")
	for range 2 { // looking changes nothing
		expect("again", []string{"one"}, "a", "b")
	}
	s.change(ofOne, func(c *engine.Call) { c.State, c.EndedAt, c.Due = engine.Ended, base, time.Time{} })
	s.change(ofTwo, func(c *engine.Call) { c.Owner, c.Due = "", base })
	expect("left, and ended", []string{"one"}, "b")
	expect("nothing else", []string{}, "b")
	owned("d", "two") // it only slept
	expect("the one that was gone is back, and gone again", []string{"one"}, "b", "d")
}

// A call that nobody owns stays due when a write of it is refused.
func testDueRefused(s *suite) {
	left := s.call("left")
	left.Owner, left.Due = "", s.now()
	left = s.insert(left)
	_, err := s.try(left, holding(s.hold("offline", engine.HoldRinging, 1, long)))
	s.is(err, engine.ErrBusy)
	due, err := s.Due(s.Context(), s.now(), nil, 10)
	s.ok(err)
	if !slices.Equal(due, []string{left.Key()}) {
		s.Errorf("due after a write that was refused: %v, want the call", due)
	}
}

// A call is found as its owner's even if the owner had no call when a sweep last looked.
func testDueAgain(s *suite) {
	base := s.now()
	ended, idle := s.call("ended"), s.call("idle")
	ended.State, ended.Outcome, ended.EndedAt, ended.Due = engine.Ended, engine.Failed, base, time.Time{}
	idle.Owner, idle.Due = "two", time.Time{}
	ended, idle = s.insert(ended), s.insert(idle)
	for range 2 { // the second time their owners may be forgotten
		if due, err := s.Due(s.Context(), base, []string{}, 10); err != nil || len(due) != 0 {
			s.Errorf("due: %v, %v; want nothing", due, err)
		}
	}
	s.change(ended, func(c *engine.Call) {
		c.State, c.Outcome, c.EndedAt, c.Due = engine.Active, "", time.Time{}, base.Add(time.Minute)
	})
	s.change(idle, func(c *engine.Call) { c.Due = base.Add(2 * time.Minute) })
	due, err := s.Due(s.Context(), base, []string{}, 10)
	s.ok(err)
	if want := []string{ended.Key(), idle.Key()}; !slices.Equal(due, want) {
		s.Errorf("due once both owners are gone: %v, want %v", due, want)
	}
}

func testList(s *suite) {
	base := s.now()
	for i, id := range []string{"a", "b", "c", "d"} {
		c := s.call(id)
		c.ReceivedAt = base.Add(time.Duration(i) * time.Second)
		if id == "b" || id == "d" {
			c.CallerKey = "+1"
		}
		stored := s.insert(c)
		if id == "c" || id == "d" {
			s.change(stored, func(c *engine.Call) {
				c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, base, time.Time{}
			})
		}
		if id == "b" {
			s.change(stored, func(c *engine.Call) { c.State = engine.Active })
		}
	}
	for _, test := range []struct {
		name string
		f    engine.Filter
		want string
	}{
		{"all", engine.Filter{}, "d c b a"},
		{"limit", engine.Filter{Limit: 2}, "d c"},
		{"state", engine.Filter{State: engine.Active}, "b"},
		{"a state none is in", engine.Filter{State: engine.Waiting}, ""},
		{"ended", engine.Filter{State: engine.Ended, Limit: 1}, "d"},
		{"outcome", engine.Filter{Outcome: engine.Rejected}, "d c"},
		{"an outcome none has", engine.Filter{Outcome: engine.Reaped}, ""},
		{"outcome and caller", engine.Filter{Outcome: engine.Rejected, Caller: "+1"}, "d"},
		{"an outcome that no call of the caller has", engine.Filter{Outcome: engine.Reaped, Caller: "+1"}, ""},
		{"outcome and state", engine.Filter{Outcome: engine.Rejected, State: engine.Ended}, "d c"},
		{"outcome since", engine.Filter{Outcome: engine.Rejected, Since: base.Add(3 * time.Second)}, "d"},
		{"oldest of an outcome", engine.Filter{Outcome: engine.Rejected, Oldest: true}, "c d"},
		{"outcome of calls that go on", engine.Filter{Outcome: engine.Rejected, State: engine.Active}, ""},
		{"ended of a caller", engine.Filter{Caller: "+1", State: engine.Ended}, "d"},
		{"since", engine.Filter{Since: base.Add(2 * time.Second)}, "d c"},
		{"caller", engine.Filter{Caller: "+1"}, "d b"},
		{"caller since", engine.Filter{Caller: "+1", Since: base.Add(2 * time.Second)}, "d"},
		{"caller and state", engine.Filter{Caller: "+1", State: engine.Active}, "b"},
		{"unknown caller", engine.Filter{Caller: "+"}, ""},
		{"oldest", engine.Filter{Oldest: true}, "a b c d"},
		{"oldest, limit", engine.Filter{Oldest: true, Limit: 2}, "a b"},
		{"oldest since", engine.Filter{Oldest: true, Since: base.Add(2 * time.Second)}, "c d"},
		{"oldest of a caller since", engine.Filter{Oldest: true, Caller: "+1", Since: base.Add(2 * time.Second)}, "d"},
		{"oldest of a caller and state", engine.Filter{Oldest: true, Caller: "+1", State: engine.Active}, "b"},
	} {
		calls, err := s.List(s.Context(), test.f)
		s.ok(err)
		var ids []string
		for _, c := range calls {
			ids = append(ids, c.ID)
			if c.Rev == 0 {
				s.Errorf("%s: call %s has no revision", test.name, c.ID)
			}
		}
		if got := strings.Join(ids, " "); got != test.want {
			s.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// A list is longer than what a store reads at once, and most of its records are of one instant.
func testLongList(s *suite) {
	base := s.now()
	for i := range 324 {
		c := s.call(fmt.Sprint("many ", i))
		if i > 20 {
			c.ReceivedAt = base
		}
		s.insert(c)
	}
	calls, err := s.List(s.Context(), engine.Filter{})
	s.ok(err)
	if len(calls) != 100 {
		s.Errorf("%d records without a limit, want 100", len(calls))
	}
	for _, oldest := range []bool{false, true} {
		calls, err := s.List(s.Context(), engine.Filter{Oldest: oldest, Limit: 1000})
		s.ok(err)
		seen := map[string]bool{}
		for _, c := range calls {
			seen[c.ID] = true
		}
		if len(calls) != 324 || len(seen) != 324 {
			s.Errorf("oldest first %t: %d records, %d of them different, want 324", oldest, len(calls), len(seen))
		}
	}
}

// Pages that follow each other are the whole list, in any order and by any index, whatever happens in between.
func testPages(s *suite) {
	base := s.now()
	for i := range 60 {
		c := s.call(fmt.Sprint("page ", i))
		c.ReceivedAt = base.Add(time.Duration(i/7) * time.Second) // several at once
		if i%2 == 0 {
			c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, base, time.Time{}
		}
		s.insert(c)
	}
	for _, f := range []engine.Filter{
		{}, {Oldest: true}, {Outcome: engine.Rejected}, {Outcome: engine.Rejected, Oldest: true},
		{Caller: "+5511999990000"}, {Caller: "+5511999990000", Oldest: true, State: engine.Ended},
		{State: engine.Received}, {Since: base.Add(3 * time.Second)}, {Since: base.Add(3 * time.Second), Oldest: true},
	} {
		f.Limit = 1000
		all, err := s.List(s.Context(), f)
		s.ok(err)
		var want, got []string
		for _, c := range all {
			want = append(want, c.ID)
		}
		for f.Limit = 4; ; {
			page, err := s.List(s.Context(), f)
			s.ok(err)
			for _, c := range page {
				got = append(got, c.ID)
				f.After = c.Cursor()
			}
			if len(page) < f.Limit {
				break
			}
		}
		if len(want) < 20 || !slices.Equal(got, want) {
			s.Errorf("%+v: pages have\n%v\nthe list has\n%v", f, got, want)
		}
	}
	// A cursor holds after its call has gone, and a newer call does not disturb it.
	f := engine.Filter{Outcome: engine.Rejected, Limit: 2}
	page, err := s.List(s.Context(), f)
	s.ok(err)
	rest, err := s.List(s.Context(), engine.Filter{Outcome: engine.Rejected, After: page[1].Cursor()})
	s.ok(err)
	if _, err = s.Purge(s.Context(), base.Add(time.Second)); err != nil {
		s.Fatal(err)
	}
	late := s.call("late")
	late.ReceivedAt = page[1].ReceivedAt.Add(-time.Minute)
	late.State, late.Outcome, late.EndedAt, late.Due = engine.Ended, engine.Rejected, base.Add(long), time.Time{}
	s.insert(late)
	after, err := s.List(s.Context(), engine.Filter{Outcome: engine.Rejected, After: page[1].Cursor()})
	s.ok(err)
	if len(rest) != 28 || len(after) != 1 || after[0].ID != "late" {
		s.Errorf("%d calls behind the cursor, and %d after a purge and a new call; want 28 and the new one",
			len(rest), len(after))
	}
}

func testPurge(s *suite) {
	base := s.now()
	const old = 230
	for i := range old + 2 {
		c := s.call(fmt.Sprint(i))
		if i < old {
			c.State, c.Outcome, c.Due = engine.Ended, engine.Rejected, time.Time{}
			c.EndedAt = base.Add(-time.Hour - time.Duration(i)*time.Second)
		}
		if i == old {
			c.State, c.Outcome, c.EndedAt, c.Due = engine.Ended, engine.Rejected, base.Add(-time.Minute), time.Time{}
		}
		c.ReceivedAt = base.Add(-2 * time.Hour)
		s.insert(c)
	}
	n, err := s.Purge(s.Context(), base.Add(-30*time.Minute))
	s.ok(err)
	if n != old {
		s.Errorf("%d forgotten, want %d", n, old)
	}
	calls, err := s.List(s.Context(), engine.Filter{Limit: 1000})
	s.ok(err)
	if len(calls) != 2 {
		s.Errorf("%d records are left, want the younger and the live one", len(calls))
	}
	_, err = s.Get(s.Context(), engine.Key("0"))
	s.is(err, engine.ErrNotFound)
	snap, err := s.Snapshot(s.Context(), engine.Query{Caller: "+5511999990000", Calls: []time.Duration{3 * time.Hour}})
	s.ok(err)
	if snap.Calls[3*time.Hour] != 2 {
		s.Errorf("the caller has %d calls after the purge, want 2", snap.Calls[3*time.Hour])
	}
	if n, err = s.Purge(s.Context(), base.Add(-30*time.Minute)); err != nil || n != 0 {
		s.Errorf("a second purge: %d, %v", n, err)
	}
}

func testContext(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	if _, err := s.Insert(ctx, s.call("a")); !errors.Is(err, context.Canceled) {
		s.Errorf("insert: %v", err)
	}
	if _, err := s.Get(ctx, engine.Key("a")); !errors.Is(err, context.Canceled) {
		s.Errorf("get: %v", err)
	}
	s.ok(s.Ping(s.Context()))
}
