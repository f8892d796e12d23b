package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// What one read transaction does at most. A long one would keep pages from being used again, so that the file grows,
// and writes wait for it when the file's map has to grow.
const (
	lookRecords = 200    // records copied
	lookEntries = 10_000 // index entries passed over
)

// listing is a list that is being read. It goes along one index, and asks the others about each of its entries, so that
// only records that are wanted are decoded.
type listing struct {
	engine.Filter
	bucket, pre []byte // the index, and what its keys begin with
	at          []byte // time and KEY of the last entry that was passed; nil: none yet
	end         bool   // there is nothing behind at
}

// stored is a record as it was read.
type stored struct {
	key   string
	value []byte
}

// List is part of [engine.Calls].
func (s *embedded) List(ctx context.Context, f engine.Filter) ([]*engine.Call, error) {
	l := listing{Filter: f}
	if f.After != (engine.Cursor{}) {
		l.at = timeKey(nil, f.After.Received, f.After.Key)
	}
	var calls []*engine.Call
	for limit := limitOf(f); !l.end && len(calls) < limit; {
		var page []stored
		err := s.view(ctx, func(tx *bolt.Tx) error {
			page = l.look(tx, min(lookRecords, limit-len(calls)))
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, r := range page {
			c, err := s.decodeValue(r.key, r.value)
			if err != nil && !errors.Is(err, engine.ErrDamaged) {
				return nil, err
			}
			if err == nil && matches(f, c) {
				calls = append(calls, c)
			}
		}
	}
	return calls, nil
}

// decodeValue reads a record of bucketCalls.
func (s *embedded) decodeValue(key string, v []byte) (*engine.Call, error) {
	if len(v) < 8 {
		v = make([]byte, 8) // it is cut short, and no record either
	}
	return s.decode(key, int64(binary.BigEndian.Uint64(v)), v[8:])
}

// look copies the next records, at most so many.
func (l *listing) look(tx *bolt.Tx, limit int) (page []stored) {
	complete := tx.Bucket(bucketMeta).Get(keyUnindexed) == nil
	l.choose(complete)
	since := timeKey(l.pre, l.Since, "")
	c := tx.Bucket(l.bucket).Cursor()
	k, v := l.seek(c, since)
	next := c.Prev
	if l.Oldest {
		next = c.Next
	}
	for range lookEntries {
		if k == nil || !bytes.HasPrefix(k, l.pre) || bytes.Compare(k, since) < 0 {
			l.end = true
			return page
		}
		l.at = bytes.Clone(k[len(l.pre):])
		if l.wanted(tx, v, complete) {
			key := l.at[8:]
			if record := tx.Bucket(bucketCalls).Get(key); record != nil {
				page = append(page, stored{string(key), bytes.Clone(record)})
			}
			if len(page) == limit {
				return page
			}
		}
		k, v = next()
	}
	return page
}

// choose chooses the index with the fewest entries. In a file whose outcomes are not all indexed yet that is none of
// them.
func (l *listing) choose(complete bool) {
	switch {
	case l.Caller != "":
		l.bucket, l.pre = bucketCallers, prefix(l.Caller)
	case l.State != "" && l.State != engine.Ended:
		l.bucket, l.pre = bucketLive, nil
	case l.Outcome != "" && complete:
		l.bucket, l.pre = bucketOutcomes, prefix(string(l.Outcome))
	default:
		l.bucket, l.pre = bucketReceived, nil
	}
}

// seek moves to the first entry behind at.
func (l *listing) seek(c *bolt.Cursor, since []byte) (k, v []byte) {
	if l.at == nil {
		if l.Oldest {
			return c.Seek(since)
		}
		return last(c, l.pre)
	}
	at := slices.Concat(l.pre, l.at)
	if l.Oldest {
		if bytes.Compare(at, since) < 0 {
			return c.Seek(since)
		}
		if k, v = c.Seek(at); bytes.Equal(k, at) {
			return c.Next()
		}
		return k, v
	}
	if k, _ = c.Seek(at); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// wanted asks the other indexes about the entry at at, whose value is v. Entries of an older file may lack values;
// those are wanted, and the record itself tells.
func (l *listing) wanted(tx *bolt.Tx, v []byte, complete bool) bool {
	if l.Outcome != "" && complete && !bytes.Equal(l.bucket, bucketOutcomes) {
		if _, there := find(tx, bucketOutcomes, slices.Concat(prefix(string(l.Outcome)), l.at)); !there {
			return false
		}
	}
	if l.State == "" || bytes.Equal(l.bucket, bucketOutcomes) {
		return true
	}
	live := bytes.Equal(l.bucket, bucketLive)
	if !live {
		v, live = find(tx, bucketLive, l.at)
	}
	if l.State == engine.Ended {
		return !live
	}
	return live && (len(v) == 0 || string(v) == string(l.State))
}

// find returns the value of a key, which may be empty, and whether the key is there.
func find(tx *bolt.Tx, bucket, key []byte) (v []byte, there bool) {
	k, v := tx.Bucket(bucket).Cursor().Seek(key)
	return v, bytes.Equal(k, key)
}

// last moves to the last key with a prefix, or to the key before where that would be.
func last(c *bolt.Cursor, pre []byte) (k, v []byte) {
	if len(pre) == 0 {
		return c.Last()
	}
	after := slices.Clone(pre)
	after[len(after)-1]++ // the last byte is the zero that ends every prefix
	if k, _ := c.Seek(after); k == nil {
		return c.Last()
	}
	return c.Prev()
}
