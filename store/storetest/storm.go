package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"callrouter/engine"
)

// Storm lets many calls fight for the slots of 20 agents over one or more stores that share their data, and fails if
// any agent ever holds more than its capacity.
//
// It counts by itself: up after a slot was granted, down before it is given back. So what it counts is never more than
// what is true, and any count over the capacity is a real one. A random wait between the two is what makes a store that
// checks first and takes later fail.
func Storm(t *testing.T, capacity int, d time.Duration, clock Clock, stores ...engine.Store) {
	const agents, workers = 20, 48
	ctx := t.Context()
	var held [agents]atomic.Int32
	var over, granted, refused, most atomic.Int32
	for i := range agents {
		if err := stores[0].Present(ctx, fmt.Sprint("agent", i), "browser", long); err != nil {
			t.Fatal(err)
		}
	}
	start := func(w int) (engine.Store, *engine.Call, error) {
		s := stores[w%len(stores)]
		c := (&suite{T: t, Store: s, clock: clock}).call(fmt.Sprint("storm", w))
		_, err := s.Insert(ctx, c)
		c.Rev = 1
		return s, c, err
	}
	// On a busy machine it takes longer until all slots of an agent are seen taken at once.
	deadline, latest := time.Now().Add(d), time.Now().Add(d+10*time.Second)
	goesOn := func() bool {
		seen := int(most.Load()) >= capacity && refused.Load() > 0
		return time.Now().Before(deadline) || !seen && time.Now().Before(latest)
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			s, c, err := start(w)
			for err == nil && goesOn() {
				// Few agents at a time, so that they are always full.
				agent := rand.IntN(agents) * rand.IntN(2)
				next := c.Clone()
				next.Holds = []engine.Hold{{Agent: fmt.Sprint("agent", agent), Kind: engine.HoldRinging, Capacity: capacity, Until: clock.Now().Add(long)}}
				var got *engine.Call
				if got, err = s.Update(ctx, c, next); errors.Is(err, engine.ErrBusy) {
					refused.Add(1)
					err = nil
					continue
				} else if err != nil {
					break
				}
				granted.Add(1)
				n := held[agent].Add(1)
				if int(n) > capacity {
					over.Add(1)
				}
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond)
				held[agent].Add(-1)
				back := got.Clone()
				back.Holds = nil
				c, err = s.Update(ctx, got, back)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	t.Logf("capacity %d: %d granted, %d refused, %d over, at most %d at once", capacity, granted.Load(), refused.Load(), over.Load(), most.Load())
	if over.Load() > 0 {
		t.Errorf("%d times an agent held more than its capacity of %d, up to %d", over.Load(), capacity, most.Load())
	}
	if int(most.Load()) < capacity || refused.Load() == 0 {
		t.Errorf("the storm was no test: at most %d of %d slots were held, and %d were refused", most.Load(), capacity, refused.Load())
	}
}
