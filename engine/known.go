package engine

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// known is what this instance last knew of its own calls, and of those of agents who are connected to it, so that it can
// say so to a store that has lost them: an agent who talks must not be rung again because the store forgot the call.
type known struct {
	mu    sync.Mutex
	calls map[string]knownCall
	epoch string
}

type knownCall struct {
	*Call
	read  time.Time
	dirty bool // somebody changed it since
}

const (
	// knownFor is how long an ended call is remembered: a replica that lags by more than this would bring it back.
	knownFor = time.Minute
	// knownRead is how long a call is believed to be as it was read, although nobody told of a change.
	knownRead = time.Minute
)

func (k *known) init() { k.calls = map[string]knownCall{} }

// note remembers a call as it is stored now.
func (k *known) note(c *Call, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old := k.calls[c.Key()]; old.Call == nil || old.Rev <= c.Rev {
		k.calls[c.Key()] = knownCall{Call: c, read: now}
	}
}

// call is a call that is remembered, or nil.
func (k *known) call(key string) *Call {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.calls[key].Call
}

// woken notes that somebody changed a call.
func (k *known) woken(topic string) {
	key, ok := strings.CutPrefix(topic, TopicCall(""))
	if !ok {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.calls[key]; ok {
		c.dirty = true
		k.calls[key] = c
	}
}

// look forgets what is over, answers all that is left, and what of it must be read again.
func (k *known) look(now time.Time) (all, stale []*Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, c := range k.calls {
		if c.State == Ended {
			if now.Sub(c.EndedAt) > knownFor {
				delete(k.calls, key)
				continue
			}
		} else if c.dirty && c.State == Active || now.Sub(c.read) > knownRead {
			stale = append(stale, c.Call)
		}
		all = append(all, c.Call)
	}
	return all, stale
}

func (k *known) forget(key string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.calls, key)
}

// newEpoch says whether the epoch is another one than at the last beat.
func (k *known) newEpoch(epoch string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := k.epoch != "" && k.epoch != epoch
	k.epoch = epoch
	return changed
}

// insert and update write a call and remember it.

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
	if errors.Is(err, ErrConflict) { // perhaps with ourselves: an earlier attempt, whose answer was lost
		if stored, rerr := e.Store.Get(ctx, old.Key()); rerr == nil && stored.Write == next.Write {
			c, err = stored, nil
		}
	}
	if err == nil {
		e.note(c)
	}
	return c, err
}

// note remembers a call that is this instance's own; another's is the other's to remember.
func (e *Engine) note(c *Call) {
	if c.Owner == e.instance || c.State == Ended {
		e.known.note(c, e.Now())
		return
	}
	e.known.forget(c.Key())
}
