package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors that an agent meets when answering.
var (
	// ErrTaken: another agent was first.
	ErrTaken = errors.New("another agent has taken the call")
	// ErrTakenHere is the [ErrTaken] of an agent who took the call in another window.
	ErrTakenHere = fmt.Errorf("%w: it was this agent, in another window", ErrTaken)
	// ErrEnded: the caller left, or the call was decided otherwise.
	ErrEnded = errors.New("the call has ended")
	// ErrExpired: the offer has rung out, or was declined.
	ErrExpired = errors.New("the offer has expired")
)

// UnusableError is the reason why an SDP answer cannot be used. The offer stays.
type UnusableError struct{ Err error }

func (e *UnusableError) Error() string { return "the SDP answer is unusable: " + e.Err.Error() }

func (e *UnusableError) Unwrap() error { return e.Err }

// Offered returns an offer and its call; ErrNotFound if there is no such offer or it is another agent's.
func (e *Engine) Offered(ctx context.Context, agent, offerID string) (*Call, Offer, error) {
	key, _, ok := strings.Cut(offerID, "-")
	if !ok {
		return nil, Offer{}, ErrNotFound
	}
	c, err := e.Store.Get(ctx, key)
	if err != nil {
		return nil, Offer{}, err
	}
	o := c.offer(offerID)
	if o == nil || o.Agent != agent {
		return nil, Offer{}, ErrNotFound
	}
	return c, *o, nil
}

// Answer connects the call of an offer to its agent. Taking the call is one atomic step: of two agents who answer one
// wins, and only the winner's SDP reaches Positus. It blocks until Positus took the accept. The same agent may repeat
// the same answer.
//
// Errors: ErrNotFound, ErrTaken, ErrTakenHere, ErrEnded, ErrExpired, an [*UnusableError], a [*ProviderError], or the
// store's.
func (e *Engine) Answer(ctx context.Context, agent, offerID, sdp string) error {
	return e.AnswerIn(ctx, agent, offerID, sdp, "")
}

// AnswerIn is [Engine.Answer] from a window that has a name, so that the agent's other windows know that it is not
// theirs.
func (e *Engine) AnswerIn(ctx context.Context, agent, offerID, sdp, tab string) error {
	c, _, err := e.Offered(ctx, agent, offerID)
	if err != nil {
		return err
	}
	if c.State.Ringing() {
		if err := e.Media.CheckAnswer(c.Offer, sdp); err != nil {
			return &UnusableError{err}
		}
	}
	sum := sumOf(sdp)
	c, err = e.modify(ctx, c.Key(), func(c *Call) error { return e.takeOffer(c, offerID, sdp, sum, tab) })
	switch {
	case err == nil:
		if err := e.Store.Answered(ctx, agent); err != nil {
			e.log.Warn(
				"cannot reset the count of missed offers; the agent may be set away too early",
				"agent",
				agent,
				"error",
				err,
			)
		}
	case errors.Is(err, ErrBusy),
		errors.Is(err, ErrGate): // the lease of the ringing slot ran out, and the slot is another call's
		return ErrExpired
	case !errors.Is(err, errRepeated):
		return err
	}
	return e.awaitAccept(ctx, c)
}

// errRepeated: this very answer was given before.
var errRepeated = errors.New("answered before")

func sumOf(sdp string) string {
	sum := sha256.Sum256([]byte(sdp))
	return hex.EncodeToString(sum[:])
}

// takeOffer gives the call to the offer's agent.
func (e *Engine) takeOffer(c *Call, offerID, sdp, sum, tab string) error {
	now := e.Now()
	o := c.offer(offerID)
	switch {
	case o == nil: // a store that lost data has an older record
		return ErrNotFound
	case o.Result == OfferAnswered && c.AnswerSum == sum && c.State != Ended:
		return errRepeated
	case o.Result == OfferAnswered && c.State != Ended:
		return ErrTakenHere
	case o.Result == OfferTaken:
		return ErrTaken
	case o.Result == OfferMissed,
		o.Result == OfferUnreachable,
		o.Result == OfferDeclined: // whatever came of the call since
		return ErrExpired
	case c.State == Ended, c.CallerEnd != nil, o.Result == OfferEnded:
		return ErrEnded
	case o.Result != "", !now.Before(o.RingsUntil):
		return ErrExpired
	}
	o.Result, o.ResultAt = OfferAnswered, now
	agent := o.Agent
	c.settleOffers(OfferTaken, now)
	c.release(agent)
	for i := range c.Holds { // until Positus took it, the slot is held as long as that may take
		c.Holds[i].Kind, c.Holds[i].Until = HoldActive, c.Deadline.Add(activeGrace)
	}
	c.Agent, c.AnswerSDP, c.AnswerSum, c.Step, c.Tab = agent, sdp, sum, nil, tab
	c.Owner, c.Adopted, c.Due = e.instance, false, now
	c.to(Accepting, now, "")
	return nil
}

// awaitAccept waits for the result of a call's accept and returns it.
func (e *Engine) awaitAccept(ctx context.Context, c *Call) error {
	wake, cancel := e.Subscribe(TopicCall(c.Key()))
	defer cancel()
	if c.Owner == e.instance && c.Live() {
		f, ok := e.version(c.RulesVersion)
		if !ok {
			f = e.Rules()
		}
		e.resume(c, f)
	}
	poll := time.NewTicker(e.Timing.Poll)
	defer poll.Stop()
	for {
		c, err := e.Store.Get(ctx, c.Key())
		switch {
		case err != nil:
			return err
		case c.State == Active:
			return nil
		case c.State == Ended:
			return acceptResult(c)
		case c.HangUp != nil:
			return &ProviderError{Kind: Unavailable, Message: c.HangUp.Why}
		}
		select {
		case <-wake:
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// acceptResult returns the result of an accept whose call is over.
func acceptResult(c *Call) error {
	switch c.Outcome {
	case Failed:
		return &ProviderError{Kind: Refused, Message: c.Why}
	case TimedOut:
		return &ProviderError{Kind: Unavailable, Message: c.Why}
	}
	return ErrEnded
}

// Decline stops an offer from ringing at its agent; other agents keep ringing. Repeating it is harmless.
//
// Errors: ErrNotFound, ErrTaken, ErrTakenHere, ErrEnded, ErrExpired, or the store's.
func (e *Engine) Decline(ctx context.Context, agent, offerID string) error {
	c, _, err := e.Offered(ctx, agent, offerID)
	if err != nil {
		return err
	}
	_, err = e.modify(ctx, c.Key(), func(c *Call) error {
		o := c.offer(offerID)
		switch {
		case o == nil:
			return ErrNotFound
		case o.Result == OfferDeclined:
			return errUnchanged
		case o.Result == OfferAnswered:
			return ErrTakenHere
		case o.Result == OfferTaken:
			return ErrTaken
		case c.State == Ended, o.Result == OfferEnded:
			return ErrEnded
		case o.Result != "":
			return ErrExpired
		}
		now := e.Now()
		o.Result, o.ResultAt = OfferDeclined, now
		var holds []Hold
		for _, h := range c.Holds {
			if h.Agent != agent {
				holds = append(holds, h)
			}
		}
		c.Holds = holds
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	if err == nil {
		err = e.Store.Answered(ctx, agent) // who declines is there
	}
	return err
}
