package engine

import (
	"context"
	"sync"
)

// hub passes wakes on to whoever waits in this process.
type hub struct {
	mu   sync.Mutex
	subs map[string]map[chan struct{}]struct{}
}

func (h *hub) init() { h.subs = map[string]map[chan struct{}]struct{}{} }

func (h *hub) subscribe(topics ...string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		if h.subs[t] == nil {
			h.subs[t] = map[chan struct{}]struct{}{}
		}
		h.subs[t][ch] = struct{}{}
	}
	return ch, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, t := range topics {
			if delete(h.subs[t], ch); len(h.subs[t]) == 0 {
				delete(h.subs, t)
			}
		}
	}
}

func (h *hub) wake(topic string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs[topic] {
		select {
		case ch <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// wake is called by the store when something changed.
func (e *Engine) wake(topic string) {
	if topic == TopicOverrides {
		e.background(func(ctx context.Context) {
			if err := e.RefreshOverrides(ctx); err != nil {
				e.report("overrides", "switches and lists could not be read again; the next look is in a moment", err)
			}
		})
	}
	if topic == TopicLeft && e.sweepsAsked.Add(1) == 1 {
		e.background(e.sweepLeft)
	}
	e.replica.woken(topic)
	e.hub.wake(topic)
}

// sweepLeft takes what another instance has left, until nothing more was left meanwhile: one sweep at a time.
func (e *Engine) sweepLeft(ctx context.Context) {
	for asked := e.sweepsAsked.Load(); ; asked = e.sweepsAsked.Load() {
		if err := e.Sweep(ctx); err != nil && ctx.Err() == nil {
			e.report("store", "a call that another instance has left could not be taken at once; the next sweep does", err)
		}
		if e.sweepsAsked.CompareAndSwap(asked, 0) {
			return
		}
	}
}

// Subscribe answers a channel that receives whenever one of the topics is woken. End it with the function.
func (e *Engine) Subscribe(topics ...string) (<-chan struct{}, func()) {
	return e.hub.subscribe(topics...)
}
