package engine

import (
	"sync/atomic"
	"time"
)

const (
	// followSkew is how far this machine's clock may be from the store's before the store's is believed instead: instances
	// must agree on when a phone stops to ring.
	followSkew = time.Second
	// maxSkew is how far before the operator is told.
	maxSkew = 5 * time.Second
)

// Clock is the time by which a router counts answer windows and limits. It goes on evenly when the machine's clock is set, and
// stays near the store's, which goes on evenly too: else an instance whose clock is wrong would end calls of the others, and
// one whose clock is put right would take those that ring for too late. Opening hours go by the clock on the wall.
type Clock struct {
	wall   func() time.Time
	anchor atomic.Pointer[anchor]
}

// anchor is an instant, and when it was that.
type anchor struct {
	at   time.Time
	read time.Time // with the monotonic clock
}

// NewClock makes a clock that begins with what the wall says; time.Now if nil.
func NewClock(wall func() time.Time) *Clock {
	if wall == nil {
		wall = time.Now
	}
	// Without the monotonic reading: two instants that have one are compared by it, and it does not know of a clock that was set.
	c := &Clock{wall: func() time.Time { return wall().Round(0) }}
	c.anchor.Store(&anchor{c.wall(), time.Now()})
	return c
}

// Now is the time since the clock was last compared, on top of what it was then.
func (c *Clock) Now() time.Time {
	a := c.anchor.Load()
	return a.at.Add(time.Since(a.read))
}

// Wall is what the machine's clock says.
func (c *Clock) Wall() time.Time { return c.wall() }

// follow keeps this clock near the store's: by the machine's, or where that is not near it either by the store's own. It
// answers how far the machine's clock is ahead of the store's.
func (c *Clock) follow(store time.Time) (ahead time.Duration) {
	now, wall, a := time.Now(), c.wall(), c.anchor.Load()
	at := a.at.Add(now.Sub(a.read))
	ahead = wall.Sub(store)
	if at.Sub(store).Abs() > followSkew {
		if at = wall; ahead.Abs() > followSkew {
			at = store
		}
	}
	c.anchor.Store(&anchor{at, now})
	return ahead
}
