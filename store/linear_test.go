package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"callrouter/engine"
	"callrouter/engine/testrun"
	"callrouter/store/storetest"
)

// The takers fight for these agents, who have these capacities.
var (
	fighting   = []string{"ana", "bruno", "carla", "davi"}
	capacities = []int{1, 2, 1, 3}
)

const takers = 24

// slotInput asks for an agent's slot for a call, or gives it back.
type slotInput struct {
	agent, call int
	give        bool
}

// slotResult is what the store did with a slotInput.
type slotResult string

const (
	done    slotResult = "done"
	refused slotResult = "refused"
	unknown slotResult = "unknown" // no reply came: it may have been done, be done later, or never be done
)

// slotModel is what the slots of one agent must look like from outside: a set of calls, as bits, never larger than the
// capacity, and a refusal only when it is full.
var slotModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, len(capacities))
		for _, op := range history {
			agent := op.Input.(slotInput).agent
			parts[agent] = append(parts[agent], op)
		}
		return parts
	},
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		holders, in := state.(uint64), input.(slotInput)
		call := uint64(1) << in.call
		held, full := holders&call != 0, bits.OnesCount64(holders) >= capacities[in.agent]
		after := holders | call
		possible := !held && !full
		if in.give {
			after, possible = holders&^call, held
		}
		switch {
		case output == refused:
			return !in.give && !held && full, holders
		case possible:
			return true, after
		}
		return output == unknown, holders // what was never done was done at an instant at which it changed nothing
	},
	DescribeOperation: func(input, output any) string {
		in := input.(slotInput)
		if in.give {
			return fmt.Sprintf("call %d gives back: %s", in.call, output)
		}
		return fmt.Sprintf("call %d takes: %s", in.call, output)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%024b", state) },
}

// taker is one call, and all that was done with it.
type taker struct {
	s       engine.Store
	id      int
	c       *engine.Call // as it was last known to be stored
	start   time.Time
	history []porcupine.Operation
	pending []porcupine.Operation // on the revision of c, without a reply: not done, or not yet
	lost    int                   // replies that never came
}

func takerCall(id int) *engine.Call { return newCall(fmt.Sprint("taker ", id)) }

func (k *taker) insert(ctx context.Context) error {
	c := takerCall(k.id)
	for ctx.Err() == nil {
		if _, err := k.s.Insert(ctx, c); err == nil || errors.Is(err, engine.ErrExists) {
			c.Rev = 1
			k.c = c
			return nil
		}
	}
	return ctx.Err()
}

// read finds out what is stored.
func (k *taker) read(ctx context.Context) error {
	for ctx.Err() == nil {
		if c, err := k.s.Get(ctx, k.c.Key()); err == nil {
			k.c = c
			return nil
		} else if errors.Is(err, engine.ErrNotFound) {
			return err
		}
	}
	return ctx.Err()
}

// step takes a slot, or gives back the one that the call has.
func (k *taker) step(ctx context.Context) error {
	next, in := k.c.Clone(), slotInput{call: k.id, give: len(k.c.Holds) > 0}
	if in.give {
		in.agent = slices.Index(fighting, k.c.Holds[0].Agent)
		next.Holds = nil
	} else {
		in.agent = rand.IntN(len(capacities))
		next.Holds = []engine.Hold{{
			Agent: fighting[in.agent], Kind: engine.HoldRinging,
			Capacity: capacities[in.agent], Until: time.Now().Add(time.Hour),
		}}
	}
	op := porcupine.Operation{ClientId: k.id, Input: in, Call: k.now(), Output: done}
	before := k.c.Rev
	got, err := k.s.Update(ctx, k.c, next)
	switch {
	case err == nil:
		k.c, k.pending = got, nil // what is pending is for a revision that is over, and was never done
	case errors.Is(err, engine.ErrBusy):
		op.Output = refused
	case errors.Is(err, engine.ErrConflict): // something pending was done after all
		err := k.read(ctx)
		k.settle(k.now())
		return err
	default:
		k.lost++
		if err := k.read(ctx); err != nil {
			return err
		}
		if k.c.Rev == before || len(k.pending) > 0 {
			op.Output = unknown
			k.pending = append(k.pending, op)
			if k.c.Rev > before { // one of those that are pending was done
				k.settle(k.now())
			}
			return nil
		}
	}
	op.Return = k.now()
	k.history = append(k.history, op)
	return nil
}

func (k *taker) now() int64 { return int64(time.Since(k.start)) }

// settle notes what is pending as something that was done, or not, by an instant.
func (k *taker) settle(by int64) {
	for _, op := range k.pending {
		op.Return = by
		k.history = append(k.history, op)
	}
	k.pending = nil
}

