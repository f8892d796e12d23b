package engine

import (
	"context"
	"time"
)

// StoreDown is what happens to an incoming call while the store cannot take it.
type StoreDown string

// The two policies.
const (
	// DecideInMemory: rules that need no store decide, the rest take on_error, and the record is written later.
	DecideInMemory StoreDown = "decide"
	// Refuse: the webhook is refused, so that the platform sends it again.
	Refuse StoreDown = "refuse"
)

// storePatience is how long the store may be away before calls are decided without it. A moment's absence is waited
// out, because another instance may have received the same call or webhook.
const storePatience = 750 * time.Millisecond

// patience counts failed attempts at one thing, and when they began. It is spent after leastTries attempts and a
// duration; both must have passed.
type patience struct {
	tries int
	began time.Duration
}

// leastTries is the least number of attempts before the store counts as away. A process that slept finds every deadline
// passed although the store is well.
const leastTries = 3

// spent counts one more failure and reports whether patience is over: at least leastTries failures, for at least d.
func (p *patience) spent(now, d time.Duration) bool {
	if p.tries++; p.tries == 1 {
		p.began = now
	}
	return p.tries >= leastTries && now-p.began >= d
}

// retryStore is called after the store failed. It waits a moment and reports whether to try again. It returns false
// once p is spent, once the store has been away for storePatience, or once ctx ended. So an outage costs patience
// once, not with every call.
func (e *Engine) retryStore(ctx context.Context, p *patience) bool {
	now := e.uptime()
	e.storeFailed(now)
	if over := p.spent(now, storePatience); over || now-time.Duration(e.away.Load()) >= storePatience {
		return false
	}
	select {
	case <-time.After(50 * time.Millisecond):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// storeFailed notes that the store failed, and, if that is new, since when.
func (e *Engine) storeFailed(now time.Duration) {
	if last := e.failed.Swap(int64(now)); now-time.Duration(last) > e.Timing.Lease {
		e.away.Store(int64(now))
	} else {
		e.away.CompareAndSwap(0, int64(now))
	}
}

// overslept reports whether this process slept, rather than the store being away: its lease is over although nothing
// had failed before. Other instances own its calls by now, and webhooks waiting in its socket were sent to them again.
func (e *Engine) overslept() bool {
	return e.leaseOver() && e.uptime()-time.Duration(e.away.Load()) < e.Timing.Lease/3
}
