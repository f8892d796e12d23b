package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// indexed is one index entry of a record.
type indexed struct {
	bucket, key, value []byte
}

// indexOf returns all index entries of a record.
func indexOf(c *engine.Call) ([]indexed, error) {
	if c == nil {
		return nil, nil
	}
	key := c.Key()
	list := []indexed{{bucketReceived, timeKey(nil, c.ReceivedAt, key), nil}}
	if c.Live() {
		list = append(list, indexed{bucketLive, timeKey(nil, c.ReceivedAt, key), nil})
		if !c.Due.IsZero() {
			list = append(list, indexed{bucketDue, timeKey(nil, c.Due, key), nil})
		}
	} else {
		list = append(list, indexed{bucketEnded, timeKey(nil, endOf(c), key), nil})
	}
	if c.CallerKey != "" {
		list = append(list, indexed{bucketCallers, timeKey(prefix(c.CallerKey), c.ReceivedAt, key), nil})
	}
	if queue, w, ok := waits(c); ok {
		doc, err := json.Marshal(w)
		if err != nil {
			return nil, err
		}
		list = append(list, indexed{bucketWaiting, timeKey(prefix(queue), w.Joined, key), doc})
	}
	return list, nil
}

// reindex replaces the index entries of old by those of next.
func reindex(tx *bolt.Tx, old, next *engine.Call) error {
	before, err := indexOf(old)
	if err != nil {
		return err
	}
	after, err := indexOf(next)
	if err != nil {
		return err
	}
	same := func(a, b indexed) bool { return bytes.Equal(a.bucket, b.bucket) && bytes.Equal(a.key, b.key) }
	for _, b := range before {
		if !slices.ContainsFunc(after, func(a indexed) bool { return same(a, b) }) {
			if err := tx.Bucket(b.bucket).Delete(b.key); err != nil {
				return err
			}
		}
	}
	for _, a := range after {
		if slices.ContainsFunc(before, func(b indexed) bool { return same(a, b) && bytes.Equal(a.value, b.value) }) {
			continue
		}
		if err := tx.Bucket(a.bucket).Put(a.key, a.value); err != nil {
			return err
		}
	}
	return nil
}

// Insert is part of [engine.Calls].
func (s *embedded) Insert(ctx context.Context, c *engine.Call) (*engine.Call, error) {
	ch, err := newChange(nil, c)
	if err != nil {
		return nil, err
	}
	var existing *engine.Call
	err = s.update(ctx, func(tx *bolt.Tx) (err error) {
		if existing, err = s.getCall(tx, ch.key); err != nil {
			return err
		}
		if existing != nil {
			return engine.ErrExists
		}
		return s.write(tx, ch)
	}, func() []string { return ch.topics })
	if err != nil && !isRefusal(err) {
		return nil, err
	}
	return existing, err
}

// Update is part of [engine.Calls].
func (s *embedded) Update(ctx context.Context, old, next *engine.Call) (*engine.Call, error) {
	ch, err := newChange(old, next)
	if err != nil {
		return nil, err
	}
	err = s.update(ctx, func(tx *bolt.Tx) error {
		v := tx.Bucket(bucketCalls).Get([]byte(ch.key))
		if len(v) < 8 || int64(binary.BigEndian.Uint64(v)) != old.Rev {
			return engine.ErrConflict
		}
		return s.write(tx, ch)
	}, func() []string { return ch.topics })
	if err != nil {
		return nil, err
	}
	return ch.next, nil
}

// write stores a record with its slots and index entries. It returns ErrBusy before it writes anything.
func (s *embedded) write(tx *bolt.Tx, ch *change) error {
	if err := s.changeSlots(tx, ch); err != nil {
		return err
	}
	if err := reindex(tx, ch.old, ch.next); err != nil {
		return err
	}
	if ch.queueChanges() {
		if _, err := tx.Bucket(bucketWaiting).NextSequence(); err != nil {
			return err
		}
	}
	v := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(ch.doc)), uint64(ch.next.Rev))
	return tx.Bucket(bucketCalls).Put([]byte(ch.key), append(v, ch.doc...))
}

// Reassert is part of [engine.Calls].
func (s *embedded) Reassert(ctx context.Context, c *engine.Call) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		stored, err := s.getCall(tx, c.Key())
		if err != nil {
			return err
		}
		n := engine.Reconcile(stored, c)
		if n == nil {
			return nil
		}
		ch, err := newReassertion(stored, n)
		if err != nil {
			return err
		}
		return s.write(tx, ch)
	}, nil)
}

// Get is part of [engine.Calls].
func (s *embedded) Get(ctx context.Context, key string) (c *engine.Call, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) (err error) {
		c, err = s.getCall(tx, key)
		return err
	})
	if err == nil && c == nil {
		err = engine.ErrNotFound
	}
	return c, err
}

