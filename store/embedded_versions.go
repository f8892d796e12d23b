package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// versionMargin is how much longer than records a version of the rules is kept: a call that it decided may be long.
const versionMargin = 24 * time.Hour

// PutVersion is part of [engine.Versions].
func (s *embedded) PutVersion(ctx context.Context, version string, packed []byte) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketVersions) // files of before there were versions lack it
		if err != nil {
			return err
		}
		if err := b.Put([]byte(version), packed); err != nil {
			return err
		}
		return s.touch(tx, version)
	}, nil)
}

// TouchVersion is part of [engine.Versions].
func (s *embedded) TouchVersion(ctx context.Context, version string) error {
	return s.update(ctx, func(tx *bolt.Tx) error {
		if b := tx.Bucket(bucketVersions); b == nil || b.Get([]byte(version)) == nil {
			return engine.ErrNotFound
		}
		return s.touch(tx, version)
	}, nil)
}

func (s *embedded) touch(tx *bolt.Tx, version string) error {
	b, err := tx.CreateBucketIfNotExists(bucketTouched)
	if err != nil {
		return err
	}
	return b.Put([]byte(version), timeKey(nil, s.now(), ""))
}

// Version is part of [engine.Versions].
func (s *embedded) Version(ctx context.Context, version string) (packed []byte, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		if b := tx.Bucket(bucketVersions); b != nil {
			packed = bytes.Clone(b.Get([]byte(version)))
		}
		return nil
	})
	if err == nil && packed == nil {
		err = engine.ErrNotFound
	}
	return packed, err
}

// purgeVersions deletes versions that were last in force so long before t that no record can name them.
func purgeVersions(tx *bolt.Tx, t time.Time) error {
	touched, versions := tx.Bucket(bucketTouched), tx.Bucket(bucketVersions)
	if touched == nil || versions == nil {
		return nil
	}
	var old [][]byte
	err := touched.ForEach(func(version, at []byte) error {
		if len(at) >= 8 && int64(binary.BigEndian.Uint64(at)) < t.Add(-versionMargin).UnixNano() {
			old = append(old, bytes.Clone(version))
		}
		return nil
	})
	for _, version := range old {
		if err == nil {
			err = versions.Delete(version)
		}
		if err == nil {
			err = touched.Delete(version)
		}
	}
	return err
}
