package engine

import (
	"sync/atomic"
	"time"
)

// maxSkew is how far this machine's clock may be from the store's before the store's is believed instead.
const maxSkew = 5 * time.Second

// Clock is the time by which a router counts leases, answer windows and limits. It goes on evenly when the clock of the
// machine is set, and follows the store's clock where the two disagree: else an instance whose clock is wrong would end
// calls of the others, and one whose clock is put right would take every slot for expired. Opening hours go by the clock
// on the wall.
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

// follow compares the machine's clock with the store's, and answers how far the machine's is ahead.
func (c *Clock) follow(store time.Time) (ahead time.Duration) {
	now, wall := time.Now(), c.wall()
	ahead = wall.Sub(store)
	at := wall
	if ahead.Abs() > maxSkew {
		at = store
	}
	c.anchor.Store(&anchor{at, now})
	return ahead
}
