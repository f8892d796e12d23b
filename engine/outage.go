package engine

import (
	"context"
	"time"
)

// StoreDown says what an incoming call gets while the store cannot take it.
type StoreDown string

// The two policies.
const (
	// DecideInMemory: rules that need no store decide, the rest take on_error, and the record is written later.
	DecideInMemory StoreDown = "decide"
	// Refuse: the webhook is refused, so that the platform sends it again.
	Refuse StoreDown = "refuse"
)

// storePatience is how long the store may be away before calls are decided without it: another instance may have the same
// call, or the same webhook, so a moment's absence is waited out.
const storePatience = 750 * time.Millisecond

// patience is how often something was asked in vain, and since when.
type patience struct {
	tries int
	began time.Duration
}

// leastTries is how often the store is asked before it is taken for away: a process that was asleep finds every deadline
// passed, and the store well.
const leastTries = 3

// spent says whether something was asked often enough, and for so long.
func (p *patience) spent(now, d time.Duration) bool {
	if p.tries++; p.tries == 1 {
		p.began = now
	}
	return p.tries >= leastTries && now-p.began >= d
}

// retryStore waits a moment after the store did not answer, and says whether to ask it retryStore: not once patience is over, and
// not once the store has been away for long, so that an outage costs patience once and not with every call.
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

// storeFailed notes that the store did not answer, and since when it does not.
func (e *Engine) storeFailed(now time.Duration) {
	if last := e.failed.Swap(int64(now)); now-time.Duration(last) > e.Timing.Lease {
		e.away.Store(int64(now))
	} else {
		e.away.CompareAndSwap(0, int64(now))
	}
}

// overslept says whether this process was asleep, and not the store away: its lease is over, and nothing had failed before. The
// others have its calls by now, and a webhook that lay in its socket is theirs too.
func (e *Engine) overslept() bool {
	return e.leaseOver() && e.uptime()-time.Duration(e.away.Load()) < e.Timing.Lease/3
}
