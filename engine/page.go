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

// Side is who ended a call.
type Side string

// The sides that can end a call.
const (
	ByCaller     Side = "caller"
	ByAgent      Side = "agent"
	BySupervisor Side = "supervisor" // the administrator, or an outside answerer
	ByNetwork    Side = "network"    // want of audio, a limit, or an error
)

// EndedBy returns who ended a call, with the platform's code if it gave one, or "" for a call that goes on.
func (c *Call) EndedBy() (by Side, code int) {
	if c.CallerEnd != nil && len(c.CallerEnd.Codes) > 0 {
		code = c.CallerEnd.Codes[0]
	}
	switch {
	case c.Live():
		return "", 0
	case c.HungUpBy != "":
		return c.HungUpBy, code
	case c.CallerEnd != nil && code == 0 && c.Outcome != Reaped:
		return ByCaller, 0
	}
	return ByNetwork, code
}

// maxWrapUp is how far the end of a wrap-up can be moved.
const maxWrapUp = 5 * time.Minute

// Errors of a wrap-up.
var (
	// ErrNoWrapUp: the agent is in none.
	ErrNoWrapUp = errors.New("there is no wrap-up to prolong")
	// ErrProlonged: it was prolonged before.
	ErrProlonged = errors.New("the wrap-up was prolonged before")
)

// EndWrapUp makes an agent free for the next call at once. Without a wrap-up it does nothing.
func (e *Engine) EndWrapUp(ctx context.Context, agent string) error {
	return e.eachWrapUp(ctx, agent, func(c *Call, i int) error {
		c.Holds = slices.Delete(c.Holds, i, i+1)
		return nil
	})
}

// ProlongWrapUp moves the end of an agent's wrap-up by d, once, and by five minutes at most.
//
// Errors: ErrNoWrapUp, ErrProlonged, or the store's.
func (e *Engine) ProlongWrapUp(ctx context.Context, agent string, d time.Duration) error {
	found := false
	err := e.eachWrapUp(ctx, agent, func(c *Call, i int) error {
		found = true
		if c.Prolonged {
			return ErrProlonged
		}
		c.Prolonged = true
		c.Holds[i].Until = c.Holds[i].Until.Add(min(d, maxWrapUp))
		return nil
	})
	if err == nil && !found {
		err = ErrNoWrapUp
	}
	return err
}

// eachWrapUp changes every call after which an agent is not free yet; i is the place of the agent's hold.
func (e *Engine) eachWrapUp(ctx context.Context, agent string, change func(c *Call, i int) error) error {
	s, err := e.Store.Snapshot(ctx, Query{Agents: []string{agent}})
	if err != nil {
		return err
	}
	for _, slot := range s.Agents[agent].Slots {
		if slot.Kind != HoldWrapUp {
			continue
		}
		_, err := e.modify(ctx, slot.Call, func(c *Call) error {
			i := slices.IndexFunc(c.Holds, func(h Hold) bool { return h.Agent == agent && h.Kind == HoldWrapUp })
			if i < 0 {
				return errUnchanged
			}
			return change(c, i)
		})
		if err != nil && !errors.Is(err, errUnchanged) && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

// AudioState is what an agent's page says about the audio of a call.
type AudioState struct {
	State     string    `json:"state"` // connected or lost
	At        time.Time `json:"at"`
	ClickToMS int       `json:"click_to_audio_ms,omitempty"` // from the agent's click to the first audio
	RTTMS     int       `json:"rtt_ms,omitempty"`            // round trip
	JitterMS  int       `json:"jitter_ms,omitempty"`
	Loss      float64   `json:"loss,omitempty"` // share of the caller's packets that were lost, 0 to 1
}

// SetAudio notes what an agent's page says about the audio of an own call.
//
// Errors: ErrNotFound, or the store's.
func (e *Engine) SetAudio(ctx context.Context, agent, callID string, a AudioState) error {
	if _, err := e.own(ctx, agent, callID); err != nil {
		return err
	}
	_, err := e.modify(ctx, Key(callID), func(c *Call) error {
		a.At = e.Now()
		if c.Audio != nil && a.ClickToMS == 0 { // said when it connected
			a.ClickToMS = c.Audio.ClickToMS
		}
		c.Audio = &a
		return nil
	})
	return err
}

// noteTime is how long after a call its agent may write about it.
const noteTime = 24 * time.Hour

// SetNote keeps what an agent writes about an own call, up to a day after its end.
//
// Errors: ErrNotFound, ErrEnded once that day is over, or the store's.
func (e *Engine) SetNote(ctx context.Context, agent, callID, note, disposition string) (*Call, error) {
	if _, err := e.own(ctx, agent, callID); err != nil {
		return nil, err
	}
	return e.modify(ctx, Key(callID), func(c *Call) error {
		if !c.EndedAt.IsZero() && e.Now().Sub(c.EndedAt) > noteTime {
			return ErrEnded
		}
		c.Note, c.Disposition = note, disposition
		return nil
	})
}
