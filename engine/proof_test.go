package engine_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"callrouter/engine"
	"callrouter/rules"
	"callrouter/store/storetest"
)

// sweepEvery is the interval of the sweep and of the other jobs of a proof, as in the job table.
const sweepEvery = 2 * time.Second

// proof is an engine on a [storetest.Memory] in the time of a synctest bubble. Unlike [world] it can be made many
// times a second.
type proof struct {
	store *storetest.Memory
	media *audio
	told  *tally
	e     *engine.Engine
	leave []func()
	stop  func() // done at the end of the test, too
}

// checker is what a test and a case of rapid have in common.
type checker interface {
	Helper()
	Error(args ...any)
	Fatal(args ...any)
	Cleanup(f func())
}

// newProof runs an engine with its jobs until the test, or the case, ends. What it leaves behind in the bubble then
// fails the bubble.
func newProof(t checker, file *rules.File, provider engine.Provider) *proof {
	t.Helper()
	return newProofOn(t, storetest.NewMemory(time.Now), file, provider)
}

// newProofOn is newProof with a store that others had before.
func newProofOn(t checker, store *storetest.Memory, file *rules.File, provider engine.Provider) *proof {
	t.Helper()
	p := &proof{
		store: store, media: &audio{length: 3 * time.Second},
		told: &tally{ended: map[string]int{}, errors: map[string]int{}},
	}
	p.e = engine.New(engine.Config{
		Store: p.store, Provider: provider, Media: p.media, Answerer: p, Rules: file,
		Log: slog.New(slog.DiscardHandler), Observer: p.told,
	})
	if err := p.e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, stopJobs := context.WithCancel(context.Background())
	var jobs sync.WaitGroup
	jobs.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, job := range []func(context.Context) error{p.e.Beat, p.e.RefreshOverrides, p.e.FlushKept, p.e.Sweep} {
					_ = job(ctx) // the next tick tries again, as the scheduler does
				}
			case <-ctx.Done():
				return
			}
		}
	})
	p.stop = sync.OnceFunc(func() {
		for _, leave := range p.leave {
			leave()
		}
		stopJobs()
		jobs.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := p.e.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// Answer is an outside answerer that always answers at once, and remembers nothing.
func (p *proof) Answer(_ context.Context, _ string, r engine.AnswerRequest) (string, error) {
	return "answer to " + r.CallID, nil
}

func (p *proof) connect(id, from, payload string) error {
	return p.e.Receive(context.Background(), []engine.Event{{Connect: &engine.Connect{
		CallID: id, From: from, UserID: "user of " + id, To: "551122361741", Payload: payload, SDP: "offer of " + id,
	}}})
}

func (p *proof) terminate(id string, pickedUp bool) error {
	return p.e.Receive(context.Background(), []engine.Event{{Terminate: &engine.Terminate{
		CallID: id, From: caller, To: "551122361741", Status: "COMPLETED", PickedUp: pickedUp,
	}}})
}

// agent is somebody at a screen until the returned function is called: work is given every offer once.
func (p *proof) agent(name string, work func(o engine.OfferedCall)) (leave func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	wake, done := p.e.Subscribe(engine.TopicAgent(name))
	if err := p.e.Present(ctx, name, "tab of "+name); err != nil {
		done()
		cancel()
		return nil, fmt.Errorf("%s cannot come: %w", name, err)
	}
	go func() {
		defer done()
		seen := map[string]bool{}
		for {
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
			v, err := p.e.View(ctx, name)
			if err != nil {
				continue // the end of the shift
			}
			for _, o := range v.Offers {
				if !seen[o.Offer.ID] {
					seen[o.Offer.ID] = true
					go work(o)
				}
			}
		}
	}()
	p.leave = append(p.leave, cancel)
	return cancel, nil
}

// tally counts what the engine tells, by call and by kind.
type tally struct {
	mu     sync.Mutex
	ended  map[string]int // by call's id
	errors map[string]int // by kind
	onEnd  func(c *engine.Call)
}

func (t *tally) Decided(*engine.Call, time.Duration) {}
func (t *tally) Acted(*engine.Call, time.Duration)   {}

func (t *tally) Ended(c *engine.Call) {
	if t.onEnd != nil {
		t.onEnd(c)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended[c.ID]++
}

func (t *tally) Error(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errors[kind]++
}

// ends counts how often the end of each call was told, by the call's id.
func (t *tally) ends() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.ended)
}

func (t *tally) count(kind string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.errors[kind]
}
