package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Beat says that this instance lives. It is a job.
func (e *Engine) Beat(ctx context.Context) error {
	if e.left.Load() {
		return nil
	}
	sent := e.uptime()
	epoch, at, err := e.Store.Beat(ctx, e.instance, e.Timing.Lease)
	if err != nil {
		e.storeFailed(e.uptime())
		return err
	}
	away := e.beat.Load() != 0 && e.leaseOver() // the store was away, for the others too, or this process slept
	e.compareClocks(at.Add((e.uptime() - sent) / 2))
	if away {
		e.holdTakeOvers()
	}
	e.beat.Store(int64(sent))
	return e.refreshReplica(ctx, epoch)
}

// compareClocks keeps the clock near the store's, and tells once when the machine's is wrong, or right again.
func (e *Engine) compareClocks(store time.Time) {
	ahead := e.Clock.follow(store)
	wrong := ahead.Abs() > maxSkew
	switch was := e.skewed.Swap(wrong); {
	case wrong && !was:
		e.report("clock", "this machine's clock or the store's is wrong, or was set: opening hours go by this machine's, calls by the "+
			"store's, which goes on as before for as long as calls live; let NTP set both", nil, "ahead", ahead.Round(time.Second).String())
	case was && !wrong:
		e.log.Info("this machine's clock and the store's agree again")
	}
}

// uptime is for how long this process runs.
func (e *Engine) uptime() time.Duration { return time.Since(e.began) }

// sinceBeat is how long ago the store confirmed that this instance lives.
func (e *Engine) sinceBeat() time.Duration { return e.uptime() - time.Duration(e.beat.Load()) }

// leaseOver says whether other instances may by now think that this one is gone.
func (e *Engine) leaseOver() bool { return e.sinceBeat() >= e.Timing.Lease }

// holdTakeOvers takes nobody for dead before all who live had the time to say so.
func (e *Engine) holdTakeOvers() { e.takeOverAt.Store(int64(e.uptime() + e.Timing.Lease*2/3)) }

// mayTakeOver says whether they had.
func (e *Engine) mayTakeOver() bool { return int64(e.uptime()) >= e.takeOverAt.Load() }

// refreshReplica keeps what is known true, and tells the store when its epoch is a new one.
func (e *Engine) refreshReplica(ctx context.Context, epoch string) error {
	all, stale := e.replica.look(e.Now())
	if e.replica.newEpoch(epoch) {
		e.holdTakeOvers()
		return e.reassert(ctx, all)
	}
	for _, c := range stale {
		n, err := e.Store.Get(ctx, c.Key())
		switch {
		case errors.Is(err, ErrNotFound) && c.Live(): // lost since the beat, which did not see it yet
			if err := e.Store.Reassert(ctx, c); err != nil {
				return err
			}
		case errors.Is(err, ErrNotFound):
			e.replica.forget(c.Key())
		case err != nil:
			return err
		default:
			e.replica.note(n, e.Now())
		}
	}
	return nil
}

// reassert tells the store what it has lost.
func (e *Engine) reassert(ctx context.Context, calls []*Call) error {
	e.report("store_lost", "the store may have lost what it was told; what this instance knows is written back", nil, "calls", len(calls))
	// Those that hold slots first: the gate opens after a while.
	slices.SortStableFunc(calls, func(a, b *Call) int { return cmp.Compare(len(b.Holds), len(a.Holds)) })
	var (
		workers errgroup.Group
		failed  atomic.Int32
	)
	workers.SetLimit(reasserters)
	for _, c := range calls {
		workers.Go(func() error {
			err := e.Store.Reassert(ctx, c)
			if err != nil {
				failed.Add(1)
			}
			return err
		})
	}
	if err := workers.Wait(); err != nil { // the next beat begins again
		e.replica.newEpoch("not told yet")
		return fmt.Errorf("writing back what the store lost: %d of %d calls: %w", failed.Load(), len(calls), err)
	}
	return nil
}

// reasserters is how many calls are written back at once: the beat, which does it, must not be late.
const reasserters = 32

func (e *Engine) alive() ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	return e.Store.Alive(ctx)
}
