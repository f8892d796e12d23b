package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// compose renders the message of a reject with the facts of its decision.
func (r *runner) compose(name string) *MessageState {
	m := &MessageState{Name: name}
	for {
		text, needs, err := r.f.Render(name, r.input())
		switch {
		case err != nil:
			m.Error = fmt.Sprintf("the text could not be made: %s", err)
			return m
		case needs.None():
			m.Text = text
			return m
		}
		r.facts = r.e.facts(r.f, r.c, needs, r.facts)
	}
}

// message sends the text of a reject that stood: at most once a call, and at most as often as the rules allow. What goes
// wrong is recorded and undoes nothing.
func (r *runner) message() {
	m := r.c.Message
	if r.c.Outcome != Rejected || m == nil || !m.At.IsZero() || m.Error != "" {
		return
	}
	err := r.sendMessage(m)
	if errors.Is(err, errAlreadySent) {
		r.log.Info("the caller got this message lately, it is not sent again", "message", m.Name)
	} else if err != nil {
		r.e.problem("message", "the message was not sent", err, "call", r.c.Key(), "message", m.Name)
	}
	if werr := r.finish(func(n *Call) {
		if err != nil {
			n.Message.Error = err.Error()
		} else {
			n.Message.At = r.now()
		}
	}); werr != nil {
		r.log.Warn("what became of the message could not be recorded", "error", werr)
	}
}

var errAlreadySent = errors.New("not sent again so soon (at_most_every)")

func (r *runner) sendMessage(m *MessageState) error {
	if r.c.From == "" {
		return errors.New("the caller has no number to write to")
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.e.Timing.MediaWait)
	defer cancel()
	if spec, ok := r.f.Message(m.Name); ok && spec.AtMostEvery > 0 {
		first, err := r.e.Store.Once(ctx, "message:"+m.Name+":"+r.c.CallerKey, spec.AtMostEvery)
		if err != nil {
			return fmt.Errorf("whether it was sent lately cannot be known: %w", err)
		}
		if !first {
			return errAlreadySent
		}
	}
	return r.e.Provider.SendText(ctx, r.c.PositusID, "+"+r.c.From, m.Text)
}

// ErrNotActive: only an active call can be hung up.
var ErrNotActive = errors.New("the call is not active")

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
		e.ended(n)
		return n, nil
	}
	e.problem("hang_up", "Positus did not take a hang-up; the sweep goes on trying", perr, "call", c.Key(), "attempts", n.HangUp.Attempts)
	return n, perr
}
