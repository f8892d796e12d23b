package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// slowStore is a store that takes its time to fail, or to read what is set at run time.
type slowStore struct {
	engine.Store
	away      atomic.Bool
	takes     time.Duration // until a request fails
	snapshots atomic.Int64
	queues    atomic.Int64 // snapshots that read who waits
	gets      atomic.Int64
	reads     atomic.Int64
	panics    atomic.Int64                  // the snapshot that panics, counted down
	before    atomic.Pointer[func(n int64)] // called within each read of the switches, by its number
}

func (s *slowStore) fail() error {
	if !s.away.Load() {
		return nil
	}
	pass(s.takes)
	return errAway
}

func (s *slowStore) Insert(ctx context.Context, c *engine.Call) (*engine.Call, error) {
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Store.Insert(ctx, c)
}

func (s *slowStore) Snapshot(ctx context.Context, q engine.Query) (engine.Snapshot, error) {
	s.snapshots.Add(1)
	if len(q.Queues) > 0 {
		s.queues.Add(1)
	}
	if s.panics.Add(-1) == 0 {
		panic("planted")
	}
	if err := s.fail(); err != nil {
		return engine.Snapshot{}, err
	}
	return s.Store.Snapshot(ctx, q)
}

func (s *slowStore) Get(ctx context.Context, key string) (*engine.Call, error) {
	s.gets.Add(1)
	if err := s.fail(); err != nil {
		return nil, err
	}
	return s.Store.Get(ctx, key)
}

func (s *slowStore) Reassert(ctx context.Context, c *engine.Call) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.Store.Reassert(ctx, c)
}

func (s *slowStore) Switches(ctx context.Context) (map[string]rules.Switch, error) {
	n := s.reads.Add(1)
	all, err := s.Store.Switches(ctx)
	if before := s.before.Load(); before != nil {
		(*before)(n)
	}
	return all, err
}

// inSlowWorld runs a scenario on a slow store, which is not slow yet.
func inSlowWorld(t *testing.T, text string, scenario func(w *world, s *slowStore)) {
	t.Helper()
	inWorld(t, text, func(w *world) {
		s := &slowStore{Store: w.store, takes: 250 * time.Millisecond}
		stop := w.e.Stop
		w.e = w.engineOn(s)
		w.stopJobs()
		w.must(stop(context.Background()))
		w.start(w.e)
		scenario(w, s)
	})
}

// TestOutageCostsOnceNotWithEachCall: calls whose on_error is rejected with a text that needs the store do not wait for
// it one after the other.
func TestOutageCostsOnceNotWithEachCall(t *testing.T) {
	const text = header + `
rules:
  - {name: partners, when: 'listed("partners")', then: reject}
default: reject
on_error: {reject: {message: often}}
`
	withMessage := strings.Replace(
		text,
		"messages:\n",
		"messages:\n  often: {text: \"You called ${calls('1h')} times.\"}\n",
		1,
	)
	inSlowWorld(t, withMessage, func(w *world, s *slowStore) {
		const calls = 60
		s.away.Store(true)
		w.connect("first", caller) // waits the outage out, for all others
		began := time.Now()
		for i := range calls {
			w.platform.ring(fmt.Sprint(i))
			go func() {
				_ = w.e.Receive(context.Background(), []engine.Event{{Connect: &engine.Connect{
					CallID: fmt.Sprint(i), From: caller, To: "551122361741", SDP: "offer",
				}}})
			}()
		}
		rejected := func() (n int) {
			for i := range calls {
				n += len(w.platform.actions(fmt.Sprint(i)))
			}
			return n
		}
		for rejected() < calls && time.Since(began) < time.Minute {
			pass(50 * time.Millisecond)
		}
		if took := time.Since(began); rejected() != calls || took > 2*time.Second {
			t.Errorf("%d of %d calls were rejected after %s, want all within 2 s", rejected(), calls, took)
		}
		if n := s.snapshots.Load(); n != 0 {
			t.Errorf("the store was asked for facts %d times by calls that go on without it", n)
		}
		s.away.Store(false)
		pass(time.Minute)
	})
}

