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

// Beat renews this instance's lease, follows the store's clock, and writes calls back if the store may have lost data.
// It is a job.
func (e *Engine) Beat(ctx context.Context) error {
	if e.left.Load() {
		return nil
	}
	e.forgetVersions()
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

// compareClocks keeps the engine's clock near the store's. It reports once when the machine's clock is wrong, and once
// when it is right again.
func (e *Engine) compareClocks(store time.Time) {
	ahead := e.Clock.follow(store)
	wrong := ahead.Abs() > maxSkew
	switch was := e.skewed.Swap(wrong); {
	case wrong && !was:
		e.report(
			"clock",
			"the clocks of this machine and the store differ; opening hours follow this machine's clock, calls "+
				"the store's; let NTP set both",
			nil,
			"ahead",
			ahead.Round(time.Second).String(),
		)
	case was && !wrong:
		e.log.Info("the clocks of this machine and the store agree again")
	}
}

// uptime returns how long this process has run, the time in which the machine slept included.
func (e *Engine) uptime() time.Duration { return e.Clock.Uptime() - e.began }

// sinceBeat returns how long ago the store last confirmed that this instance lives.
func (e *Engine) sinceBeat() time.Duration { return e.uptime() - time.Duration(e.beat.Load()) }

// leaseOver reports whether other instances may count this one as gone.
func (e *Engine) leaseOver() bool { return e.sinceBeat() >= e.Timing.Lease }

// holdTakeOvers stops takeovers for two thirds of a lease. After an outage or a loss of data the store lists few
// instances as alive. Every live one beats in that time, so whoever is missing afterwards is gone.
func (e *Engine) holdTakeOvers() { e.takeOverAt.Store(int64(e.uptime() + e.Timing.Lease*2/3)) }

// mayTakeOver reports whether that time is over.
func (e *Engine) mayTakeOver() bool { return int64(e.uptime()) >= e.takeOverAt.Load() }

// refreshReplica reads records again that may have changed, and writes all back if the store has a new epoch.
func (e *Engine) refreshReplica(ctx context.Context, epoch string) error {
	all, stale := e.replica.look(e.Now())
	if e.replica.newEpoch(epoch) {
		e.holdTakeOvers()
		return e.reassert(ctx, all)
	}
	if len(stale) > 0 && e.rereading.CompareAndSwap(false, true) { // not within the beat, which must not be late
		e.background(func(ctx context.Context) {
			defer e.rereading.Store(false)
			if err := e.reread(ctx, stale); err != nil && ctx.Err() == nil {
				e.report("store", "cannot read calls again that may have changed; the next beat retries", err)
			}
		})
	}
	return nil
}

// reread reads the records of calls again, and writes back those that the store has lost.
func (e *Engine) reread(ctx context.Context, calls []*Call) error {
	for _, c := range calls {
		n, err := e.Store.Get(ctx, c.Key())
		switch {
		case errors.Is(err, ErrNotFound) && c.Live(): // lost since the beat, which did not see it yet
			if err := e.Store.Reassert(ctx, c); err != nil {
				return err
			}
		case errors.Is(err, ErrNotFound):
			e.replica.forget(c.Key())
		case errors.Is(err, ErrDamaged): // the store has reported it
		case err != nil:
			return err
		default:
			e.replica.note(n, e.Now())
		}
	}
	return nil
}

// reassert writes calls back to a store that may have lost them.
func (e *Engine) reassert(ctx context.Context, calls []*Call) error {
	e.report("store_lost", fmt.Sprintf("the store may have lost data; rewriting %d calls from memory", len(calls)), nil,
		"calls", len(calls))
	// Those that hold slots first: the gate opens after a while.
	slices.SortStableFunc(calls, func(a, b *Call) int { return cmp.Compare(len(b.Holds), len(a.Holds)) })
	var (
		workers errgroup.Group
		failed  atomic.Int32
	)
	workers.SetLimit(reasserters)
	for _, c := range calls {
		workers.Go(func() error {
			err := ignoring(e.Store.Reassert(ctx, c), ErrDamaged) // the store has reported it; others go on
			if err != nil {
				failed.Add(1)
			}
			return err
		})
	}
	if err := workers.Wait(); err != nil { // the next beat begins again
		e.replica.newEpoch("not told yet")
		return fmt.Errorf("cannot rewrite %d of %d calls that the store may have lost; the next beat retries: %w",
			failed.Load(), len(calls), err)
	}
	return nil
}

// reasserters is how many calls are written back at once; the beat waits for them, and must not be late.
const reasserters = 32

func (e *Engine) alive() ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	return e.Store.Alive(ctx)
}
