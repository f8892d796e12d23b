package store

import (
	"sync"
	"sync/atomic"

	"callrouter/engine"
)

// known keeps what values of a store were decoded to: those of a queue and its agents are read with each call that is
// handed out, and few of them change in between. A value counts only while the store has the same bytes, so it may be
// old but is never wrong. What it returns is shared: nobody may change it.
type known struct {
	waiters sync.Map     // queue -> *waitersOf
	agents  sync.Map     // agent -> *decodedAgent
	misses  atomic.Int64 // values that had to be decoded, for tests
}

// waitersOf are the calls that waited in a queue when it was last read, by the call's key.
type waitersOf map[string]decodedWaiter

type decodedWaiter struct {
	raw string
	w   engine.Waiter
}

type decodedAgent struct {
	raw string
	doc *agentDoc
}

// queue begins to read a queue.
func (k *known) queue(name string) *queueReader {
	r := &queueReader{of: k, name: name, now: waitersOf{}}
	if before, ok := k.waiters.Load(name); ok {
		r.before = before.(waitersOf)
		r.now = make(waitersOf, len(r.before)+1)
	}
	return r
}

// queueReader reads a queue once.
type queueReader struct {
	of          *known
	name        string
	before, now waitersOf
}

// waiter returns a call that waits.
func (r *queueReader) waiter(key, raw string) (engine.Waiter, error) {
	if before, ok := r.before[key]; ok && before.raw == raw {
		r.now[key] = before
		return before.w, nil
	}
	r.of.misses.Add(1)
	w, err := decodeWaiter(key, []byte(raw))
	if err == nil {
		r.now[key] = decodedWaiter{raw, w}
	}
	return w, err
}

// end keeps what was read, and drops what is not there any more.
func (r *queueReader) end() {
	if len(r.now) == 0 {
		r.of.waiters.Delete(r.name)
		return
	}
	r.of.waiters.Store(r.name, r.now)
}

// agent returns what is stored about an agent; it must not be changed.
func (k *known) agent(name string, raw []byte) (*agentDoc, error) {
	if before, ok := k.agents.Load(name); ok && before.(*decodedAgent).raw == string(raw) {
		return before.(*decodedAgent).doc, nil
	}
	k.misses.Add(1)
	doc, err := decodeAgent(name, raw)
	if err == nil {
		k.agents.Store(name, &decodedAgent{string(raw), doc})
	}
	return doc, err
}
