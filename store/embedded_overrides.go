package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
	"callrouter/rules"
)

func overridesTopic() []string { return []string{engine.TopicOverrides} }

// Switches is part of [engine.Overrides]. It leaves out those that have ended.
func (s *embedded) Switches(ctx context.Context) (map[string]rules.Switch, error) {
	all := map[string]rules.Switch{}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		now := s.wall()
		return tx.Bucket(bucketSwitches).ForEach(func(k, v []byte) error {
			var sw rules.Switch
			if err := json.Unmarshal(v, &sw); err != nil {
				return err
			}
			if !expired(sw.Until, now) {
				all[string(k)] = sw
			}
			return nil
		})
	})
	return all, err
}

// SetSwitch is part of [engine.Overrides].
func (s *embedded) SetSwitch(ctx context.Context, hours string, sw rules.Switch) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		return putJSON(tx.Bucket(bucketSwitches), []byte(hours), sw)
	}, overridesTopic)
}

// ClearSwitch is part of [engine.Overrides].
func (s *embedded) ClearSwitch(ctx context.Context, hours string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketSwitches).Delete([]byte(hours))
	}, overridesTopic)
}

// Entries is part of [engine.Overrides]. It leaves out those that have ended.
func (s *embedded) Entries(ctx context.Context, list string) ([]rules.Entry, error) {
	all, err := s.AllEntries(ctx, []string{list})
	return all[list], err
}

// AllEntries is part of [engine.Overrides].
func (s *embedded) AllEntries(ctx context.Context, lists []string) (map[string][]rules.Entry, error) {
	all := map[string][]rules.Entry{}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		now := s.wall()
		for _, list := range lists {
			pre := prefix(list)
			c := tx.Bucket(bucketEntries).Cursor()
			for k, v := c.Seek(pre); k != nil && bytes.HasPrefix(k, pre); k, v = c.Next() {
				var e rules.Entry
				if err := json.Unmarshal(v, &e); err != nil {
					return err
				}
				if !expired(e.Until, now) {
					all[list] = append(all[list], e)
				}
			}
		}
		return nil
	})
	return all, err
}

// PutEntry is part of [engine.Overrides].
func (s *embedded) PutEntry(ctx context.Context, list string, e rules.Entry) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		return putJSON(tx.Bucket(bucketEntries), append(prefix(list), e.Key...), e)
	}, overridesTopic)
}

// DeleteEntry is part of [engine.Overrides].
func (s *embedded) DeleteEntry(ctx context.Context, list, key string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		b, k := tx.Bucket(bucketEntries), append(prefix(list), key...)
		if b.Get(k) == nil {
			return engine.ErrNotFound
		}
		return b.Delete(k)
	}, overridesTopic)
}

// purgeExpired deletes switches and entries that ended before t, and limits of [engine.Limits] that are over, and
// versions that no record names.
func (s *embedded) purgeExpired(tx *bolt.Tx, t time.Time) error {
	for _, name := range [][]byte{bucketSwitches, bucketEntries} {
		err := deleteIf(tx.Bucket(name), func(_, v []byte) bool { return endedBefore(v, t) })
		if err != nil {
			return err
		}
	}
	if err := purgeVersions(tx, t); err != nil {
		return err
	}
	now := s.now().UnixNano()
	return deleteIf(tx.Bucket(bucketOnce), func(_, v []byte) bool {
		return len(v) >= 8 && int64(binary.BigEndian.Uint64(v)) <= now
	})
}

func deleteIf(b *bolt.Bucket, drop func(k, v []byte) bool) error {
	var keys [][]byte
	err := b.ForEach(func(k, v []byte) error {
		if drop(k, v) {
			keys = append(keys, bytes.Clone(k))
		}
		return nil
	})
	for _, k := range keys {
		if err == nil {
			err = b.Delete(k)
		}
	}
	return err
}

// endedBefore reports whether a stored switch or entry ended before t.
func endedBefore(doc []byte, t time.Time) bool {
	var e struct{ Until time.Time }
	return json.Unmarshal(doc, &e) == nil && !e.Until.IsZero() && e.Until.Before(t)
}

// sortEntries sorts entries by caller.
func sortEntries(all []rules.Entry) {
	slices.SortFunc(all, func(a, b rules.Entry) int { return strings.Compare(a.Key, b.Key) })
}
