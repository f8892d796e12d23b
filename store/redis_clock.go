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
// and leases, which end by it, may have ended before their time.
type serverClock struct{ last atomic.Pointer[reading] }

// reading is a time of another clock, and when it was read.
type reading struct {
	at, read time.Time
	shift    time.Duration // by how much that clock was set forward, as all instances know
}

// now is what the clock should say, or the zero time if that is not known.
func (c *serverClock) now() time.Time {
	if r := c.last.Load(); r != nil {
		return r.at.Add(time.Since(r.read))
	}
	return time.Time{}
}

// Beat is part of [engine.Instances]. The time it answers is that of Redis' clock as if it had never been set while calls
// were alive, and the same for all instances.
func (s *redisStore) Beat(ctx context.Context, instance string, lease time.Duration) (epoch string, at time.Time, err error) {
	for {
		sent, should := time.Now(), s.clock.now()
		reply, err := s.run(ctx, s.scripts.beat, []string{keyInstances, keyEpoch, keyLive}, instance, lease.Microseconds(), rand.Text(),
			s.gate.Microseconds(), micros(should), s.jumpTolerance())
		if err != nil {
			return "", time.Time{}, err
		}
		answer, half := list(reply), time.Since(sent)/2
		epoch, at = text(answer[0]), fromMicros(number(answer[1]))
		if epoch != "" {
			shift := time.Duration(number(answer[2])) * time.Microsecond
			s.clock.last.Store(&reading{at: at, read: sent.Add(half), shift: shift})
			return epoch, at.Add(-shift), nil
		}
		if err := s.jumped(ctx, instance, lease, at.Sub(should.Add(half))); err != nil {
			return "", time.Time{}, err
		}
		s.clock.last.Store(nil)
	}
}

// jumpTolerance is how far the clock of Redis may be from what was expected when a step was sent, in microseconds: a step
// may take as long as its deadline.
func (s *redisStore) jumpTolerance() int64 { return (maxJump + s.timeout).Microseconds() }

// jumped tells all that the clock of Redis was set.
func (s *redisStore) jumped(ctx context.Context, instance string, lease, by time.Duration) error {
	last := s.clock.last.Load()
	reply, err := s.run(ctx, s.scripts.jumped, []string{keyEpoch, keyInstances}, last.shift.Microseconds(), by.Microseconds(), instance,
		lease.Microseconds(), rand.Text(), s.gate.Microseconds())
	switch {
	case err != nil:
		return err
	case number(reply) == 1:
		s.log.Warn("the clock of Redis was set: leases may have ended before their time, so no agent is rung until what calls hold "+
			"is written back; let NTP set it, slowly", "store", s.address, "by", by.Round(time.Millisecond).String())
	default:
		s.log.Info("the clock of Redis was set, and that is known, or this machine slept", "store", s.address, "by", by.Round(time.Millisecond).String())
	}
	return nil
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
