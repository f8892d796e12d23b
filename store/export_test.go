package store

import (
	bolt "go.etcd.io/bbolt"

	"callrouter/engine"
)

// Decoded returns how many records a store has decoded.
func Decoded(s engine.Store) int64 {
	if r, ok := s.(*redisStore); ok {
		return r.decoded.Load()
	}
	return s.(*embedded).decoded.Load()
}

// Commits returns how many writes the file of an embedded store has seen.
func Commits(s engine.Store) (n int) {
	_ = s.(*embedded).db.View(func(tx *bolt.Tx) error { n = tx.ID(); return nil })
	return n
}

// Indexed waits until an embedded store has indexed what an older version did not.
func Indexed(s engine.Store) { s.(*embedded).indexing.Wait() }

// Misses returns how many values of queues and agents a store has decoded for snapshots.
func Misses(s engine.Store) int64 {
	if r, ok := s.(*redisStore); ok {
		return r.known.misses.Load()
	}
	return s.(*embedded).known.misses.Load()
}
