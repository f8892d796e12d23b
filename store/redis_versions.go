package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"callrouter/engine"
)

// PutVersion is part of [engine.Versions].
func (s *redisStore) PutVersion(ctx context.Context, version string, packed []byte) error {
	return s.do(ctx, func(ctx context.Context) error {
		// In this order, so that nothing is kept that no purge finds.
		if err := s.client.ZAdd(ctx, keyTouched, s.touched(version)).Err(); err != nil {
			return err
		}
		return s.client.HSet(ctx, keyVersions, version, packed).Err()
	})
}

func (s *redisStore) touched(version string) redis.Z {
	return redis.Z{Score: float64(micros(s.now())), Member: version}
}

// TouchVersion is part of [engine.Versions].
func (s *redisStore) TouchVersion(ctx context.Context, version string) error {
	var kept bool
	err := s.do(ctx, func(ctx context.Context) (err error) {
		if kept, err = s.client.HExists(ctx, keyVersions, version).Result(); err != nil || !kept {
			return err
		}
		return s.client.ZAdd(ctx, keyTouched, s.touched(version)).Err()
	})
	if err == nil && !kept {
		err = engine.ErrNotFound
	}
	return err
}

// Version is part of [engine.Versions].
func (s *redisStore) Version(ctx context.Context, version string) (packed []byte, err error) {
	missing := false
	err = s.do(ctx, func(ctx context.Context) (err error) {
		packed, err = s.client.HGet(ctx, keyVersions, version).Bytes()
		if missing = errors.Is(err, redis.Nil); missing {
			return nil
		}
		return err
	})
	if missing && err == nil {
		err = engine.ErrNotFound
	}
	return packed, err
}

// purgeVersions deletes versions that were last in force so long before t that no record can name them. One that comes
// in force again meanwhile is put anew: its instance no longer finds it.
func (s *redisStore) purgeVersions(ctx context.Context, t time.Time) error {
	old, err := s.scores(ctx, redis.ZRangeArgs{
		Key: keyTouched, ByScore: true, Start: "-inf",
		Stop: "(" + strconv.FormatInt(micros(t.Add(-versionMargin)), 10), Count: listBatch,
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.do(ctx, func(ctx context.Context) error {
		if err := s.client.HDel(ctx, keyVersions, old...).Err(); err != nil {
			return err
		}
		return s.client.ZRem(ctx, keyTouched, old).Err()
	})
}