// TestManyWakesFewReads: a thousand changes cause few reads, and whoever made a change waits for a read that began
// later, so a call never goes by a switch that was taken back.
func TestManyWakesFewReads(t *testing.T) {
	const text = header + "rules:\n  - {name: closed, when: 'not open(\"office\")', then: reject}\ndefault: {accept: greeting}\n"
	inSlowWorld(t, text, func(w *world, s *slowStore) {
		ctx := w.t.Context()
		w.must(w.store.SetSwitch(ctx, "office", rules.Switch{Until: time.Now().Add(time.Hour)}))
		slow := s.reads.Load() + 1
		before := func(n int64) {
			if n == slow { // it has read the switch, and is late
				pass(900 * time.Millisecond)
			}
		}
		s.before.Store(&before)
		late := make(chan error, 1)
		go func() { late <- w.e.RefreshOverrides(context.Background()) }()
		pass(100 * time.Millisecond)
		w.must(w.store.ClearSwitch(ctx, "office"))
		first := s.reads.Load()
		for range 1_000 {
			w.must(w.store.Wake(ctx, engine.TopicOverrides))
		}
		w.must(w.e.RefreshOverrides(ctx))
		w.connect("a", caller)
		w.want("a", engine.Active, "", "accept")
		w.must(<-late)
		if n := s.reads.Load() - first; n > 3 {
			t.Errorf("a thousand wakes caused %d reads", n)
		}
		w.connect("b", caller)
		w.want("b", engine.Active, "", "accept")
	})
}

// TestSweepStopsAtASilentStore: it asks a store that does not reply for one call, not for each.
func TestSweepStopsAtASilentStore(t *testing.T) {
	inSlowWorld(t, header+"default: {accept: bot}\n", func(w *world, s *slowStore) {
		for i := range 20 {
			w.connect(fmt.Sprint(i), caller)
			w.want(fmt.Sprint(i), engine.Active, "", "accept")
		}
		w.stopJobs()
		pass(11 * time.Minute) // all are longer than max_call
		s.away.Store(true)
		before := s.gets.Load()
		if err := w.e.Sweep(context.Background()); !errors.Is(err, errAway) {
			t.Errorf("the sweep says %v, want that the store is away", err)
		}
		if n := s.gets.Load() - before; n != 1 {
			t.Errorf("a silent store was asked for %d of 20 calls", n)
		}
		s.away.Store(false)
	})
}

// TestTwoWindowsOfOneAgent: of two windows that answer the same offer, the second hears that the call is taken.
func TestTwoWindowsOfOneAgent(t *testing.T) {
	inWorld(t, header+"rules:\n  - {name: one, then: {handoff: one}}\ndefault: reject\n", func(w *world) {
		w.present("ana")
		w.connect("a", caller)
		o := w.offer("ana")
		w.must(w.e.Answer(w.t.Context(), "ana", o.ID, "answer of the first window"))
		if err := w.e.Answer(w.t.Context(), "ana", o.ID, "answer of the second"); !errors.Is(err, engine.ErrTaken) {
			t.Errorf("the second window gets %v, want %v", err, engine.ErrTaken)
		}
	})
}

// TestBugInMemoryLeavesNoRecord: the record of a call whose work ended with a bug while the store was away is stored
// once it is back, and the call ended.
func TestBugInMemoryLeavesNoRecord(t *testing.T) {
	inWorld(t, header+"default: reject\n", func(w *world) {
		w.store.setAway(true)
		w.platform.spoil("reject", func() error { panic("a bug") })
		w.connect("a", caller)
		pass(3 * time.Second)
		w.store.setAway(false)
		w.platform.spoil("reject", nil)
		pass(time.Minute)
		if n := w.e.Kept(); n != 0 {
			t.Errorf("%d records are still in memory", n)
		}
		if c := w.call("a"); c.Live() {
			t.Errorf("the call is %s", c.State)
		}
	})
}

// lossyStore is a store that may lose data, and has a damaged record.
type lossyStore struct {
	engine.Store
	lost    atomic.Int64
	damaged atomic.Pointer[string]
}

func (s *lossyStore) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	_, at, err := s.Store.Beat(ctx, instance, lease)
	return fmt.Sprint(s.lost.Load()), at, err
}

func (s *lossyStore) Reassert(ctx context.Context, c *engine.Call) error {
	if damaged := s.damaged.Load(); damaged != nil && *damaged == c.Key() {
		return engine.ErrDamaged
	}
	return s.Store.Reassert(ctx, c)
}

// A store that lost data has a damaged record as well. Writing back ends all the same, once: otherwise each beat began
// anew, and no call would ever be taken over again.
func TestWritesBackBesideADamagedRecord(t *testing.T) {
	inWorld(t, waitingRules, func(w *world) {
		w.stopJobs()
		w.must(w.e.Stop(w.t.Context()))
		s := &lossyStore{Store: w.store}
		w.e = w.engineOn(s)
		w.start(w.e)
		w.connect("a", caller)
		key := engine.Key("a")
		w.must(w.e.Beat(w.t.Context()))
		s.damaged.Store(&key)
		s.lost.Add(1)
		for range 2 {
			if err := w.e.Beat(w.t.Context()); err != nil {
				w.t.Errorf("a beat after the loss: %v", err)
			}
		}
	})
}
