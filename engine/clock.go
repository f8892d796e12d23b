package engine

import (
	"sync/atomic"
	"time"
)

const (
	// followSkew is how far this machine's clock may be from the store's before the store's is believed instead: instances
	// must agree on when a phone stops to ring.
	followSkew = time.Second
	// maxSkew is how far before the operator is told, and by how much this clock may jump.
	maxSkew = 5 * time.Second
)

// Clock is the time by which a router counts leases, answer windows and limits. It begins with the machine's clock, or with
// the store's where the two disagree: else an instance whose clock is wrong would end calls of the others. From then on it
// goes on evenly when either clock is set, as long as calls are in hand: else those that ring would be too late at once,
// and those that talk too long. Opening hours go by the clock on the wall.
type Clock struct {
	wall   func() time.Time
	anchor atomic.Pointer[anchor]
}

// anchor is an instant, and when it was that.
type anchor struct {
	at       time.Time
	read     time.Time // with the monotonic clock
	compared bool      // with the store's clock
}

// NewClock makes a clock that begins with what the wall says; time.Now if nil.
func NewClock(wall func() time.Time) *Clock {
	if wall == nil {
		wall = time.Now
	}
	// Without the monotonic reading: two instants that have one are compared by it, and it does not know of a clock that was set.
	c := &Clock{wall: func() time.Time { return wall().Round(0) }}
	c.anchor.Store(&anchor{at: c.wall(), read: time.Now()})
	return c
}

// Now is the time since the clock was last compared, on top of what it was then.
func (c *Clock) Now() time.Time {
	a := c.anchor.Load()
	return a.at.Add(time.Since(a.read))
}

// Wall is what the machine's clock says.
func (c *Clock) Wall() time.Time { return c.wall() }

// follow keeps this clock near the store's: by the machine's, or where that is not near it either by the store's own. What
// would be a jump is left for when quiet says that no call is in hand. It answers how far the machine's clock is ahead of
// the store's, and this one behind the time that it should follow.
func (c *Clock) follow(store time.Time, quiet func() bool) (ahead, behind time.Duration) {
	now, wall, a := time.Now(), c.wall(), c.anchor.Load()
	even := a.at.Add(now.Sub(a.read))
	at := even
	ahead = wall.Sub(store)
	switch near := ahead.Abs() <= followSkew; {
	case a.compared && even.Sub(store).Abs() <= followSkew:
	case near:
		at = wall
	default:
		at = store
	}
	if behind = at.Sub(even); behind.Abs() > maxSkew && a.compared && !quiet() {
		at = even
	}
	c.anchor.Store(&anchor{at: at, read: now, compared: true})
	return ahead, behind
}
