package engine_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
)

const waitingRules = header + `
rules:
  - {name: wait, then: {handoff: {queue: one, ring: 6s, wait: 17s}}}
default: reject
`

// waitTogether lets calls wait in a queue whose agents are all offline.
func waitTogether(w *world, calls int) {
	for i := range calls {
		w.connect(fmt.Sprint("call ", i), caller)
		pass(time.Millisecond) // each begins to wait at its own instant
	}
	w.want(fmt.Sprint("call ", calls-1), engine.Waiting, "")
}

// TestWaitingCostsTheSameForManyAndFew: calls that wait ask the store for nothing; their queue does, once a second, and
// once for each agent who becomes free.
func TestWaitingCostsTheSameForManyAndFew(t *testing.T) {
	type cost struct{ rest, freed int64 }
	costs := map[int]cost{}
	for _, calls := range []int{2, 300} {
		inSlowWorld(t, waitingRules, func(w *world, s *slowStore) {
			waitTogether(w, calls)
			asked := func() int64 { return s.snapshots.Load() + s.gets.Load() }
			before := asked()
			pass(5 * time.Second)
			rest := asked() - before
			before = asked()
			began := time.Now()
			w.present("ana")
			w.want("call 0", engine.Offered, "")
			if took := time.Since(began); took > 50*time.Millisecond {
				t.Errorf("with %d calls waiting, the phone of an agent who became free rang after %s", calls, took)
			}
			costs[calls] = cost{rest, asked() - before}
			w.want("call 1", engine.Waiting, "")
		})
	}
	t.Logf("requests to the store by calls that wait, in 5 s at rest and until a phone rings: %+v", costs)
	if few, many := costs[2], costs[300]; many.rest > few.rest+2 || many.rest > 8 || many.freed > few.freed+2 {
		t.Errorf("waiting costs %+v with 300 calls, %+v with 2", many, few)
	}
}

// TestCallsThatComeDoNotReadWhoWaits: while all agents are busy, calls that come and go cost the same however many
// wait.
func TestCallsThatComeDoNotReadWhoWaits(t *testing.T) {
	inSlowWorld(t, waitingRules, func(w *world, s *slowStore) {
		waitTogether(w, 30)
		before := s.queues.Load()
		for i := range 40 {
			w.connect(fmt.Sprint("one more ", i), caller)
			pass(50 * time.Millisecond)
		}
		if read := s.queues.Load() - before; read > 4 {
			t.Errorf("who waits was read %d times while 40 calls came in 2 s, want once a second", read)
		}
		w.present("ana")
		w.want("call 0", engine.Offered, "")
	})
}

// TestStoreStallsAndManyWait: while the store does not reply for a moment, one asks for all who wait, and they go on
// waiting. If each asked for itself, the store would be late for all of them from then on.
func TestStoreStallsAndManyWait(t *testing.T) {
	const calls = 300
	inSlowWorld(t, waitingRules, func(w *world, s *slowStore) {
		waitTogether(w, calls)
		s.takes = 250 * time.Millisecond
		s.away.Store(true)
		before := s.snapshots.Load() + s.gets.Load()
		pass(2 * time.Second)
		if asked := s.snapshots.Load() + s.gets.Load() - before; asked < 2 || asked > 8 {
			t.Errorf("the store was asked %d times in 2 s, while it did not reply and %d calls waited", asked, calls)
		}
		s.away.Store(false)
		pass(500 * time.Millisecond)
		w.want(fmt.Sprint("call ", calls-1), engine.Waiting, "")
		w.present("ana")
		w.want("call 0", engine.Offered, "")
	})
}

// TestStoreIsAwayAndManyWait: once the store has been away for long, calls go on without it, a few at first: it may
// come back.
func TestStoreIsAwayAndManyWait(t *testing.T) {
	const calls = 300
	inSlowWorld(t, waitingRules, func(w *world, s *slowStore) {
		waitTogether(w, calls)
		w.store.setAway(true)
		for asked := int64(0); asked < 10; { // by calls that wait
			was := s.gets.Load()
			pass(50 * time.Millisecond)
			asked = s.gets.Load() - was
		}
		w.store.setAway(false)
		pass(time.Second)
		wait := 0
		for i := range calls {
			if w.call(fmt.Sprint("call ", i)).State == engine.Waiting {
				wait++
			}
		}
		if wait < calls-60 || wait == calls {
			t.Errorf("%d of %d calls wait after the store was away; want that 50 went on without it", wait, calls)
		}
	})
}

// TestAgentConcernsOnlyQueuesOfTheirs: an agent who comes and goes makes no other queue look.
func TestAgentConcernsOnlyQueuesOfTheirs(t *testing.T) {
	inSlowWorld(t, waitingRules, func(w *world, s *slowStore) {
		waitTogether(w, 3)
		looks := func(agent string) int64 {
			before := s.snapshots.Load()
			for range 20 {
				w.must(w.store.SetStatus(w.t.Context(), agent, true, "lunch"))
				w.must(w.store.SetStatus(w.t.Context(), agent, false, ""))
				pass(leastTurn)
			}
			return s.snapshots.Load() - before
		}
		defer w.present("carla")()
		synctest.Wait()
		if n := looks("carla"); n > 2 {
			t.Errorf("an agent of no queue made the queue look %d times", n)
		}
		if n := looks("ana"); n < 20 { // she is not connected, so nobody is rung
			t.Errorf("an agent of the queue made it look %d times, want each time", n)
		}
	})
}

