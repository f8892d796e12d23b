package engine

import (
	"context"
	"fmt"
	"sync"

	"callrouter/rules"
)

// overrides makes sure that switches and run-time entries are read by one reader at a time, so that an older read never
// replaces a newer one, and that a thousand wakes cause few reads.
type overrides struct {
	mu      sync.Mutex
	reading bool
	next    *overridesRead // the read that begins next, if anybody waits for it
}

type overridesRead struct {
	done chan struct{}
	err  error
}

// RefreshOverrides reads switches and run-time entries, and returns once a read that began after the call is over. It
// is a job, and what whoever changed an override waits for.
func (e *Engine) RefreshOverrides(ctx context.Context) error {
	r := e.joinNextRead()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-e.ctx.Done(): // the reader may not have been started
		return e.ctx.Err()
	}
}

func (e *Engine) joinNextRead() *overridesRead {
	o := &e.overrides
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next == nil {
		o.next = &overridesRead{done: make(chan struct{})}
	}
	r := o.next
	if !o.reading {
		o.reading = true
		go e.readOverrides()
	}
	return r
}

// readOverrides reads as long as somebody waits for a read that has not begun.
func (e *Engine) readOverrides() {
	o := &e.overrides
	for {
		o.mu.Lock()
		r := o.next
		o.next = nil
		o.reading = r != nil
		o.mu.Unlock()
		if r == nil {
			return
		}
		r.err = e.readOverridesOnce()
		close(r.done)
	}
}

func (e *Engine) readOverridesOnce() error {
	ctx, cancel := context.WithTimeout(e.ctx, e.Timing.Lease)
	defer cancel()
	sw, err := e.Store.Switches(ctx)
	if err != nil {
		return fmt.Errorf("reading switches: %w", err)
	}
	var lists []string
	for _, l := range e.Rules().Lists() {
		if !l.Store {
			lists = append(lists, l.Name)
		}
	}
	entries, err := e.Store.AllEntries(ctx, lists)
	if err != nil {
		return fmt.Errorf("reading run-time entries of lists: %w", err)
	}
	e.runtime.Store(rules.NewRuntime(sw, entries))
	return nil
}