// getCall returns nil if there is no such call.
func (s *embedded) getCall(tx *bolt.Tx, key string) (*engine.Call, error) {
	v := tx.Bucket(bucketCalls).Get([]byte(key))
	switch {
	case v == nil:
		return nil, nil
	case len(v) < 8:
		v = make([]byte, 8) // it is cut short, and no record either
	}
	return s.decode(key, int64(binary.BigEndian.Uint64(v)), v[8:])
}

// Due is part of [engine.Calls].
func (s *embedded) Due(ctx context.Context, t time.Time, limit int) ([]string, error) {
	var keys []string
	err := s.view(ctx, func(tx *bolt.Tx) error {
		keys = nil
		end := timeKey(nil, t.Add(1), "")
		c := tx.Bucket(bucketDue).Cursor()
		for k, _ := c.First(); k != nil && bytes.Compare(k, end) < 0 && len(keys) < limit; k, _ = c.Next() {
			keys = append(keys, string(k[8:]))
		}
		return nil
	})
	return keys, err
}

// List is part of [engine.Calls].
func (s *embedded) List(ctx context.Context, f engine.Filter) ([]*engine.Call, error) {
	bucket, pre := bucketReceived, []byte(nil)
	switch {
	case f.Caller != "":
		bucket, pre = bucketCallers, prefix(f.Caller)
	case f.State != "" && f.State != engine.Ended:
		bucket = bucketLive
	}
	var calls []*engine.Call
	err := s.view(ctx, func(tx *bolt.Tx) error {
		since := timeKey(pre, f.Since, "")
		c := tx.Bucket(bucket).Cursor()
		var k []byte
		next := c.Prev
		if f.Oldest {
			k, _ = c.Seek(since)
			next = c.Next
		} else {
			k = last(c, pre)
		}
		inRange := func() bool { return k != nil && bytes.HasPrefix(k, pre) && bytes.Compare(k, since) >= 0 }
		for ; inRange() && len(calls) < limitOf(f); k, _ = next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			call, err := s.getCall(tx, string(k[len(pre)+8:]))
			if err != nil && !errors.Is(err, engine.ErrDamaged) {
				return err
			}
			if call != nil && matches(f, call) {
				calls = append(calls, call)
			}
		}
		return nil
	})
	return calls, err
}

// last moves to the last key with a prefix, or to the key before where that would be.
func last(c *bolt.Cursor, pre []byte) []byte {
	if len(pre) == 0 {
		k, _ := c.Last()
		return k
	}
	after := slices.Clone(pre)
	after[len(after)-1]++ // the last byte is the zero that ends every prefix
	if k, _ := c.Seek(after); k == nil {
		k, _ = c.Last()
		return k
	}
	k, _ := c.Prev()
	return k
}

// Purge is part of [engine.Calls]. It also deletes switches and entries that ended before t.
func (s *embedded) Purge(ctx context.Context, t time.Time) (int, error) {
	total := 0
	for {
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
	}
	return total, s.update(ctx, func(tx *bolt.Tx) error { return s.purgeExpired(tx, t) }, nil)
}

// purgeBatch is how many records are deleted in one step, so that calls never wait long for it.
const purgeBatch = 100

func (s *embedded) purgeCalls(tx *bolt.Tx, t time.Time) (int, error) {
	var keys []string
	end := timeKey(nil, t, "")
	c := tx.Bucket(bucketEnded).Cursor()
	for k, _ := c.First(); k != nil && bytes.Compare(k, end) < 0 && len(keys) < purgeBatch; k, _ = c.Next() {
		keys = append(keys, string(k[8:]))
	}
	for _, key := range keys {
		call, err := s.getCall(tx, key)
		if errors.Is(err, engine.ErrDamaged) {
			err = removeDamaged(tx, key)
		} else if err == nil {
			err = remove(tx, call)
		}
		if err != nil {
			return 0, fmt.Errorf("purging call %s: %w", key, err)
		}
	}
	return len(keys), nil
}

func remove(tx *bolt.Tx, call *engine.Call) error {
	entries, err := indexOf(call)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := tx.Bucket(e.bucket).Delete(e.key); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketCalls).Delete([]byte(call.Key()))
}

// removeDamaged deletes a record that does not tell by which entries it is found: they are looked for.
func removeDamaged(tx *bolt.Tx, key string) error {
	for _, name := range [][]byte{bucketReceived, bucketLive, bucketEnded, bucketDue, bucketCallers, bucketWaiting} {
		if err := deleteIf(tx.Bucket(name), func(k, _ []byte) bool { return bytes.HasSuffix(k, []byte(key)) }); err != nil {
			return err
		}
	}
	return tx.Bucket(bucketCalls).Delete([]byte(key))
}

// prefix begins every key that belongs to a name.
func prefix(name string) []byte { return append([]byte(name), 0) }

// timeKey returns a key that sorts by time, then by the call's key.
func timeKey(pre []byte, t time.Time, key string) []byte {
	var nanos int64
	if !t.IsZero() {
		nanos = t.UnixNano()
	}
	k := binary.BigEndian.AppendUint64(slices.Clone(pre), uint64(nanos))
	return append(k, key...)
}
