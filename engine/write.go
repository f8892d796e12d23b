package engine

import (
	"context"
	"errors"
	"strconv"
)

func (e *Engine) insert(ctx context.Context, c *Call) (*Call, error) {
	existing, err := e.Store.Insert(ctx, c)
	if err == nil {
		stored := c.Clone()
		stored.Rev = 1
		e.note(stored)
	}
	return existing, err
}

func (e *Engine) update(ctx context.Context, old, next *Call) (*Call, error) {
	if next.Write == old.Write { // the first attempt
		next.Write = e.instance[:6] + "-" + strconv.FormatInt(e.writes.Add(1), 36)
	}
	c, err := e.Store.Update(ctx, old, next)
	if errors.Is(err, ErrConflict) { // perhaps with our own earlier attempt, whose reply was lost
		if stored, rerr := e.Store.Get(ctx, old.Key()); rerr == nil && stored.Write == next.Write {
			c, err = stored, nil
		}
	}
	if err == nil {
		e.note(c)
	}
	return c, err
}

// note remembers a call of this instance, and forgets one of another, which remembers it itself.
func (e *Engine) note(c *Call) {
	if c.Owner == e.instance || c.State == Ended {
		e.replica.note(c, e.Now())
		return
	}
	e.replica.forget(c.Key())
}

// modify reads a call, passes a copy to change, and writes that. It starts again if somebody else wrote first. An
// error of change ends it and is returned with the call as read.
func (e *Engine) modify(ctx context.Context, key string, change func(c *Call) error) (*Call, error) {
	for {
		old, err := e.Store.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		next := old.Clone()
		if err := change(next); err != nil {
			return old, err
		}
		c, err := e.update(ctx, old, next)
		if !errors.Is(err, ErrConflict) {
			return c, err
		}
	}
}

// errUnchanged is returned by a change that has nothing to do.
var errUnchanged = errors.New("nothing to change")
