package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// A machine sleeps: Go's monotonic clock stands still, and the clock on the wall goes on. The router's time goes on too,
// and so does the time for which the process runs, since a lease that others watch has ended meanwhile. A clock that is
// set changes neither.
func TestClockGoesOnWhileTheMachineSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asleep, set time.Duration
		wall := func() time.Time { return time.Now().Add(asleep + set) }
		c := newClock(wall, func() time.Duration { return 5*time.Hour + asleep })
		check := func(when string, uptime time.Duration) {
			t.Helper()
			if got := c.Uptime(); got != uptime {
				t.Errorf("%s: it has run for %s, want %s", when, got, uptime)
			}
			if ahead := wall().Sub(c.Now()); ahead != set {
				t.Errorf("%s: the wall is %s ahead of the router's time, want %s", when, ahead, set)
			}
		}
		<-time.After(time.Minute)
		check("awake", time.Minute)
		asleep = 8 * time.Hour
		<-time.After(sleepStep)
		check("after a night", 8*time.Hour+time.Minute+sleepStep)
		set = time.Hour
		<-time.After(time.Minute)
		check("when its clock was set", 8*time.Hour+2*time.Minute+sleepStep)
		if ahead := c.follow(c.Now()); ahead != time.Hour { // as the embedded store says
			t.Errorf("the machine's clock is %s ahead of the store's, want 1h", ahead)
		}
		check("when it was compared", 8*time.Hour+2*time.Minute+sleepStep)
		asleep += 30 * time.Minute
		<-time.After(time.Minute)
		check("after a nap", 8*time.Hour+33*time.Minute+sleepStep)
	})
}
