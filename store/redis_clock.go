package store

import (
	"context"
	"crypto/rand"
	"sync/atomic"
	"time"

	"callrouter/engine"
)

// maxJump is how far the clock of Redis may be from where it should be before it counts as set.
const maxJump = time.Second

// serverClock is what the clock of Redis said at the last beat, and where it should be now. If it is elsewhere it was
// set, and leases, which end by it, may have ended early.
type serverClock struct {
	uptime func() time.Duration // see Config
	last   atomic.Pointer[reading]
}

// reading is a time on another clock, and when it was read.
type reading struct {
	at    time.Time
	read  time.Duration // of uptime
	shift time.Duration // how far that clock is ahead of the router's time, as all instances know
	jumps string        // how often it was set
}

// now returns what the clock should say, or the zero time if that is not known.
func (c *serverClock) now() time.Time {
	if r := c.last.Load(); r != nil {
		return r.at.Add(c.uptime() - r.read)
	}
	return time.Time{}
}

// shift returns how far the clock of Redis is ahead of the router's time.
func (c *serverClock) shift() time.Duration {
	if r := c.last.Load(); r != nil {
		return r.shift
	}
	return 0
}

// jumps returns how often the clock of Redis was set, as this instance knows.
func (c *serverClock) jumps() string {
	if r := c.last.Load(); r != nil {
		return r.jumps
	}
	return ""
}

// Beat is part of [engine.Instances]. It returns the time of Redis' clock as if nobody had set it, the same
// for all instances. When somebody has, it comes back to that clock slowly; see beat.lua.
func (s *redisStore) Beat(ctx context.Context, instance string, lease time.Duration) (string, time.Time, error) {
	for {
		sent, should := s.clock.uptime(), s.clock.now()
		reply, err := s.run(ctx, s.scripts.beat, []string{keyInstances, keyEpoch, keyLive, keyReceived},
			instance, lease.Microseconds(), rand.Text(), s.gate.Microseconds(), micros(should), s.jumpTolerance())
		if err != nil {
			return "", time.Time{}, err
		}
		out, half := list(reply), (s.clock.uptime()-sent)/2
		epoch, at := text(out[0]), fromMicros(number(out[1]))
		if epoch != "" {
			shift := time.Duration(number(out[2])) * time.Microsecond
			s.clock.last.Store(&reading{at: at, read: sent + half, shift: shift, jumps: text(out[3])})
			return epoch, at.Add(-shift), nil
		}
		if err := s.jumped(ctx, instance, lease, at.Sub(should.Add(half))); err != nil {
			return "", time.Time{}, err
		}
		s.clock.last.Store(nil)
	}
}

// jumpTolerance returns how far the clock of Redis may be from what was expected when a step was sent, in microseconds.
// The step may arrive as late as its deadline.
func (s *redisStore) jumpTolerance() int64 { return (maxJump + s.timeout).Microseconds() }

// jumped records, for all instances, that the clock of Redis was set.
func (s *redisStore) jumped(ctx context.Context, instance string, lease, by time.Duration) error {
	last := s.clock.last.Load()
	reply, err := s.run(ctx, s.scripts.jumped, []string{keyEpoch, keyInstances},
		last.jumps, by.Microseconds(), instance, lease.Microseconds(),
		rand.Text(), s.gate.Microseconds())
	switch {
	case err != nil:
		return err
	case number(reply) == 1:
		s.log.Warn("the clock of Redis was set, so slots may have expired early; no agent is rung until calls in "+
			"progress have theirs back; let NTP adjust that clock slowly",
			"store", s.address, "by", by.Round(time.Millisecond).String())
	default:
		s.log.Info("this machine slept, or another instance noticed first that the clock of Redis was set",
			"store", s.address, "by", by.Round(time.Millisecond).String())
	}
	return nil
}

// renew gives a call its slots back until the ends that its record names, although their leases have ended. If the
// record has changed, it does nothing: that write set the leases.
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
