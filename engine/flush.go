package engine

import (
	"context"
	"fmt"
	"time"
)

// Kept counts the calls that this instance keeps in memory until the store can take their records.
func (e *Engine) Kept() int { return e.replica.size() }

// flushFor is how long one run of the job continues when the store fails.
const flushFor = time.Second

// FlushKept stores the records kept in memory while the store was away. It is a job. One record that cannot be stored
// does not hold up the others.
func (e *Engine) FlushKept(ctx context.Context) error {
	began := e.Now()
	var last error
	failed := 0
	for _, c := range e.replica.allKept() {
		running, _ := e.running(c.Key())
		// A call with a runner goes on in memory, and its record follows it. One that rings has a runner in a moment,
		// or a bug ended its runner: then the store gets it, and the sweep ends it.
		rings := c.Live() && c.State != Active && c.HangUp == nil
		if running || rings && began.Sub(c.Due) < e.Timing.Lease {
			continue
		}
		if err := e.flush(ctx, c); err == nil {
			e.replica.taken(c)
		} else if failed, last = failed+1, err; ctx.Err() != nil || e.Now().Sub(began) > flushFor {
			break
		}
	}
	if last != nil {
		return fmt.Errorf("cannot store %d call records kept in memory; the next run retries: %w", failed, last)
	}
	return nil
}

// flush stores the record of a call that memory no longer works on.
func (e *Engine) flush(ctx context.Context, c *Call) error {
	if err := e.Store.Reassert(ctx, c); err != nil {
		return err
	}
	stored, err := e.Store.Get(ctx, c.Key())
	if err == nil {
		e.replica.forget(c.Key())
		e.note(stored)
	}
	return err
}
