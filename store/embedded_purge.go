package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// purgeBatch is how many records one step deletes. Records lie in the file by a hash, so each is on a page of its own,
// and a write that comes meanwhile waits until all of these pages are on the disk.
const purgeBatch = 20

// Purge is part of [engine.Calls]. It also deletes switches and entries that ended before t. Between two steps it rests
// as long as the last one took, so that calls get at least half of the disk.
func (s *embedded) Purge(ctx context.Context, t time.Time) (int, error) {
	total := 0
	for {
		began := time.Now()
		var n int
		err := s.update(ctx, func(tx *bolt.Tx) (err error) {
			n, err = s.purgeCalls(tx, t)
			return err
		}, nil)
		if err != nil {
			return total, err
		}
		total += n
		if n < purgeBatch {
			break
		}
		if err := rest(ctx, time.Since(began)); err != nil {
			return total, err
		}
	}
	return total, s.update(ctx, func(tx *bolt.Tx) error { return s.purgeExpired(tx, t) }, nil)
}

// rest waits, unless the context ends first.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endedValue is what an entry of bucketEnded says of its record, so that the record can be deleted without being read.
func endedValue(c *engine.Call) []byte {
	caller, other, _ := callersOf(c)
	value := slices.Concat(timeKey(nil, c.ReceivedAt, string(c.Outcome)), prefix(""), []byte(caller))
	if other != "" {
		value = slices.Concat(value, prefix(""), []byte(other))
	}
	return value
}

// purgeCalls deletes the records that ended first, if they ended before t.
func (s *embedded) purgeCalls(tx *bolt.Tx, t time.Time) (int, error) {
	var entries []indexed
	end := timeKey(nil, t, "")
	c := tx.Bucket(bucketEnded).Cursor()
	for k, v := c.First(); k != nil && bytes.Compare(k, end) < 0 && len(entries) < purgeBatch; k, v = c.Next() {
		entries = append(entries, indexed{bucketEnded, bytes.Clone(k), bytes.Clone(v)})
	}
	for _, e := range entries {
		if err := s.remove(tx, e); err != nil {
			return 0, fmt.Errorf("deleting the record of call %s: %w", e.key[8:], err)
		}
	}
	return len(entries), nil
}

// remove deletes the record of an entry of bucketEnded.
func (s *embedded) remove(tx *bolt.Tx, ended indexed) error {
	key := string(ended.key[8:])
	entries := []indexed{ended}
	if len(ended.value) < 9 { // of an older file
		call, err := s.getCall(tx, key)
		if errors.Is(err, engine.ErrDamaged) || err == nil && call == nil {
			return removeDamaged(tx, key)
		}
		if err != nil {
			return err
		}
		ended.value = endedValue(call)
	}
	at := slices.Concat(ended.value[:8], []byte(key))
	outcome, callers, _ := bytes.Cut(ended.value[8:], []byte{0})
	entries = append(entries, indexed{bucket: bucketReceived, key: at},
		indexed{bucket: bucketOutcomes, key: slices.Concat(prefix(string(outcome)), at)})
	for caller := range bytes.SplitSeq(callers, []byte{0}) { // none is one that is empty, and deletes nothing
		entries = append(entries, indexed{bucket: bucketCallers, key: slices.Concat(prefix(string(caller)), at)})
	}
	for _, e := range entries {
		if err := tx.Bucket(e.bucket).Delete(e.key); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketCalls).Delete([]byte(key))
}

// removeDamaged deletes a record that does not tell by which entries it is found: they are looked for.
func removeDamaged(tx *bolt.Tx, key string) error {
	for _, name := range [][]byte{
		bucketReceived, bucketLive, bucketEnded, bucketOutcomes, bucketDue, bucketCallers, bucketWaiting,
	} {
		err := deleteIf(tx.Bucket(name), func(k, _ []byte) bool { return bytes.HasSuffix(k, []byte(key)) })
		if err != nil {
			return err
		}
	}
	return tx.Bucket(bucketCalls).Delete([]byte(key))
}
