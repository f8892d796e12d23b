package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"callrouter/engine"
	"callrouter/rules"
)

// fields reads a hash.
func (s *redisStore) fields(ctx context.Context, key string) (all map[string]string, err error) {
	err = s.do(ctx, func(ctx context.Context) (err error) {
		all, err = s.client.HGetAll(ctx, key).Result()
		return err
	})
	return all, err
}

// put sets a switch, or an entry of a list.
func (s *redisStore) put(ctx context.Context, key, list, field string, v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = s.run(ctx, s.scripts.put, []string{key, keyLists}, with(overridesTopic(), field, doc, list)...)
	return err
}

// drop deletes a switch or an entry: any if doc is "", or else only if it still is doc. It reports whether it deleted
// one.
func (s *redisStore) drop(ctx context.Context, key, field, doc string) (bool, error) {
	reply, err := s.runOnce(ctx, s.scripts.drop, []string{key}, with(overridesTopic(), field, doc)...)
	return number(reply) > 0, err
}

// Switches is part of [engine.Overrides]. It leaves out those that have ended.
func (s *redisStore) Switches(ctx context.Context) (map[string]rules.Switch, error) {
	docs, err := s.fields(ctx, keySwitches)
	if err != nil {
		return nil, err
	}
	all := map[string]rules.Switch{}
	for hours, doc := range docs {
		var sw rules.Switch
		if err := json.Unmarshal([]byte(doc), &sw); err != nil {
			return nil, fmt.Errorf("the stored switch of hours %s is damaged; set or clear it again: %w", hours, err)
		}
		if !expired(sw.Until, s.wall()) {
			all[hours] = sw
		}
	}
	return all, nil
}

// SetSwitch is part of [engine.Overrides].
func (s *redisStore) SetSwitch(ctx context.Context, hours string, sw rules.Switch) error {
	return s.put(ctx, keySwitches, "", hours, sw)
}

// ClearSwitch is part of [engine.Overrides].
func (s *redisStore) ClearSwitch(ctx context.Context, hours string) error {
	_, err := s.drop(ctx, keySwitches, hours, "")
	return err
}

// Entries is part of [engine.Overrides]. It leaves out those that have ended.
func (s *redisStore) Entries(ctx context.Context, list string) ([]rules.Entry, error) {
	docs, err := s.fields(ctx, keyList(list))
	if err != nil {
		return nil, err
	}
	var all []rules.Entry
	for key, doc := range docs {
		var e rules.Entry
		if err := json.Unmarshal([]byte(doc), &e); err != nil {
			return nil, fmt.Errorf("a stored entry of list %s (%d characters long) is damaged: %w", list, len(key), err)
		}
		if !expired(e.Until, s.wall()) {
			all = append(all, e)
		}
	}
	sortEntries(all)
	return all, nil
}

// AllEntries is part of [engine.Overrides].
func (s *redisStore) AllEntries(ctx context.Context, lists []string) (map[string][]rules.Entry, error) {
	all := map[string][]rules.Entry{}
	for _, list := range lists {
		entries, err := s.Entries(ctx, list)
		if err != nil {
			return nil, err
		}
		if len(entries) > 0 {
			all[list] = entries
		}
	}
	return all, nil
}

// PutEntry is part of [engine.Overrides].
func (s *redisStore) PutEntry(ctx context.Context, list string, e rules.Entry) error {
	return s.put(ctx, keyList(list), list, e.Key, e)
}

// DeleteEntry is part of [engine.Overrides].
func (s *redisStore) DeleteEntry(ctx context.Context, list, key string) error {
	dropped, err := s.drop(ctx, keyList(list), key, "")
	if err == nil && !dropped {
		err = engine.ErrNotFound
	}
	return err
}

// purgeExpired deletes switches and entries that ended before t, unless they were set again meanwhile.
func (s *redisStore) purgeExpired(ctx context.Context, t time.Time) error {
	if err := s.purgeVersions(ctx, t); err != nil {
		return err
	}
	var lists []string
	err := s.do(ctx, func(ctx context.Context) (err error) {
		lists, err = s.client.SMembers(ctx, keyLists).Result()
		return err
	})
	if err != nil {
		return err
	}
	keys := []string{keySwitches}
	for _, list := range lists {
		keys = append(keys, keyList(list))
	}
	for _, key := range keys {
		docs, err := s.fields(ctx, key)
		if err != nil {
			return err
		}
		for field, doc := range docs {
			if !endedBefore([]byte(doc), t) {
				continue
			}
			if _, err := s.drop(ctx, key, field, doc); err != nil {
				return err
			}
		}
	}
	return nil
}
