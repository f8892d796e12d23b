package store

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"callrouter/engine"
)

// maxJump is how far the clock of Redis may be from where it should be before it counts as one that was set.
const maxJump = time.Second

// serverClock is what the clock of Redis said at the last beat. It should go on from there: where it does not, it was set,
// and leases, which end by it, may have ended before their time. (A machine that slept finds the same; it costs a gate.)
type serverClock struct{ last atomic.Pointer[reading] }

// reading is a time of another clock, and when it was read.
type reading struct{ at, read time.Time }

// now is what the clock should say, or the zero time if that is not known.
func (c *serverClock) now() time.Time {
	if r := c.last.Load(); r != nil {
		return r.at.Add(time.Since(r.read))
	}
	return time.Time{}
}

// read takes in what the clock said to a question that was sent an instant ago, or answers by how much it was set.
func (c *serverClock) read(at, sent time.Time) (jump time.Duration) {
	took := time.Since(sent)
	if should := c.now(); !should.IsZero() {
		early, late := at.Sub(should.Add(-took)), at.Sub(should)
		if early < -maxJump || late > maxJump {
			return late
		}
	}
	c.last.Store(&reading{at: at, read: sent.Add(took / 2)})
	return 0
}

// Beat is part of [engine.Instances].
func (s *redisStore) Beat(ctx context.Context, instance string, lease time.Duration) (epoch string, at time.Time, err error) {
	for {
		sent := time.Now()
		reply, err := s.run(ctx, s.scripts.beat, []string{keyInstances, keyEpoch}, instance, lease.Microseconds(), rand.Text(), s.gate.Microseconds())
		if err != nil {
			return "", time.Time{}, err
		}
		answer := list(reply)
		epoch, at = text(answer[0]), fromMicros(number(answer[1]))
		jump := s.clock.read(at, sent)
		if jump == 0 {
			return epoch, at, nil
		}
		s.log.Warn("the clock of Redis was set, or this machine slept: leases may have ended before their time, so no agent is rung "+
			"until what calls hold is written back; let the clock be set by NTP, slowly", "store", s.address, "by", jump.Round(time.Millisecond).String())
		if _, err := s.run(ctx, s.scripts.jumped, []string{keyEpoch}, epoch, rand.Text(), s.gate.Microseconds()); err != nil {
			return "", time.Time{}, err
		}
		s.clock.last.Store(nil)
	}
}

// renew lets a call hold its slots for as long as its record says, although their leases have ended. A record that has
// changed since was written with leases of its own.
func (s *redisStore) renew(ctx context.Context, c *engine.Call) error {
	if len(c.Holds) == 0 {
		return nil
	}
	keys, args := []string{keyCall(c.Key())}, []any{c.Key(), c.Rev}
	for _, h := range c.Holds {
		keys = append(keys, keySlots(h.Agent))
		args = append(args, string(h.Kind), h.Until.Sub(s.now()).Microseconds())
	}
	_, err := s.run(ctx, s.scripts.renew, keys, args...)
	return err
}
