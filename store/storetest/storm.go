package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"callrouter/engine"
)

// StormAgents is how many agents a storm has.
const StormAgents = 20

// Judge counts the slots that calls have of each agent of a storm: up after a slot was granted, down before it is given
// back. So it never counts too many, and any count over the capacity is a real one.
//
// It holds no pointers, so the processes of a storm can share it in mapped memory.
type Judge struct {
	held [StormAgents]atomic.Int32
	// Granted and Refused count what the store did with requests for a slot.
	Granted, Refused atomic.Int32
	// Over counts grants after which an agent held more than its capacity, Most is how many were held at once.
	Over, Most atomic.Int32
}

// Took counts a slot that was granted, and reports whether the agent now holds more than its capacity.
func (j *Judge) Took(agent, capacity int) bool {
	j.Granted.Add(1)
	n := j.held[agent].Add(1)
	for m := j.Most.Load(); n > m && !j.Most.CompareAndSwap(m, n); m = j.Most.Load() {
	}
	if int(n) <= capacity {
		return false
	}
	j.Over.Add(1)
	return true
}

// Gives counts a slot that is about to be given back.
func (j *Judge) Gives(agent int) { j.held[agent].Add(-1) }

// saw reports whether the storm has tested anything: all slots of an agent were taken, and calls were refused.
func (j *Judge) saw(capacity int) bool { return int(j.Most.Load()) >= capacity && j.Refused.Load() > 0 }

// Verdict fails the test if an agent ever held more than its capacity, or if the storm was too weak to show it.
func (j *Judge) Verdict(t testing.TB, capacity int) {
	t.Helper()
	t.Logf("capacity %d: %d granted, %d refused, %d over, at most %d at once",
		capacity, j.Granted.Load(), j.Refused.Load(), j.Over.Load(), j.Most.Load())
	if j.Over.Load() > 0 {
		t.Errorf("%d times an agent held more than its capacity of %d, up to %d",
			j.Over.Load(), capacity, j.Most.Load())
	}
	if !j.saw(capacity) {
		t.Errorf("the storm was no test: at most %d of %d slots were held, and %d were refused",
			j.Most.Load(), capacity, j.Refused.Load())
	}
}

// Storm makes many calls fight for the slots of [StormAgents] agents over one or more stores that share their data, and
// fails if any agent ever holds more than its capacity.
func Storm(t *testing.T, capacity int, d time.Duration, clock Clock, stores ...engine.Store) {
	j := new(Judge)
	if err := Prepare(t.Context(), stores[0]); err != nil {
		t.Fatal(err)
	}
	var all errgroup.Group
	for i, s := range stores {
		all.Go(func() error {
			return Join(t.Context(), j, s, clock, fmt.Sprint("store", i), 48/len(stores), capacity, d)
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	j.Verdict(t, capacity)
}

// Prepare connects the agents of a storm.
func Prepare(ctx context.Context, s engine.Store) error {
	for i := range StormAgents {
		if err := s.Present(ctx, stormAgent(i), "browser", long); err != nil {
			return err
		}
	}
	return nil
}

func stormAgent(i int) string { return fmt.Sprint("agent", i) }

// Join takes part in a storm with some workers, each with a call of its own, until it is over. name tells those who
// take part apart.
func Join(
	ctx context.Context, j *Judge, s engine.Store, clock Clock, name string, workers, capacity int, d time.Duration,
) error {
	// On a busy machine it takes longer until all slots of an agent are seen taken at once.
	deadline, latest := time.Now().Add(d), time.Now().Add(d+10*time.Second)
	var all errgroup.Group
	for w := range workers {
		all.Go(func() error {
			c := (&suite{clock: clock}).call(fmt.Sprint("storm ", name, " ", w))
			_, err := s.Insert(ctx, c)
			c.Rev = 1
			for err == nil && (time.Now().Before(deadline) || !j.saw(capacity) && time.Now().Before(latest)) {
				c, err = takeAndGive(ctx, j, s, clock, c, capacity)
			}
			return err
		})
	}
	return all.Wait()
}

// takeAndGive asks once for a slot, and gives it back after a while. The random wait between the two exposes a store
// that checks first and takes later.
func takeAndGive(
	ctx context.Context, j *Judge, s engine.Store, clock Clock, c *engine.Call, capacity int,
) (*engine.Call, error) {
	agent := rand.IntN(StormAgents) * rand.IntN(2) // few agents at a time, so that they are always full
	next := c.Clone()
	next.Holds = []engine.Hold{{
		Agent: stormAgent(agent), Kind: engine.HoldRinging, Capacity: capacity, Until: clock.Now().Add(long),
	}}
	got, err := s.Update(ctx, c, next)
	if errors.Is(err, engine.ErrBusy) {
		j.Refused.Add(1)
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	j.Took(agent, capacity)
	<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond)
	j.Gives(agent)
	back := got.Clone()
	back.Holds = nil
	return s.Update(ctx, got, back)
}
