package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
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
		list = append(list, indexed{bucketLive, timeKey(nil, c.ReceivedAt, key), []byte(c.State)})
		if !c.Due.IsZero() {
			list = append(list, indexed{bucketDue, timeKey(nil, c.Due, key), []byte(c.Owner)})
		}
	} else {
		list = append(list,
			indexed{bucketEnded, timeKey(nil, endOf(c), key), endedValue(c)},
			indexed{bucketOutcomes, timeKey(prefix(string(c.Outcome)), c.ReceivedAt, key), nil})
	}
	if caller, other, _ := callersOf(c); caller != "" {
		list = append(list, indexed{bucketCallers, timeKey(prefix(caller), c.ReceivedAt, key), nil})
		if other != "" {
			list = append(list, indexed{bucketCallers, timeKey(prefix(other), c.ReceivedAt, key), []byte(caller)})
		}
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
	if v == nil {
		return nil, nil
	}
	return s.decodeValue(key, v)
}

// Due is part of [engine.Calls]. It goes by the index alone, so calls that are not returned cost next to nothing.
func (s *embedded) Due(ctx context.Context, t time.Time, alive []string, limit int) ([]string, error) {
	var keys []string
	err := s.view(ctx, func(tx *bolt.Tx) error {
		keys = nil
		end := timeKey(nil, t.Add(1), "")
		c := tx.Bucket(bucketDue).Cursor()
		for k, owner := c.First(); k != nil && len(keys) < limit; k, owner = c.Next() {
			due := bytes.Compare(k, end) < 0
			if !due && alive == nil {
				break
			}
			if due || len(owner) > 0 && !slices.Contains(alive, string(owner)) {
				keys = append(keys, string(k[8:]))
			}
		}
		return nil
	})
	return keys, err
}

// CountLive is part of [engine.Calls].
func (s *embedded) CountLive(ctx context.Context) (n int, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		n = tx.Bucket(bucketLive).Stats().KeyN
		return nil
	})
	return n, err
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
