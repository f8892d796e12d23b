package store

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"callrouter/engine"
)

// purgeRest is how many times as long as a batch took Purge rests after it. A call takes several steps, and each may
// come while Redis deletes a batch; so Redis has to be free for most of the time.
const purgeRest = 4

// Purge is part of [engine.Calls]. It also deletes switches and entries that ended before t, and mends the indexes of
// outcomes. It reads no records: a batch takes three round trips. It rests between them.
func (s *redisStore) Purge(ctx context.Context, t time.Time) (int, error) {
	total := 0
	for {
		began := time.Now()
		keys, err := s.scores(ctx, redis.ZRangeArgs{
			Key: keyEnded, ByScore: true, Start: "-inf", Stop: "(" + strconv.FormatInt(micros(t), 10), Count: listBatch,
		})
		if err != nil {
			return total, err
		}
		n := 0
		if len(keys) > 0 {
			if n, err = s.purgeCalls(ctx, keys, t); err != nil {
				return total, err
			}
		}
		total += n
		if n == 0 || len(keys) < listBatch {
			break
		}
		if err := rest(ctx, purgeRest*time.Since(began)); err != nil {
			return total, err
		}
	}
	if err := s.index(ctx); err != nil {
		return total, err
	}
	return total, s.purgeExpired(ctx, t)
}

// purgeCalls deletes calls that ended before t, and returns how many.
func (s *redisStore) purgeCalls(ctx context.Context, keys []string, t time.Time) (int, error) {
	calls := make([]string, len(keys))
	for i, key := range keys {
		calls[i] = keyCall(key)
	}
	callers, err := s.run(ctx, s.scripts.callers, calls)
	if err != nil {
		return 0, err
	}
	indexes := append([]string{keyReceived, keyLive, keyDue("")}, keysOutcomes()...)
	names, args := append([]string{keyEnded}, indexes...), []any{micros(t), len(indexes)}
	for i, key := range keys {
		of := list(at(list(callers), i))
		caller, other := text(at(of, 0)), text(at(of, 1))
		both := bothKey(caller, other)
		if other == "" {
			other, both = caller, caller
		}
		names = append(names, calls[i], keyCaller(caller), keyCaller(other), keyCaller(both))
		args = append(args, key)
	}
	reply, err := s.run(ctx, s.scripts.purge, names, args...)
	return int(number(reply)), err
}

// index mends the indexes of outcomes, if a process of an older version has ended or deleted calls.
func (s *redisStore) index(ctx context.Context) error {
	complete, err := s.allIndexed(ctx)
	if err != nil || complete {
		return err
	}
	err = s.each(ctx, keyEnded, func(page []redis.Z) error { return s.indexCalls(ctx, page) })
	for _, index := range keysOutcomes() {
		if err != nil {
			return err
		}
		err = s.each(ctx, index, func(page []redis.Z) error {
			_, err := s.run(ctx, s.scripts.unindex, []string{keyEnded, index}, members(page)...)
			return err
		})
	}
	return err
}

// each goes through an index, page by page. If do deletes entries, others may be passed over, which the next purge
// finds.
func (s *redisStore) each(ctx context.Context, index string, do func(page []redis.Z) error) error {
	for p := newPages(redis.ZRangeArgs{Key: index, Start: "-inf", Stop: "+inf"}); ; {
		page, err := p.next(ctx, s, listBatch)
		if err == nil && len(page) > 0 {
			err = do(page)
		}
		if err != nil || len(page) < listBatch {
			return err
		}
	}
}

func members(page []redis.Z) []any {
	all := make([]any, len(page))
	for i, m := range page {
		all[i] = m.Member
	}
	return all
}

// indexCalls puts ended calls into the indexes of their outcomes, and damaged ones into that of no outcome.
func (s *redisStore) indexCalls(ctx context.Context, page []redis.Z) error {
	var keys []string
	for _, m := range page {
		key, _ := m.Member.(string)
		keys = append(keys, key)
	}
	calls, err := s.read(ctx, keys, "")
	if err != nil {
		return err
	}
	var args []any
	for _, key := range keys {
		var c engine.Call
		if i := slices.IndexFunc(calls, func(c *engine.Call) bool { return c.Key() == key }); i >= 0 {
			c = *calls[i]
		}
		which := slices.Index(outcomes[:], c.Outcome)
		if which < 0 {
			which = len(outcomes) - 1
		}
		args = append(args, key, micros(c.ReceivedAt), which+2) // Lua counts from 1, and the first is ended
	}
	_, err = s.run(ctx, s.scripts.index, append([]string{keyEnded}, keysOutcomes()...), args...)
	return err
}