// takeTurns makes each taker do a number of steps, and returns the takers.
func takeTurns(t *testing.T, steps int, stores ...engine.Store) []*taker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all, start := make([]*taker, takers), time.Now()
	var wg sync.WaitGroup
	for i := range all {
		k := &taker{s: stores[i%len(stores)], id: i, start: start}
		all[i] = k
		wg.Go(func() {
			err := k.insert(ctx)
			for range steps {
				if err != nil {
					break
				}
				// Without a wait while a slot is held, a store that checks first and takes later is hardly ever caught.
				if len(k.c.Holds) > 0 {
					<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond)
				}
				err = k.step(ctx)
			}
			if err != nil {
				t.Error(err)
			}
			k.settle(math.MaxInt64)
		})
	}
	wg.Wait()
	return all
}

// judgeHistory fails the test unless the model, in some order of the steps, gives the results of the store.
func judgeHistory(t *testing.T, all []*taker) {
	t.Helper()
	var history []porcupine.Operation
	counts, lost := map[slotResult]int{}, 0
	for _, k := range all {
		history = append(history, k.history...)
		lost += k.lost
		for _, op := range k.history {
			counts[op.Output.(slotResult)]++
		}
	}
	start := time.Now()
	result := porcupine.CheckOperationsTimeout(slotModel, history, time.Minute)
	t.Logf("%d steps: %d done, %d refused, %d replies lost, %d never known; judged %s within %s", len(history),
		counts[done], counts[refused], lost, counts[unknown], result, time.Since(start).Round(time.Millisecond))
	if counts[refused] == 0 {
		t.Error("nothing was refused, so this was no test")
	}
	if result == porcupine.Ok {
		return
	}
	f, err := os.CreateTemp("", "callrouter-slots-*.html") // kept, to be looked at
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, info := porcupine.CheckOperationsVerbose(slotModel, history, time.Minute)
	if err := porcupine.Visualize(slotModel, info, f); err != nil {
		t.Error(err)
	}
	t.Errorf("no order of the steps explains the results (%s): see %s", result, f.Name())
}

func presentAgents(t *testing.T, s engine.Store) {
	t.Helper()
	for _, agent := range fighting {
		if err := s.Present(t.Context(), agent, "browser", time.Hour); err != nil {
			t.Fatal(err)
		}
	}
}

func steps() int { return testrun.Pick(50, 100, 1000) }

// Whatever three instances do at once with the slots of an agent looks as if it was done one after the other.
func TestRedisLinear(t *testing.T) {
	url := storetest.StartRedis(t)
	s := openURL(t, url)
	presentAgents(t, s)
	judgeHistory(t, takeTurns(t, steps(), s, openURL(t, url), openURL(t, url)))
}

// So it does when replies are lost after the step was done. Nothing is done twice, and what the store has in the end is
// what the instances know.
func TestRedisRepliesCut(t *testing.T) {
	server := storetest.NewRedis(t)
	server.OpenGate()
	direct := openURL(t, server.URL)
	presentAgents(t, direct)
	proxy := storetest.NewProxy(t, server.Addr, nil)
	url := strings.Replace(server.URL, server.Addr, proxy.Addr, 1)
	a, b := openURL(t, url), openURL(t, url)
	proxy.Set(storetest.Trouble{Cut: 0.1})
	all := takeTurns(t, steps(), a, b)
	proxy.Set(storetest.Trouble{})
	judgeHistory(t, all)

	lost, holders := 0, map[string][]string{}
	for _, k := range all {
		lost += k.lost
		for _, h := range k.c.Holds {
			holders[h.Agent] = append(holders[h.Agent], k.c.Key())
		}
	}
	if lost == 0 {
		t.Error("no reply was lost, so this was no test")
	}
	for _, agent := range fighting {
		if n := server.Do("ZCARD", "cr1:{callrouter}:slots:"+agent); n != int64(len(holders[agent])) {
			t.Errorf("%s: %v slots are taken, and %d calls hold one", agent, n, len(holders[agent]))
		}
		for _, key := range holders[agent] {
			if n := server.Do("ZSCORE", "cr1:{callrouter}:slots:"+agent, key+" ringing"); n == nil {
				t.Errorf("%s: call %s holds a slot that is not taken", agent, key)
			}
		}
	}
	calls, err := direct.List(t.Context(), engine.Filter{Limit: 1000})
	if err != nil || len(calls) != takers {
		t.Errorf("%d calls are stored, of %d: %v", len(calls), takers, err)
	}
	snap, err := direct.Snapshot(t.Context(), engine.Query{Caller: "+1", Calls: []time.Duration{time.Hour}})
	if err != nil || snap.Calls[time.Hour] != takers {
		t.Errorf("%d calls are counted for their caller, of %d: %v", snap.Calls[time.Hour], takers, err)
	}
}
