package engine

import (
	"context"
	"sync"
)

// hub passes wakes to waiters in this process.
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

// wake receives the store's wakes.
func (e *Engine) wake(topic string) {
	if topic == TopicOverrides {
		e.background(func(ctx context.Context) {
			if err := e.RefreshOverrides(ctx); err != nil {
				e.report(
					"overrides",
					"cannot read changed switches and lists; calls use the old ones until the next read",
					err,
				)
			}
		})
	}
	if topic == TopicLeft && e.sweepsAsked.Add(1) == 1 {
		e.background(e.sweepLeft)
	}
	e.replica.woken(topic)
	e.dispatchers.freed(topic)
	e.hub.wake(topic)
}

// sweepLeft takes calls that another instance left. It repeats until no more were left meanwhile, so one sweep runs at
// a time.
func (e *Engine) sweepLeft(ctx context.Context) {
	for asked := e.sweepsAsked.Load(); ; asked = e.sweepsAsked.Load() {
		if err := e.Sweep(ctx); err != nil && ctx.Err() == nil {
			e.report(
				"store",
				"cannot take a call that a stopping instance left; the next sweep retries; check the store",
				err,
			)
		}
		if e.sweepsAsked.CompareAndSwap(asked, 0) {
			return
		}
	}
}

// Subscribe returns a channel that receives when one of the topics is woken, and the function that ends it.
func (e *Engine) Subscribe(topics ...string) (<-chan struct{}, func()) {
	return e.hub.subscribe(topics...)
}