// TestQueueSurvivesABug: a look at a queue that panics costs those who wait nothing but a look of their own.
func TestQueueSurvivesABug(t *testing.T) {
	inSlowWorld(t, waitingRules, func(w *world, s *slowStore) {
		waitTogether(w, 3)
		s.panics.Store(1)
		w.present("ana")
		pass(1100 * time.Millisecond)
		w.want("call 0", engine.Offered, "")
		w.want("call 1", engine.Waiting, "")
		if errs := fmt.Sprint(w.observed.errors); errs != "[panic]" {
			t.Errorf("reported: %s, want one panic", errs)
		}
	})
}

// TestEarlierCallOfAnotherInstanceGoesFirst: a free agent is left to a call that waits longer, although that one's
// instance has not rung them yet.
func TestEarlierCallOfAnotherInstanceGoesFirst(t *testing.T) {
	inWorld(t, waitingRules, func(w *world) {
		now := time.Now()
		_, _, err := w.store.Beat(w.t.Context(), "other", 8*time.Second)
		w.must(err)
		_, err = w.store.Insert(w.t.Context(), &engine.Call{
			ID: "elsewhere", State: engine.Waiting, Owner: "other", Number: "main", RulesVersion: w.file.Version(),
			ReceivedAt: now, Timestamp: now, Deadline: now.Add(25 * time.Second), Due: now.Add(30 * time.Second),
			Step:        &engine.Handoff{Queue: "one", Ring: 6 * time.Second, Wait: 17 * time.Second, Joined: now, Since: now},
			Transitions: []engine.Transition{{State: engine.Waiting, At: now}},
		})
		w.must(err)
		pass(time.Second)
		w.present("ana")
		w.connect("a", caller)
		pass(4 * time.Second)
		w.want("a", engine.Waiting, "")
		pass(6 * time.Second) // the other instance is gone: its call is taken over, and goes first
		w.want("a", engine.Waiting, "")
		w.want("elsewhere", engine.Offered, "")
	})
}

// leastTurn is longer than two looks at a queue are apart.
const leastTurn = 25 * time.Millisecond

// TestCallsOfOthersAreNotRead: a sweep leaves alone what waits at an instance that lives, and finds all of it once that
// one is gone.
func TestCallsOfOthersAreNotRead(t *testing.T) {
	const calls = 100
	inWorld(t, waitingRules, func(w *world) {
		waitTogether(w, calls)
		gone := w.call("call 0").Owner
		s := &slowStore{Store: w.store} // it counts
		other := w.engineOn(s)
		w.must(other.Start(w.t.Context()))
		defer func() { w.must(other.Stop(w.t.Context())) }()
		before := s.gets.Load()
		for range 5 {
			w.must(other.Beat(w.t.Context()))
			w.must(other.Sweep(w.t.Context()))
		}
		if n := s.gets.Load() - before; n > 0 {
			t.Errorf("five sweeps read %d records of an instance that lives", n)
		}
		w.stopJobs() // it is gone
		for range 8 {
			pass(time.Second)
			w.must(other.Beat(w.t.Context()))
		}
		w.must(other.Sweep(w.t.Context()))
		for i := range calls {
			if c := w.call(fmt.Sprint("call ", i)); c.Owner == gone {
				t.Fatalf("call %d is left with the instance that is gone", i)
			}
		}
	})
}

// TestManyWaitNobodyIsOvertaken: agents come and go while many calls wait; each call is rung in its turn, and nobody is
// lost.
func TestManyWaitNobodyIsOvertaken(t *testing.T) {
	const calls = 40
	inWorld(t, waitingRules, func(w *world) {
		waitTogether(w, calls)
		leave := w.present("ana")
		for i := range 12 {
			id := fmt.Sprint("call ", i)
			c := w.want(id, engine.Offered, "")
			if next := w.call(fmt.Sprint("call ", i+1)); next.State != engine.Waiting || len(next.Offers) > 0 {
				t.Fatalf("call %d is %s while call %d rings", i+1, next.State, i)
			}
			w.must(w.e.Answer(w.t.Context(), "ana", c.Offers[0].ID, "answer to "+id))
			if i == 5 { // gone for a moment, while others wait
				leave()
				w.must(w.e.HangUp(context.Background(), id, "ana"))
				pass(300 * time.Millisecond)
				w.want("call 6", engine.Waiting, "")
				leave = w.present("ana")
			} else {
				w.must(w.e.HangUp(context.Background(), id, "ana"))
			}
			pass(200 * time.Millisecond)
		}
		leave()
		pass(30 * time.Second)
		for i := range calls {
			if c := w.call(fmt.Sprint("call ", i)); c.Live() {
				t.Errorf("call %d is still %s", i, c.State)
			}
		}
	})
}
