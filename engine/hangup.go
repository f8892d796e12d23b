package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotActive: only an active call can be hung up.
var ErrNotActive = errors.New("the call is not active, so there is nothing to hang up")

// HangUp ends an active call and writes by into the record. It returns once Positus took the hang-up.
//
// Errors: ErrNotFound, ErrNotActive, a [*ProviderError] (the sweep then retries), or the store's.
func (e *Engine) HangUp(ctx context.Context, callID, by string) error {
	_, err := e.hangUp(ctx, Key(callID), HangUp{Why: "hung up by " + by, Outcome: Answered, By: BySupervisor})
	return err
}

// HangUpOwn is HangUp for an agent's own call; it returns ErrNotFound for another's. The reason, which may be empty, is
// noted in the record.
func (e *Engine) HangUpOwn(ctx context.Context, agent, callID, reason string) error {
	if _, err := e.own(ctx, agent, callID); err != nil {
		return err
	}
	why := "hung up by agent " + agent
	if reason != "" {
		why += " (" + reason + ")"
	}
	_, err := e.hangUp(ctx, Key(callID), HangUp{Why: why, Outcome: Answered, By: ByAgent})
	return err
}

// own reads a call that an agent picked up, or returns ErrNotFound.
func (e *Engine) own(ctx context.Context, agent, callID string) (*Call, error) {
	c, err := e.Store.Get(ctx, Key(callID))
	if err == nil && c.Agent != agent {
		err = ErrNotFound
	}
	return c, err
}

// hangUp writes that an active call must end, and makes the first attempt; the sweep retries. The error is
// ErrNotActive, the store's, or Positus'.
func (e *Engine) hangUp(ctx context.Context, key string, wanted HangUp) (*Call, error) {
	c, err := e.modify(ctx, key, func(c *Call) error {
		if c.State != Active && c.HangUp == nil {
			return ErrNotActive
		}
		now := e.Now()
		if c.HangUp == nil {
			wanted.Since = now
			c.HangUp = &wanted
		}
		e.claimHangUp(c, now)
		return nil
	})
	if err != nil {
		return c, err
	}
	return e.tryHangUp(c)
}

// claimHangUp keeps others from trying the same while one attempt is under way.
func (e *Engine) claimHangUp(c *Call, now time.Time) {
	c.HangUp.Attempts++
	c.Due = now.Add(e.Timing.MediaWait + actReserve)
	for i := range c.Holds { // while Positus does not confirm, the call is live and the agent is not free
		if c.Holds[i].Kind == HoldActive {
			c.Holds[i].Until = now.Add(e.Timing.HangUpMax + activeGrace)
		}
	}
}

// tryHangUp makes one attempt and records its result.
func (e *Engine) tryHangUp(c *Call) (*Call, error) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.MediaWait)
	perr := e.Provider.HangUp(ctx, c.PositusID, c.ID)
	cancel()
	var pe *ProviderError
	if errors.As(perr, &pe) && pe.Kind == Gone {
		perr = nil
	}
	ctx, cancel = context.WithTimeout(context.Background(), e.Timing.StoreWait)
	defer cancel()
	n, err := e.modify(ctx, c.Key(), func(n *Call) error {
		if n.HangUp == nil {
			return errUnchanged
		}
		now := e.Now()
		if perr == nil {
			n.end(n.HangUp.Outcome, n.HangUp.Why, now)
			return nil
		}
		n.HangUp.Error = perr.Error()
		// What was never sent is no attempt: the first one after the outage must not wait as if there had been many.
		if pe != nil && pe.Unsent {
			n.HangUp.Attempts--
		}
		n.Due = now.Add(min(e.Timing.HangUpMax, time.Second<<min(n.HangUp.Attempts, 10)))
		return nil
	})
	switch {
	case errors.Is(err, errUnchanged):
		return n, nil
	case err != nil:
		return c, fmt.Errorf("cannot record the hang-up; the sweep retries: %w", err)
	case perr == nil:
		e.reportEnd(n)
		return n, nil
	}
	e.report(
		"hang_up",
		"Positus did not take a hang-up; the call may go on, and the sweep retries; check Positus",
		perr,
		"call",
		c.Key(),
		"attempts",
		n.HangUp.Attempts,
	)
	return n, perr
}

