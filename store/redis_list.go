package store

import (
	"cmp"
	"context"
	"errors"
	"math"

	"github.com/redis/go-redis/v9"

	"callrouter/engine"
)

// listBatch is how many records are read, or deleted, in one step.
const listBatch = 128

// pages goes along an index, page by page. Each page begins where the last one ended: at that time, after as many calls
// of that time as were seen. An offset from the start would make Redis skip everything seen before.
type pages struct {
	z  redis.ZRangeArgs
	at float64 // the time of the last call seen
}

func newPages(z redis.ZRangeArgs) *pages {
	z.ByScore = true
	return &pages{z: z, at: math.Inf(-1)}
}

// next returns the next calls of the index, at most so many; fewer are the last.
func (p *pages) next(ctx context.Context, s *redisStore, count int) (page []redis.Z, err error) {
	p.z.Count = int64(count)
	err = s.do(ctx, func(ctx context.Context) (err error) {
		page, err = s.client.ZRangeArgsWithScores(ctx, p.z).Result()
		return err
	})
	for _, m := range page {
		if m.Score != p.at {
			p.at, p.z.Offset = m.Score, 0
		}
		p.z.Offset++
	}
	if len(page) > 0 {
		p.z.Start = int64(p.at)
	}
	return page, err
}

// List is part of [engine.Calls]. A page takes two round trips.
func (s *redisStore) List(ctx context.Context, f engine.Filter) ([]*engine.Call, error) {
	index, among, err := s.choose(ctx, f)
	if err != nil {
		return nil, err
	}
	z := redis.ZRangeArgs{Key: index, Rev: !f.Oldest, Start: "+inf", Stop: micros(f.Since)}
	if f.Oldest {
		z.Start, z.Stop = z.Stop, z.Start
	}
	if after := micros(f.After.Received); after != 0 && (!f.Oldest || after > micros(f.Since)) {
		z.Start = after
	}
	var calls []*engine.Call
	limit := limitOf(f)
	first := limit
	if f.After.Key != "" {
		first++ // the call of the cursor is in the first page, too
	}
	for p, count := newPages(z), min(first, listBatch); ; count = min(count, listBatch) {
		page, err := p.next(ctx, s, count)
		if err != nil {
			return nil, err
		}
		keys := keysBehind(page, f)
		batch, err := s.read(ctx, keys, among)
		if err != nil {
			return nil, err
		}
		for _, c := range batch {
			if matches(f, c) {
				calls = append(calls, c)
			}
			if len(calls) == limit {
				return calls, nil
			}
		}
		if len(page) < count {
			return calls, nil
		}
		if count = listBatch; len(batch) == len(keys) { // so far none was left out
			count = limit - len(calls)
		}
	}
}

// keysBehind returns the calls of a page that are behind the cursor of a filter. Redis sorts those of one time by key.
func keysBehind(page []redis.Z, f engine.Filter) (keys []string) {
	after := float64(micros(f.After.Received))
	for _, m := range page {
		key, _ := m.Member.(string)
		if m.Score == after && (f.Oldest && key <= f.After.Key || !f.Oldest && key >= f.After.Key) {
			continue
		}
		keys = append(keys, key)
	}
	return keys
}

// choose returns the index to go along, and another one that the calls must be in, or "".
func (s *redisStore) choose(ctx context.Context, f engine.Filter) (index, among string, err error) {
	complete := false
	if f.Outcome != "" {
		if complete, err = s.allIndexed(ctx); err != nil {
			return "", "", err
		}
	}
	switch {
	case f.Outcome != "" && complete:
		index, among = keyOutcome(f.Outcome), ""
	case f.State == engine.Ended:
		among = keyEnded
	case f.State != "":
		index, among = keyLive, ""
	}
	if f.Caller != "" {
		return keyCaller(f.Caller), cmp.Or(among, index), nil
	}
	return cmp.Or(index, keyReceived), among, nil
}

// allIndexed reports whether the indexes of outcomes have all ended calls.
func (s *redisStore) allIndexed(ctx context.Context) (bool, error) {
	reply, err := s.run(ctx, s.scripts.indexed, append([]string{keyEnded}, keysOutcomes()...))
	return number(reply) == 1, err
}

// read reads records, except those that are gone or damaged, or not in the index named among, if there is one.
func (s *redisStore) read(ctx context.Context, keys []string, among string) ([]*engine.Call, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	names, args := []string{cmp.Or(among, keyEnded)}, []any{among != ""}
	for _, key := range keys {
		names, args = append(names, keyCall(key)), append(args, key)
	}
	reply, err := s.run(ctx, s.scripts.read, names, args...)
	if err != nil {
		return nil, err
	}
	var calls []*engine.Call
	for i, pair := range list(reply) {
		c, err := s.decode(keys[i], list(pair))
		if err != nil && !errors.Is(err, engine.ErrDamaged) {
			return nil, err
		}
		if c != nil {
			calls = append(calls, c)
		}
	}
	return calls, nil
}
