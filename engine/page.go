package engine

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Asleep is why an agent is away whose page did not confirm in time that it rings: a browser has put it to sleep.
const Asleep = "page asleep"

// Rings notes that an agent's page shows an offer. Repeating it is harmless.
//
// Errors: ErrNotFound, ErrExpired if the offer no longer rings, or the store's.
func (e *Engine) Rings(ctx context.Context, agent, offerID string) error {
	c, _, err := e.Offered(ctx, agent, offerID)
	if err != nil {
		return err
	}
	_, err = e.modify(ctx, c.Key(), func(c *Call) error {
		switch o := c.offer(offerID); {
		case o == nil:
			return ErrNotFound
		case !o.RangAt.IsZero():
			return errUnchanged
		case o.Result != "" || c.State == Ended:
			return ErrExpired
		default:
			o.RangAt = e.Now()
		}
		return nil
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// ExpectRing passes an offer on to the next agent, unless a page of this agent confirms within a time that it rings.
// The agent is then away, since other calls would ring unheard as well. It does not count as a missed call. ExpectRing
// returns at once.
func (e *Engine) ExpectRing(agent, offerID string, within time.Duration) {
	e.passOver(agent, offerID, within, func(_ context.Context, _ *Call, o Offer) (unheard, error) {
		if o.RangAt.IsZero() {
			return isUnheard, nil
		}
		return isHeard, nil
	}, func(ctx context.Context) error { return e.Store.SetStatus(ctx, agent, true, Asleep) })
}

// ExpectReturn passes an offer on, unless its agent is connected after a time: a page that was loaded again is back by
// then, and one that was closed is not. While nobody else can be rung, it goes on ringing for whoever comes back late.
// ExpectReturn returns at once.
func (e *Engine) ExpectReturn(agent, offerID string, within time.Duration) {
	e.passOver(agent, offerID, within, func(ctx context.Context, c *Call, o Offer) (unheard, error) {
		q, ok := e.Rules().Queue(o.Queue)
		if !ok {
			return isHeard, nil // of a queue that a reload removed: it rings to its end
		}
		s, err := e.Store.Snapshot(ctx, Query{Agents: append([]string{agent}, q.Agents...)})
		switch {
		case err != nil || s.Agents[agent].Connected:
			return isHeard, err
		case e.anyFree(q.Agents, rungAgents(c), s):
			return isUnheard, nil
		}
		return notYet, nil
	}, func(context.Context) error { return nil })
}

// anyFree reports whether any of a queue's agents can be rung, other than those who were.
func (e *Engine) anyFree(agents, rung []string, s Snapshot) bool {
	f := e.Rules()
	return slices.ContainsFunc(agents, func(name string) bool {
		a, ok := f.Agent(name)
		state := s.Agents[name]
		return ok && !slices.Contains(rung, name) && state.Available() && len(state.Slots) < state.CapacityNow(a.Capacity)
	})
}

// unheard is whether an offer rings at nobody.
type unheard int

const (
	isHeard unheard = iota
	isUnheard
	notYet // it may be, and is to be looked at again
)

// passOver ends an offer after a time, if it still rings and nobody hears it then.
func (e *Engine) passOver(
	agent, offerID string, every time.Duration,
	look func(context.Context, *Call, Offer) (unheard, error), then func(context.Context) error,
) {
	e.background(func(stop context.Context) {
		for again := true; again; {
			select {
			case <-time.After(every):
			case <-stop.Done():
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), e.Timing.StoreWait)
			is, err := e.endUnheard(ctx, agent, offerID, look)
			if err == nil && is == isUnheard {
				err = then(ctx)
			}
			cancel()
			if err != nil {
				e.report("store", "cannot pass on a call that rings at a page which is asleep or closed; it rings there "+
					"until its time is over; check the store", err, "agent", agent)
			}
			again = is == notYet
		}
	})
}

func (e *Engine) endUnheard(
	ctx context.Context, agent, offerID string, look func(context.Context, *Call, Offer) (unheard, error),
) (unheard, error) {
	c, o, err := e.Offered(ctx, agent, offerID)
	if err != nil || o.Result != "" || c.State == Ended {
		return isHeard, ignoring(err, ErrNotFound)
	}
	if is, err := look(ctx, c, o); err != nil || is != isUnheard {
		return is, err
	}
	c, err = e.modify(ctx, c.Key(), func(c *Call) error {
		now := c.offer(offerID)
		if now == nil || now.Result != "" || c.State == Ended || !now.RangAt.Equal(o.RangAt) {
			return errUnchanged
		}
		now.Result, now.ResultAt = OfferUnreachable, e.Now()
		c.Holds = slices.DeleteFunc(c.Holds, func(h Hold) bool { return h.Agent == agent })
		return nil
	})
	if err != nil {
		return isHeard, ignoring(err, errUnchanged)
	}
	e.log.Warn("a call rang at a page that is asleep or closed; it goes on to the next agent",
		"call", c.Key(), "agent", agent)
	return isUnheard, nil
}

// ignoring returns nil for one error, and every other error as it is.
func ignoring(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
