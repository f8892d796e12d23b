package engine

import (
	"context"
	"fmt"
	"sync"
	"time"
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

// put takes a call that its runner goes on with, and adds to it the end that was kept here, if there is one.
func (j *journal) put(c *Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if old := j.calls[c.Key()]; old != nil && old.CallerEnd != nil && c.CallerEnd == nil && c.State != Ended {
		c.callerEnded(*old.CallerEnd)
	}
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
	change(next)
	next.Rev++
	j.calls[key] = next
	return next
}

// ended notes the caller's end, of a call that is over too.
func (j *journal) ended(key string, end CallerEnd) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if c, ok := j.calls[key]; ok && c.CallerEnd == nil {
		next := c.Clone()
		next.callerEnded(end)
		j.calls[key] = next
	}
}

// live says whether a call is there that has not ended.
func (j *journal) live(key string) bool {
	c := j.get(key)
	return c != nil && c.Live()
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

// flushFor is how long one run of the job goes on with a store that fails.
const flushFor = time.Second

// FlushJournal stores the records that were kept in memory while the store was away. It is a job. One record that cannot be
// stored does not keep back the others.
func (e *Engine) FlushJournal(ctx context.Context) error {
	began := e.Now()
	var last error
	failed := 0
	for _, c := range e.journal.all() {
		running, _ := e.running(c.Key())
		if running || c.Live() && c.State != Active && c.HangUp == nil { // its runner goes on in memory; the record follows it
			continue
		}
		if err := e.flush(ctx, c); err == nil {
			e.journal.forget(c)
		} else if failed, last = failed+1, err; ctx.Err() != nil || e.Now().Sub(began) > flushFor {
			break
		}
	}
	if last != nil {
		return fmt.Errorf("%d records that were kept in memory could not be stored: %w", failed, last)
	}
	return nil
}

// flush stores the record of a call with which memory is done.
func (e *Engine) flush(ctx context.Context, c *Call) error {
	if err := e.Store.Reassert(ctx, c); err != nil {
		return err
	}
	stored, err := e.Store.Get(ctx, c.Key())
	if err == nil {
		e.known.forget(c.Key())
		e.note(stored)
	}
	return err
}
