package engine

import (
	"sync/atomic"
	"time"
)

const (
	// followSkew is how far this machine's clock may be from the store's. Beyond it the engine uses the store's:
	// instances must agree on when a phone stops ringing.
	followSkew = time.Second
	// maxSkew is how far apart the clocks may be before the operator hears of it.
	maxSkew = 5 * time.Second
)

// Clock is the time that answer windows and limits go by. It does not jump when the machine's clock is set, and stays
// near the store's, which does not jump either. Otherwise an instance with a wrong clock would end calls of others,
// and one whose clock was corrected would take ringing calls to be late. It goes on while the machine sleeps. Opening
// hours, and what an administrator sets until a time of day, go by the clock on the wall.
type Clock struct {
	wall   func() time.Time
	asleep func() time.Duration // how long the machine has slept, since some instant
	began  time.Time            // with the monotonic clock
	before time.Duration        // what asleep returned then
	slept  atomic.Int64         // how long it has slept since then, in steps of sleepStep
	looked atomic.Int64         // when asleep was asked, in time awake since began
	anchor atomic.Pointer[anchor]
}

// sleepStep is how exactly sleep is counted, and how often it is looked for.
const sleepStep = 100 * time.Millisecond

// anchor is an instant, and when it was that.
type anchor struct {
	at   time.Time
	read time.Duration // of Uptime
}

// NewClock returns a clock that starts with what wall returns; nil means time.Now.
func NewClock(wall func() time.Time) *Clock { return newClock(wall, asleep) }

func newClock(wall func() time.Time, asleep func() time.Duration) *Clock {
	if wall == nil {
		wall = time.Now
	}
	// Without the monotonic reading: two instants that have one are compared by it, and it does not know of a clock
	// that was set.
	c := &Clock{
		wall: func() time.Time { return wall().Round(0) }, asleep: asleep, began: time.Now(), before: asleep(),
	}
	c.anchor.Store(&anchor{at: c.wall()})
	return c
}

// Uptime returns how long this clock has run, no matter how clocks were set and whether the machine slept.
func (c *Clock) Uptime() time.Duration {
	awake := time.Since(c.began)
	looked := c.looked.Load()
	if awake-time.Duration(looked) >= sleepStep && c.looked.CompareAndSwap(looked, int64(awake)) {
		slept := int64((c.asleep() - c.before).Truncate(sleepStep))
		for before := c.slept.Load(); slept > before; before = c.slept.Load() {
			c.slept.CompareAndSwap(before, slept)
		}
	}
	return awake + time.Duration(c.slept.Load())
}

// Now returns the time at the last comparison plus the time since.
func (c *Clock) Now() time.Time {
	a := c.anchor.Load()
	return a.at.Add(c.Uptime() - a.read)
}

// Wall returns the time of the machine's clock.
func (c *Clock) Wall() time.Time { return c.wall() }

// follow keeps this clock near the store's: it follows the machine's clock, or the store's if the machine's is off
// too. It returns how far the machine's clock is ahead of the store's.
func (c *Clock) follow(store time.Time) (ahead time.Duration) {
	now, wall, a := c.Uptime(), c.wall(), c.anchor.Load()
	at := a.at.Add(now - a.read)
	ahead = wall.Sub(store)
	if at.Sub(store).Abs() > followSkew {
		if at = wall; ahead.Abs() > followSkew {
			at = store
		}
	}
	c.anchor.Store(&anchor{at, now})
	return ahead
}
