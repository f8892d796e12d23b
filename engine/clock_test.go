package engine_test

import (
	"strings"
	"testing"
	"time"

	"callrouter/engine"
)

const clockRules = header + `
rules:
  - {name: closed, when: '!open("office")', then: reject}
  - {name: vip, when: 'listed("vip")', then: {accept: greeting}}
  - {name: desk, then: {handoff: one}}
default: reject
`

// The machine's clock is set while calls are in hand: none is ended early, no slot becomes free, no new call is taken
// for an old one, and the operator is told, once. Opening hours go by the clock on the wall.
func TestMachineClockIsSet(t *testing.T) {
	for _, by := range []time.Duration{-24 * time.Hour, -time.Hour, time.Hour, 24 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			inWorld(t, clockRules, func(w *world) {
				w.media.length = time.Hour
				w.present("ana")
				w.connectAt("played", vip, time.Now())
				w.connectAt("talks", caller, time.Now())
				if err := w.answer("ana"); err != nil {
					t.Fatal(err)
				}
				w.set.Store(int64(by))
				w.connectAt("at once", caller, time.Now())
				pass(30 * time.Second)
				w.want("played", engine.Active, "", "accept")
				w.want("talks", engine.Active, "", "accept")
				w.want("at once", engine.Ended, engine.Rejected, "reject")
				w.connectAt("later", caller, time.Now())
				w.want("later", engine.Ended, engine.Rejected, "reject")
				if n := w.observed.count("clock"); n != 1 {
					t.Errorf("the operator was told %d times", n)
				}
				w.set.Store(int64(12 * time.Hour)) // night
				w.connectAt("night", caller, time.Now())
				if c := w.want("night", engine.Ended, engine.Rejected, "reject"); c.Rule != "closed" {
					t.Errorf("at night on the wall: decided by %q %q", c.By, c.Rule)
				}
				w.set.Store(0)
				pass(9*time.Minute + 35*time.Second)
				w.want("talks", engine.Ended, engine.Reaped, "accept", "hang-up")
			})
		})
	}
}

// An instance whose clock is ahead, for whatever reason, does not end the calls that ring at others.
func TestInstanceWithAnotherClock(t *testing.T) {
	inWorld(t, clockRules, func(w *world) {
		w.present("ana")
		w.connectAt("rings", caller, time.Now())
		first, jobs, store := w.e, w.stopJobs, w.store
		w.store = &breakableStore{Store: store.Store}
		w.store.set.Store(int64(time.Minute))
		w.clock = engine.NewClock(w.clock.Wall)
		w.e = w.newEngine()
		w.start(w.e)
		pass(4 * time.Second)
		w.want("rings", engine.Offered, "")
		w.stopJobs()
		if err := w.e.Stop(w.t.Context()); err != nil {
			t.Error(err)
		}
		w.e, w.stopJobs, w.store = first, jobs, store
		if err := w.answer("ana"); err != nil {
			t.Fatal(err)
		}
		w.want("rings", engine.Active, "", "accept")
	})
}

// Instances whose clocks differ by some seconds agree on what is when, and no operator hears of it.
func TestClockThatIsSomeSecondsAhead(t *testing.T) {
	for _, ahead := range []time.Duration{-4 * time.Second, 4 * time.Second} {
		inWorld(t, clockRules, func(w *world) {
			w.set.Store(int64(ahead))
			pass(3 * time.Second)
			w.connect("a", caller)
			if at := w.call("a").ReceivedAt; time.Since(at).Abs() > time.Second {
				t.Errorf("%s ahead: received at %s, and it is %s", ahead, at, time.Now())
			}
			if n := w.observed.count("clock"); n != 0 {
				t.Errorf("%s ahead: the operator was told", ahead)
			}
		})
	}
}

// Go compares two instants that carry a monotonic reading by that alone, so a clock that carries one would never see
// that the machine's was set.
func TestClockCarriesNoMonotonicReading(t *testing.T) {
	c := engine.NewClock(nil)
	for what, at := range map[string]time.Time{"the clock": c.Now(), "the wall": c.Wall()} {
		if strings.Contains(at.String(), " m=") {
			t.Errorf("%s says %s", what, at)
		}
	}
}

func (o *observer) count(kind string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, e := range o.errors {
		if e == kind {
			n++
		}
	}
	return n
}
