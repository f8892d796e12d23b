package engine

import (
	"context"
	"errors"
	"sync"
)

// journal keeps the records of calls that the store could not take, until it can.
type journal struct {
	mu    sync.Mutex
	calls map[string]*Call
}

func (j *journal) init() { j.calls = map[string]*Call{} }

// size counts the calls.
func (j *journal) size() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.calls)
}

// insert takes a call unless one with its id is there.
func (j *journal) insert(c *Call) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.calls[c.Key()]; ok {
		return false
	}
	j.calls[c.Key()] = c
	return true
}

// put replaces a call.
func (j *journal) put(c *Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls[c.Key()] = c
}

func (j *journal) get(key string) *Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.calls[key]
}

// update changes a copy of a call and answers it, or nil if there is none.
func (j *journal) update(key string, change func(c *Call)) *Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	c, ok := j.calls[key]
	if !ok {
		return nil
	}
	next := c.Clone()
	if c.State != Ended {
		change(next)
	}
	j.calls[key] = next
	return next
}

func (j *journal) all() []*Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	calls := make([]*Call, 0, len(j.calls))
	for _, c := range j.calls {
		calls = append(calls, c)
	}
	return calls
}

// forget drops a call that is stored, unless it has changed since.
func (j *journal) forget(c *Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.calls[c.Key()] == c {
		delete(j.calls, c.Key())
	}
}

// Journaled counts the calls that this instance keeps in memory until the store can take their records.
func (e *Engine) Journaled() int { return e.journal.size() }

// FlushJournal stores the records that were kept in memory while the store was away. It is a job.
func (e *Engine) FlushJournal(ctx context.Context) error {
	for _, c := range e.journal.all() {
		if c.Live() { // its runner goes on in memory; the record follows when it has ended
			continue
		}
		if err := e.flush(ctx, c); err != nil {
			return err
		}
		e.journal.forget(c)
	}
	return nil
}

func (e *Engine) flush(ctx context.Context, c *Call) error {
	_, err := e.insert(ctx, c)
	if !errors.Is(err, ErrExists) {
		return err
	}
	_, err = e.modify(ctx, c.Key(), func(stored *Call) error {
		if stored.State == Ended || stored.Owner != e.instance && c.Owner != "" {
			return errUnchanged
		}
		rev := stored.Rev
		*stored = *c.Clone()
		stored.Rev = rev
		return nil
	})
	if errors.Is(err, errUnchanged) {
		e.log.Warn("a call that was decided in memory has another end in the store, which stands", "call", c.Key(), "action", c.Action)
		return nil
	}
	return err
}
