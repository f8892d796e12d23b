package store

import (
	"bytes"
	"context"
	"errors"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// unindexedVersion is the layout without bucketOutcomes and without what entries of bucketEnded say.
const unindexedVersion = "1"

// keyUnindexed is in bucketMeta while a file of that layout is being indexed. Until then lists by outcome read all
// records, in short transactions.
var keyUnindexed = []byte("unindexed")

// indexBatch is how many records are indexed in one step.
const indexBatch = 50

// upgrade gives a file the present layout, but for the entries of its calls.
func upgrade(db *bolt.DB) error {
	version, err := checkSchema(db)
	if err != nil || version == schemaVersion {
		return err
	}
	return db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(bucketOutcomes); err != nil {
			return err
		}
		meta := tx.Bucket(bucketMeta)
		if err := meta.Put(keyUnindexed, []byte{1}); err != nil {
			return err
		}
		return meta.Put([]byte("schema"), []byte(schemaVersion))
	})
}

// beginIndexing indexes the calls of an older file beside other work. What is left when the store is closed is done
// after the next start.
func (s *embedded) beginIndexing() {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopIndexing = cancel
	s.indexing.Go(func() {
		if err := s.index(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("could not index the calls of an older version, so lists by outcome are slow; the next start "+
				"tries again", "store", s.path, "error", err)
		}
	})
}

// index indexes what an older version did not, step by step. It rests between steps as Purge does.
func (s *embedded) index(ctx context.Context) error {
	done := false
	err := s.view(ctx, func(tx *bolt.Tx) error {
		done = tx.Bucket(bucketMeta).Get(keyUnindexed) == nil
		return nil
	})
	for from := []byte(nil); err == nil && !done; {
		began := time.Now()
		var next []byte
		err = s.update(ctx, func(tx *bolt.Tx) (err error) {
			if next, err = s.indexSome(tx, from); err == nil && next == nil {
				err = tx.Bucket(bucketMeta).Delete(keyUnindexed)
			}
			return err
		}, nil)
		if err != nil {
			return err // the step may still be on its way
		}
		if from, done = next, next == nil; !done {
			err = rest(ctx, time.Since(began))
		}
	}
	return err
}

// indexSome indexes calls that ended at or after from, and returns where to go on; nil: that was all.
func (s *embedded) indexSome(tx *bolt.Tx, from []byte) (next []byte, err error) {
	var entries [][]byte
	c := tx.Bucket(bucketEnded).Cursor()
	k, v := c.Seek(from)
	for passed := 0; k != nil && len(entries) < indexBatch && passed < lookEntries; passed++ {
		if len(v) == 0 {
			entries = append(entries, bytes.Clone(k))
		}
		k, v = c.Next()
	}
	next = bytes.Clone(k)
	for _, k := range entries {
		call, err := s.getCall(tx, string(k[8:]))
		if errors.Is(err, engine.ErrDamaged) || err == nil && call == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := tx.Bucket(bucketEnded).Put(k, endedValue(call)); err != nil {
			return nil, err
		}
		at := timeKey(prefix(string(call.Outcome)), call.ReceivedAt, call.Key())
		if err := tx.Bucket(bucketOutcomes).Put(at, nil); err != nil {
			return nil, err
		}
	}
	return next, nil
}
