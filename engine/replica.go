package engine

import (
	"math"
	"strings"
	"sync"
	"time"
)

// replica is what this instance knows of calls: its own, and those of agents connected to it. It serves two purposes.
// It restores data that the store has lost: otherwise an agent who talks would be rung again. And it keeps the records
// that an unreachable store cannot take, until it can. A call may have both a stored and a kept record; the kept one
// is newer.
type replica struct {
	mu    sync.Mutex
	calls map[string]*localCall // by Key
	kept  int                   // calls with a kept record
	epoch string                // the store's, at the last beat
}

// localCall is one call as this instance knows it. At least one of stored and kept is set.
type localCall struct {
	stored  *Call     // as the store had it when this instance last wrote or read it
	readAt  time.Time // when that was
	changed bool      // a wake said that the stored record has changed since

	kept *Call // what the store could not take yet; it is newer than stored

	attempts int           // hang-ups while the store could not be asked
	retryAt  time.Duration // uptime of the next one
}

const (
	// endedFor is how long an ended call stays: a replica of Redis that lags by more than this would bring it back.
	endedFor = time.Minute
	// trustedFor is how long a stored record counts as current although no wake reported a change: wakes may be lost.
	trustedFor = time.Minute
)

func (p *replica) init() { p.calls = map[string]*localCall{} }

// entry returns the entry of a call, a new one if there is none. The caller holds mu and sets stored or kept.
func (p *replica) entry(key string) *localCall {
	l := p.calls[key]
	if l == nil {
		l = &localCall{}
		p.calls[key] = l
	}
	return l
}

// drop removes an entry without records. The caller holds mu.
func (p *replica) drop(key string, l *localCall) {
	if l.stored == nil && l.kept == nil {
		delete(p.calls, key)
	}
}

// note remembers a record as the store has it now, unless a newer one is known.
func (p *replica) note(c *Call, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.entry(c.Key()); l.stored == nil || l.stored.Rev <= c.Rev {
		l.stored, l.readAt, l.changed = c, now, false
	}
}

// stored returns the record that the store is known to have, or nil.
func (p *replica) stored(key string) *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.calls[key]; l != nil {
		return l.stored
	}
	return nil
}

// forget drops the stored record of a call that another instance looks after, or that nobody has to.
func (p *replica) forget(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.calls[key]; l != nil {
		l.stored = nil
		p.drop(key, l)
	}
}

// woken notes that a stored record has changed.
func (p *replica) woken(topic string) {
	key, ok := strings.CutPrefix(topic, TopicCall(""))
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.calls[key]; l != nil {
		l.changed = true
	}
}

// look drops calls that ended a while ago. It returns all stored records, and those that must be read again.
func (p *replica) look(now time.Time) (all, stale []*Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, l := range p.calls {
		switch {
		case l.stored == nil:
			continue
		case l.stored.State == Ended && now.Sub(l.stored.EndedAt) > endedFor:
			l.stored = nil
			p.drop(key, l)
			continue
		case l.stored.State == Ended:
		case l.changed && l.stored.State == Active, now.Sub(l.readAt) > trustedFor:
			stale = append(stale, l.stored)
		}
		all = append(all, l.stored)
	}
	return all, stale
}

// newEpoch reports whether the store's epoch differs from that of the last beat.
func (p *replica) newEpoch(epoch string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.epoch != "" && p.epoch != epoch
	p.epoch = epoch
	return changed
}

// keepNew keeps a record unless the call already has one, and reports whether it did.
func (p *replica) keepNew(c *Call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.entry(c.Key())
	if l.kept != nil {
		return false
	}
	l.kept = c
	p.kept++
	return true
}

// keep keeps the record of a call whose runner goes on in memory, and adds the caller's end if only that was kept so
// far.
func (p *replica) keep(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.entry(c.Key())
	if l.kept == nil {
		p.kept++
	} else if l.kept.CallerEnd != nil && c.CallerEnd == nil && c.State != Ended {
		c.callerEnded(*l.kept.CallerEnd)
	}
	l.kept = c
}

// keptCall returns the kept record of a call, or nil.
func (p *replica) keptCall(key string) *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.calls[key]; l != nil {
		return l.kept
	}
	return nil
}

// change works on a copy of the kept record and returns it with its new revision, or nil if none is kept.
func (p *replica) change(key string, change func(c *Call)) *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.calls[key]
	if l == nil || l.kept == nil {
		return nil
	}
	next := l.kept.Clone()
	change(next)
	next.Rev++
	l.kept = next
	return next
}

// addEnd adds the caller's end to a kept record without one, also if the call is over.
func (p *replica) addEnd(key string, end CallerEnd) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.calls[key]; l != nil && l.kept != nil && l.kept.CallerEnd == nil {
		next := l.kept.Clone()
		next.callerEnded(end)
		l.kept = next
	}
}

// allKept returns every record that the store could not take yet.
func (p *replica) allKept() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := make([]*Call, 0, p.kept)
	for _, l := range p.calls {
		if l.kept != nil {
			calls = append(calls, l.kept)
		}
	}
	return calls
}

// taken drops a kept record that the store has by now, unless it has changed since.
func (p *replica) taken(c *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.calls[c.Key()]; l != nil && l.kept == c {
		l.kept = nil
		p.kept--
		p.drop(c.Key(), l)
	}
}

// size counts the kept records.
func (p *replica) size() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}

// newest returns the newest known record of every call.
func (p *replica) newest() []*Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	calls := make([]*Call, 0, len(p.calls))
	for _, l := range p.calls {
		if l.kept != nil {
			calls = append(calls, l.kept)
		} else {
			calls = append(calls, l.stored)
		}
	}
	return calls
}

// unanswered returns the keys of the calls of an owner that ring, as the store has them.
func (p *replica) unanswered(owner string) (keys []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, l := range p.calls {
		if l.stored != nil && l.stored.Owner == owner && l.stored.State.Ringing() {
			keys = append(keys, key)
		}
	}
	return keys
}

// claimHangUp reports whether a hang-up without the store is due, and if so puts off the next one.
func (p *replica) claimHangUp(key string, now time.Duration, t Timing) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.calls[key]
	if l == nil || now < l.retryAt {
		return false
	}
	l.attempts++
	l.retryAt = now + t.MediaWait + min(t.HangUpMax, time.Second<<min(l.attempts, 10))
	return true
}

// hungUp notes that Positus confirmed a hang-up while the store could not be asked.
func (p *replica) hungUp(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.calls[key]; l != nil {
		l.retryAt = math.MaxInt64
	}
}

// storeIsBack forgets the attempts made without the store: records in the store count their own.
func (p *replica) storeIsBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.calls {
		l.attempts, l.retryAt = 0, 0
	}
}
