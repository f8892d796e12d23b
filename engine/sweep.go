package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	sweepBatch = 10_000
	// hangUpFor is how long a hang-up is tried. No call of WhatsApp is as long, so the record is wrong by then, or
	// Positus is.
	hangUpFor = 24 * time.Hour
)

// Sweep looks at every live call that is due. It takes over calls whose instance is gone, ends calls past their answer
// window or longest duration, and retries hang-ups that are not confirmed. It is a job that every instance runs: each
// step is a compare-and-set, so two sweeps at once are harmless.
func (e *Engine) Sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.Timing.Lease)
	defer cancel()
	alive, keys, err := e.toSweep(ctx)
	if err != nil {
		e.sweepWithoutStore()
		return fmt.Errorf("sweep: %w", err)
	}
	e.replica.storeIsBack()
	for _, key := range keys {
		if ctx.Err() != nil || e.ctx.Err() != nil { // an instance that stops leaves calls to others, itself included
			break
		}
		if _, ringing := e.running(key); ringing { // its runner looks after it
			continue
		}
		err := e.sweepCall(ctx, key, alive)
		switch {
		case err == nil, errors.Is(err, ErrNotFound), errors.Is(err, errUnchanged):
		case errors.Is(err, ErrDamaged): // the store has reported it
		case errors.Is(err, ErrBusy), errors.Is(err, ErrGate): // of this call alone
			e.report("store", "cannot sweep a call now; the next sweep retries", err, "call", key)
		default: // a silent store would keep this job from what it does in an outage
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// toSweep returns the calls that a sweep must look at: what is due, what instances left behind that are gone, and what
// this instance owns and does not work on. It also returns who is alive.
func (e *Engine) toSweep(ctx context.Context) (alive, keys []string, err error) {
	if alive, err = e.Store.Alive(ctx); err != nil {
		return nil, nil, err
	}
	owners := alive
	if !slices.Contains(alive, e.instance) || !e.mayTakeOver() { // who is missing may only be late
		owners = nil
	}
	if keys, err = e.Store.Due(ctx, e.Now(), owners, sweepBatch); err != nil {
		return nil, nil, err
	}
	for _, key := range e.replica.unanswered(e.instance) {
		if running, _ := e.running(key); !running && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return alive, keys, nil
}

// Stale returns what the sweep would do now, and why, without doing it.
func (e *Engine) Stale(ctx context.Context) ([]Verdict, error) {
	alive, keys, err := e.toSweep(ctx)
	if err != nil {
		return nil, err
	}
	var vs []Verdict
	for _, key := range keys {
		if _, ringing := e.running(key); ringing {
			continue
		}
		c, err := e.Store.Get(ctx, key)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if v := e.verdict(c, alive); v.Do != "" {
			vs = append(vs, v)
		}
	}
	return vs, nil
}

func (e *Engine) sweepCall(ctx context.Context, key string, alive []string) error {
	c, err := e.Store.Get(ctx, key)
	if err != nil {
		return err
	}
	v := e.verdict(c, alive)
	if v.Do != doNothing && c.Owner != "" && c.Owner != e.instance { // its owner may have started since the sweep began
		if alive, err = e.Store.Alive(ctx); err != nil {
			return err
		}
		v = e.verdict(c, alive)
	}
	switch v.Do {
	case doEnd:
		n, err := e.modify(ctx, key, func(n *Call) error {
			if n.Rev != c.Rev {
				return errUnchanged
			}
			outcome := TimedOut
			if n.HangUp != nil {
				outcome = n.HangUp.Outcome
			}
			n.end(outcome, v.Why, e.Now())
			return nil
		})
		if err == nil {
			if c.HangUp != nil {
				e.report(
					"hang_up",
					"Positus never confirmed a hang-up; the call now counts as ended; check it at Positus",
					errors.New(c.HangUp.Error),
					"call",
					key,
					"attempts",
					c.HangUp.Attempts,
				)
			}
			e.reportEnd(n)
		}
		return err
	case doTakeOver:
		return e.takeOver(ctx, c, v.Why)
	case doHangUp, doAgain:
		e.reap(ctx, c, v.Why)
		return nil
	}
	if c.State == Active && c.Agent != "" && !e.Now().Before(c.Due) {
		return e.noteAgentGone(ctx, c)
	}
	return nil
}

// noteAgentGone records since when the agent of an active call is disconnected.
func (e *Engine) noteAgentGone(ctx context.Context, c *Call) error {
	s, err := e.Store.Snapshot(ctx, Query{Agents: []string{c.Agent}})
	if err != nil {
		return err
	}
	_, err = e.modify(ctx, c.Key(), func(n *Call) error {
		if n.Rev != c.Rev {
			return errUnchanged
		}
		now := e.Now()
		switch {
		case s.Agents[c.Agent].Connected:
			n.AgentGone = time.Time{}
		case n.AgentGone.IsZero():
			n.AgentGone = now
		}
		n.Due = now.Add(e.Timing.AgentLook)
		if end := n.ActiveAt.Add(n.MaxCall); end.Before(n.Due) {
			n.Due = end
		}
		return nil
	})
	return err
}

// PurgeRecords returns the job that deletes records of calls that ended longer than keep ago.
func (e *Engine) PurgeRecords(keep time.Duration) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		n, err := e.Store.Purge(ctx, e.Now().Add(-keep))
		if n > 0 {
			e.log.Info("deleted call records past their retention", "calls", n)
		}
		return err
	}
}
