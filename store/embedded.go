package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"callrouter/engine"
)

// The buckets of the embedded store, and what is in them. A time in a key is 8 bytes that sort by time, KEY is
// [engine.Key] of a call, \0 a zero byte.
var (
	bucketMeta     = []byte("meta")     // "schema" -> [schemaVersion]; "unindexed": see upgrade
	bucketCalls    = []byte("calls")    // KEY -> revision (8 bytes), record (JSON)
	bucketDue      = []byte("due")      // due time, KEY -> owner: live calls
	bucketReceived = []byte("received") // time received, KEY: all calls
	bucketLive     = []byte("live")     // time received, KEY -> state: live calls
	bucketEnded    = []byte("ended")    // time of the end, KEY -> time received, outcome, \0, keys of the caller: ended calls
	bucketOutcomes = []byte("outcomes") // outcome, \0, time received, KEY: ended calls
	bucketCallers  = []byte("callers")  // a key of the caller, \0, time received, KEY -> its main key, if this is the other
	bucketWaiting  = []byte("waiting")  // queue, \0, time joined, KEY -> waiter (JSON)
	bucketAgents   = []byte("agents")   // agent -> agentDoc (JSON)
	bucketTokens   = []byte("tokens")   // hash of a token -> agent
	bucketSwitches = []byte("switches") // hours -> rules.Switch (JSON)
	bucketEntries  = []byte("entries")  // list, \0, caller's key -> rules.Entry (JSON)
	bucketVersions = []byte("versions") // version -> its files, packed
	bucketTouched  = []byte("touched")  // version -> when it was last in force
	bucketOnce     = []byte("once")     // what happened once -> when it may happen again
)

// schemaVersion is the layout of the buckets above.
const schemaVersion = "2"

// walkLimit is the size in bytes up to which a file is read through before it is used.
const walkLimit = 256 << 20

// embedded is the store in a file, for one process. Leases of connections and instances end with the process, so they
// are only in memory. Everything else is on the disk before a method returns.
type embedded struct {
	path   string
	now    func() time.Time // the router's time
	wall   func() time.Time
	uptime func() time.Duration // see Config
	slew   slew
	*records
	known  known
	db     *bolt.DB
	commit *committer
	onWake atomic.Pointer[func(string)]
	leases leases
	closed sync.Once

	indexing     sync.WaitGroup
	stopIndexing func()
}

func openEmbedded(path string, cfg Config) (engine.Store, error) {
	s := &embedded{path: path, now: cfg.Now, wall: cfg.Wall, uptime: cfg.Uptime, records: newRecords(cfg)}
	s.leases.init()
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	s.commit = newCommitter(s.db, s.wake)
	s.beginIndexing()
	return s, nil
}

func (s *embedded) open() error {
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := create(s.path); err != nil {
			return explain(err)
		}
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("it is not a file; give the path of a file")
	case info.Size() == 0:
		return errors.New("the file is empty, so what was in it is lost; restore it from a copy, " +
			"or delete it to start anew")
	default:
		if err := inspect(s.path); err != nil {
			return err
		}
	}
	err = guard(func() (err error) {
		if s.db, err = openBolt(s.path, false); err != nil {
			return err
		}
		return upgrade(s.db)
	})
	if err != nil && s.db != nil {
		_ = s.db.Close()
	}
	return err
}

// mapSize is how much of a file is mapped from the start, in bytes: some three million records. When a file outgrows its
// map, the write waits until all reads have ended, and later reads wait for the write. It is addresses, not memory.
const mapSize = min(8<<30, math.MaxInt/4)

// smallestGrowth is how much a small file grows at once, in bytes. It costs a sync each time.
const smallestGrowth = 128 << 10

var errInUse = errors.New("it is in use by another callrouter; stop that one, or use Redis " +
	"(--store redis://host:6379), which several can share")

// openBolt opens a database. It waits half a second for the file's lock.
func openBolt(path string, readOnly bool) (*bolt.DB, error) {
	// The list of free pages is not written with each commit: after 20,000 of 40,000 records were purged, an insert would
	// take 2.9 ms (p50) instead of 0.6. It is written when the store is closed. After a crash it is found by reading the
	// file: 4 s for a million records. As a map, it finds room for a record in one step, however much is free.
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout: 500 * time.Millisecond, ReadOnly: readOnly, FreelistType: bolt.FreelistMapType, NoStatistics: true,
		InitialMmapSize: mapSize, NoFreelistSync: true,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return nil, errInUse
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum),
		errors.Is(err, bolterrors.ErrVersionMismatch),
		err != nil && strings.Contains(err.Error(), "file size too small"): // bbolt has no name for it
		return nil, damaged(err)
	case err == nil:
		// Because of mapSize, bbolt would make each file 16 MB large at least.
		if info, err := os.Stat(path); err == nil {
			db.AllocSize = int(min(max(info.Size()/8, smallestGrowth), int64(db.AllocSize)))
		}
	}
	return db, err
}