// hangUpBestEffort asks Positus once to end a call whose record is already ended.
func (r *runner) hangUpBestEffort() {
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.MediaWait)
	defer cancel()
	if err := r.e.Provider.HangUp(ctx, r.c.PositusID, r.c.ID); err != nil {
		r.log.Info("Positus did not take the hang-up of a call that had ended", "error", err)
	}
}

// reap hangs up in the background, a few calls at a time, so that a slow Positus does not keep the sweep from
// takeovers. If all places are taken, the next sweep hangs up.
func (e *Engine) reap(ctx context.Context, c *Call, why string) {
	select {
	case e.reaping <- struct{}{}:
	default:
		return
	}
	n, err := e.modify(ctx, c.Key(), func(n *Call) error {
		if n.Rev != c.Rev {
			return errUnchanged
		}
		now := e.Now()
		if n.HangUp == nil {
			n.HangUp = &HangUp{Why: why, Outcome: Reaped, Since: now}
			if n.State == Accepting {
				n.HangUp.Outcome = TimedOut
			}
		}
		e.claimHangUp(n, now)
		return nil
	})
	if err != nil {
		<-e.reaping
		if !errors.Is(err, errUnchanged) {
			e.report(
				"hang_up",
				"cannot claim a call that must end; the next sweep retries; check the store",
				err,
				"call",
				c.Key(),
			)
		}
		return
	}
	e.background(func(context.Context) {
		defer func() { <-e.reaping }()
		_, _ = e.tryHangUp(n) // it reports its own errors, and the record has them
	})
}

// sweepWithoutStore hangs up calls that this instance knows to be too long while the store is away, so that an outage
// does not lengthen them. The next sweep that reaches the store hangs up again, learns from Positus that they are
// over, and records it.
func (e *Engine) sweepWithoutStore() {
	for _, c := range e.replica.newest() {
		running, _ := e.running(c.Key())
		tooLong := c.HangUp != nil || c.State == Active && !e.Now().Before(c.ActiveAt.Add(c.MaxCall))
		if c.Owner != e.instance || !c.Live() || running || !tooLong {
			continue
		}
		select {
		case e.reaping <- struct{}{}:
		default:
			return
		}
		if !e.replica.claimHangUp(c.Key(), e.uptime(), e.Timing) {
			<-e.reaping
			continue
		}
		e.background(func(context.Context) {
			defer func() { <-e.reaping }()
			e.hangUpWithoutStore(c)
		})
	}
}

func (e *Engine) hangUpWithoutStore(c *Call) {
	ctx, cancel := context.WithTimeout(context.Background(), e.Timing.MediaWait)
	defer cancel()
	err := e.Provider.HangUp(ctx, c.PositusID, c.ID)
	var pe *ProviderError
	if err != nil && (!errors.As(err, &pe) || pe.Kind != Gone) {
		e.report(
			"hang_up",
			"Positus did not take a hang-up while the store is away; the next sweep retries; check both",
			err,
			"call",
			c.Key(),
		)
		return
	}
	e.replica.hungUp(c.Key())
	e.log.Info("hung up a call while the store is away", "call", c.Key())
	ended := false
	n := e.replica.change(c.Key(), func(n *Call) { // if its record is kept here
		switch ended = n.Live(); {
		case !ended:
		case n.HangUp != nil:
			n.end(n.HangUp.Outcome, n.HangUp.Why, e.Now())
		default:
			n.end(Reaped, fmt.Sprintf("longer than max_call (%s)", n.MaxCall), e.Now())
		}
	})
	if ended {
		e.reportEnd(n)
	}
}
