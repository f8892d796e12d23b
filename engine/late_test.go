package engine_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callrouter/engine"
)

// stallingStore is a store whose writes can be held up: whoever asked gives up, and the writes land later, in the order
// in which they came, as on a disk that does not answer for a while.
type stallingStore struct {
	engine.Store
	mu    sync.Mutex
	held  []func()
	stall bool
}

func (s *stallingStore) write(ctx context.Context, do func(ctx context.Context) error) error {
	s.mu.Lock()
	if !s.stall {
		s.mu.Unlock()
		return do(ctx)
	}
	done := make(chan error, 1)
	s.held = append(s.held, func() { done <- do(context.WithoutCancel(ctx)) })
	s.mu.Unlock()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stallingStore) Insert(ctx context.Context, c *engine.Call) (*engine.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, 250*time.Millisecond)
	defer cancel()
	c = c.Clone()
	var existing *engine.Call
	err := s.write(ctx, func(ctx context.Context) (err error) {
		existing, err = s.Store.Insert(ctx, c)
		return err
	})
	return existing, err
}

func (s *stallingStore) Reassert(ctx context.Context, c *engine.Call) error {
	return s.write(ctx, func(ctx context.Context) error { return s.Store.Reassert(ctx, c) })
}

// land lets everything through, and with it what was held up.
func (s *stallingStore) land() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, do := range s.held {
		do()
	}
	s.held, s.stall = nil, false
}

// A store that stalls takes a call late, after it was decided in memory. If the instance dies then, before it could
// write its record, whoever goes on with the call repeats what was decided, and does not decide anew.
func TestDecidedInMemoryWhileTheWriteWasUnderWay(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		slow := &stallingStore{Store: w.store.Store, stall: true}
		w.store.Store = slow
		dies := make(chan struct{})
		w.platform.spoil(
			"accept",
			func() error { <-dies; return &engine.ProviderError{Kind: engine.Unavailable, Unsent: true} },
		)
		w.connect("a", caller) // nobody can tell whether it is a partner, so on_error decides: accept
		w.stopJobs()           // it dies before its next job
		dead := w.e
		w.e = w.newEngine()
		slow.land()
		synctest.Wait()
		w.platform.spoil("accept", nil)
		pass(w.e.Timing.Lease)
		w.start(w.e)
		w.want("a", engine.Active, "", "accept")
		w.terminate("a")
		close(dies)
		if err := dead.Stop(w.t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// The store goes away as Positus takes the accept, and the caller hangs up before the runner has given up on the
// store: the end is not forgotten when the call goes on in memory.
func TestCallerHangsUpWhileTheStoreIsLost(t *testing.T) {
	inWorld(t, closing, func(w *world) {
		w.platform.loseReply("accept", func() error { w.store.setAway(true); return nil })
		w.media.length = time.Hour
		w.connect("a", vip)
		pass(100 * time.Millisecond)
		w.terminate("a")
		pass(3 * time.Second)
		w.store.setAway(false)
		pass(5 * time.Second)
		w.want("a", engine.Ended, engine.Answered, "accept")
	})
}