// create makes a file with empty buckets, under another name first, so that a crash never leaves half a file behind.
func create(path string) error {
	tmp := fmt.Sprintf("%s.%d.new", path, os.Getpid())
	defer os.Remove(tmp)
	db, err := openBolt(tmp, false)
	if err != nil {
		return fmt.Errorf("cannot create it; check that its folder exists and is writable: %w", err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{
			bucketCalls, bucketDue, bucketReceived, bucketLive, bucketEnded, bucketOutcomes, bucketCallers,
			bucketWaiting, bucketAgents, bucketTokens, bucketSwitches, bucketEntries, bucketOnce,
		} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		meta, err := tx.CreateBucket(bucketMeta)
		if err != nil {
			return err
		}
		return meta.Put([]byte("schema"), []byte(schemaVersion))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link replaces nothing; but not every file system has links.
	if err := os.Link(tmp, path); err != nil && !errors.Is(err, os.ErrExist) {
		if err := os.Rename(tmp, path); err != nil {
			return err
		}
	}
	return syncFolder(path)
}

// syncFolder puts the name of a file on the disk.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// inspect reads a file through before it is opened for writing: its size, and every page in use.
func inspect(path string) error {
	return guard(func() error {
		db, err := openBolt(path, true)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.View(func(tx *bolt.Tx) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			if info.Size() < tx.Size() {
				return damaged(fmt.Errorf("it has %d bytes and should have %d", info.Size(), tx.Size()))
			}
			if info.Size() > walkLimit {
				return nil
			}
			file, err := os.Open(path)
			if err != nil {
				return err
			}
			defer file.Close()
			if err := checkPages(tx, file); err != nil {
				return err
			}
			return tx.ForEach(walk)
		})
	})
}

// walk reads a bucket through and checks that its keys are in order. bbolt has no checksums, so a flipped bit in a
// value is found only when that value is read.
func walk(name []byte, b *bolt.Bucket) error {
	var before []byte
	return b.ForEach(func(k, v []byte) error {
		if before != nil && bytes.Compare(before, k) >= 0 {
			return damaged(fmt.Errorf("keys of %s are out of order", name))
		}
		before = k
		if string(name) == string(bucketReceived) && (len(k) < 8 || b.Tx().Bucket(bucketCalls).Get(k[8:]) == nil) {
			return damaged(errors.New("a call has no record"))
		}
		return nil
	})
}

// checkSchema returns the version of the layout, if this program knows it.
func checkSchema(db *bolt.DB) (version string, err error) {
	err = db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			return errors.New("it is a bbolt database of another program; give another path")
		}
		if version = string(meta.Get([]byte("schema"))); version != schemaVersion && version != unindexedVersion {
			return fmt.Errorf("its layout is version %q and this callrouter knows %q; use the callrouter that wrote "+
				"it, or another path", version, schemaVersion)
		}
		return nil
	})
	return version, err
}

// guard turns what bbolt does with a damaged file (a panic, or a fault on a page that is not there) into an error.
func guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = damaged(fmt.Errorf("%v", r))
		}
	}()
	return f()
}

// errDamaged: the content of the file makes no sense.
var errDamaged = errors.New("the file is damaged, or is not a callrouter database; restore it from a copy, " +
	"or move it away to start anew")

func damaged(err error) error { return fmt.Errorf("%w (%w)", errDamaged, err) }

// explain adds to an error of the disk what it means and what to do.
func explain(err error) error {
	for _, full := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if strings.Contains(err.Error(), full.Error()) { // bbolt does not wrap all of them
			return fmt.Errorf("there is no space left for the store, so calls cannot be recorded; free some, "+
				"and the store recovers by itself: %w", err)
		}
	}
	return err
}

// update commits one step, then wakes topics.
func (s *embedded) update(ctx context.Context, do func(tx *bolt.Tx) error, topics func() []string) error {
	return s.wrap(s.commit.commit(ctx, do, topics))
}

// view reads from one snapshot.
func (s *embedded) view(ctx context.Context, read func(tx *bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.wrap(guard(func() error { return s.db.View(read) }))
}

// wrap adds which store failed. It leaves refusals as they are.
func (s *embedded) wrap(err error) error {
	if err == nil || isRefusal(err) {
		return err
	}
	return &engine.StoreError{Err: fmt.Errorf("store %s: %w", s.path, explain(err))}
}

// OnWake is part of [engine.Wakes].
func (s *embedded) OnWake(f func(topic string)) { s.onWake.Store(&f) }

// Wake is part of [engine.Wakes]. There is no other process to wake.
func (s *embedded) Wake(_ context.Context, topic string) error {
	s.wake(topic)
	return nil
}

func (s *embedded) wake(topic string) {
	if f := s.onWake.Load(); f != nil && *f != nil {
		(*f)(topic)
	}
}

// Ping is part of [engine.Store].
func (s *embedded) Ping(ctx context.Context) error {
	return s.view(ctx, func(*bolt.Tx) error { return nil })
}

// Close is part of [engine.Store].
func (s *embedded) Close() error {
	var err error
	s.closed.Do(func() {
		s.stopIndexing()
		s.indexing.Wait()
		if s.commit.close() {
			if s.commit.broken == nil {
				s.writeFreePages()
			}
			err = s.db.Close()
		}
	})
	return err
}

// writeFreePages puts the list of free pages into the file, so that the next start need not read the whole file to find
// them. If it fails, the next start does that.
func (s *embedded) writeFreePages() {
	s.db.NoFreelistSync = false
	_ = guard(func() error { return s.db.Update(func(*bolt.Tx) error { return nil }) })
}

// putJSON stores a value as JSON.
func putJSON(b *bolt.Bucket, key []byte, v any) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return b.Put(key, doc)
}
