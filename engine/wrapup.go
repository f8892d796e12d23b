package engine

import (
	"context"
	"errors"
	"slices"
	"time"
)

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
