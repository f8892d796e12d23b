package store

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

// slew brings the router's time back to the clock on the wall after the machine's clock was set, as beat.lua does for the
// clock of Redis: slowly while calls live.
type slew struct {
	mu     sync.Mutex
	gained time.Duration // how far the store's time is ahead of the router's, which follows in steps of a second
	now    time.Time     // the router's time at the last beat; zero: there was none
	uptime time.Duration // when that was
}

const (
	slewRate  = 50                     // a second in so many
	slewIdle  = time.Minute            // what goes at once if no call lives
	slewBeats = 10 * time.Second       // how much time counts between two beats at most
	slewFrom  = 100 * time.Millisecond // less is not worth it
)

// storeTime returns the store's time at a beat.
func (s *embedded) storeTime(ctx context.Context) (time.Time, error) {
	c := &s.slew
	c.mu.Lock()
	defer c.mu.Unlock()
	now, uptime := s.now(), s.uptime()
	var passed time.Duration
	if !c.now.IsZero() {
		passed = uptime - c.uptime
		followed := now.Sub(c.now) - passed
		c.gained -= between(followed, min(c.gained, 0), max(c.gained, 0))
	}
	c.now, c.uptime = now, uptime
	off := s.wall().Sub(now.Add(c.gained))
	if off.Abs() < slewFrom {
		return now.Add(c.gained), nil
	}
	most := min(passed, slewBeats) / slewRate
	idle, err := s.mayJump(ctx, now, off)
	if err != nil {
		return now, err
	}
	if idle {
		most = off.Abs()
	}
	c.gained += between(off, -most, most)
	return now.Add(c.gained), nil
}

func between(d, least, most time.Duration) time.Duration { return min(max(d, least), most) }

// mayJump reports whether nothing that is counted notices when the time jumps: no call lives, and it is little or none
// came for a day.
func (s *embedded) mayJump(ctx context.Context, now time.Time, by time.Duration) (idle bool, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if live, _ := tx.Bucket(bucketLive).Cursor().First(); live != nil {
			return nil
		}
		latest, _ := tx.Bucket(bucketReceived).Cursor().Last()
		idle = by.Abs() <= slewIdle || len(latest) < 8 ||
			now.UnixNano()-int64(binary.BigEndian.Uint64(latest)) > int64(24*time.Hour)
		return nil
	})
	return idle, err
}
