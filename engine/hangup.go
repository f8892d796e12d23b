package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrNotActive: only an active call can be hung up.
var ErrNotActive = errors.New("the call is not active")

// HangUp ends an active call. by is written into the record. It returns once Positus took it.
func (e *Engine) HangUp(ctx context.Context, callID, by string) error {
	_, err := e.hangUp(ctx, Key(callID), "hung up by "+by, Answered)
	return err
}

// HangUpOwn is HangUp for an agent's own call; ErrNotFound if it is not.
func (e *Engine) HangUpOwn(ctx context.Context, agent, callID string) error {
	c, err := e.Store.Get(ctx, Key(callID))
	if err != nil {
		return err
	}
	if c.Agent != agent {
		return ErrNotFound
	}
	return e.HangUp(ctx, callID, "agent "+agent)
}

// hangUp writes that an active call must end, and tries at once; the sweep goes on trying. The error is Positus', or
// ErrNotActive.
func (e *Engine) hangUp(ctx context.Context, key, why string, outcome Outcome) (*Call, error) {
	c, err := e.modify(ctx, key, func(c *Call) error {
		if c.State != Active && c.HangUp == nil {
			return ErrNotActive
		}
		now := e.Now()
		if c.HangUp == nil {
			c.HangUp = &HangUp{Why: why, Outcome: outcome, Since: now}
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

// tryHangUp makes one attempt, and records what came of it.
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
		if pe != nil && pe.Unsent { // no attempt: the first one after the outage must not wait as if there had been many
			n.HangUp.Attempts--
		}
		n.Due = now.Add(min(e.Timing.HangUpMax, time.Second<<min(n.HangUp.Attempts, 10)))
		return nil
	})
	switch {
	case errors.Is(err, errUnchanged):
		return n, nil
	case err != nil:
		return c, fmt.Errorf("the hang-up could not be recorded, the sweep goes on: %w", err)
	case perr == nil:
		e.reportEnd(n)
		return n, nil
	}
	e.report("hang_up", "Positus did not take a hang-up; the sweep goes on trying", perr, "call", c.Key(), "attempts", n.HangUp.Attempts)
	return n, perr
}

// hangUpBestEffort tells Positus once that a call is over which our record already calls ended.
func (r *runner) hangUpBestEffort() {
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.MediaWait)
	defer cancel()
	if err := r.e.Provider.HangUp(ctx, r.c.PositusID, r.c.ID); err != nil {
		r.log.Info("hanging up a call that is over", "error", err)
	}
}

// reap hangs up in the background, a few calls at a time: a Positus that is slow must not keep the sweep from taking
// calls over. Without a place free it is for the next sweep.
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
			e.report("hang_up", "a call that must end could not be claimed; the next sweep tries again", err, "call", c.Key())
		}
		return
	}
	e.background(func(context.Context) {
		defer func() { <-e.reaping }()
		_, _ = e.tryHangUp(n) // it tells of its own errors, and the record has them
	})
}

// sweepWithoutStore hangs up what this instance knows to be too long, while the store cannot be asked: an outage must not let calls
// go on for as long as it lasts. Their records follow: the next sweep that reaches the store hangs up again, and Positus
// says that they are over.
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
		e.report("hang_up", "Positus did not take a hang-up, and the store is away; it is tried again", err, "call", c.Key())
		return
	}
	e.replica.hungUp(c.Key())
	e.log.Info("hung up while the store is away", "call", c.Key())
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
